"""What a release would change in a cluster, asked of its API server by a dry run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from midas_devops.adapters import canary
from midas_devops.adapters.kubernetes.change import STEP, Change, meant, runs
from midas_devops.adapters.kubernetes.cluster import REPLICAS
from midas_devops.adapters.kubernetes.kubectl import FIELD_MANAGER, Json, only_ours
from midas_devops.adapters.kubernetes.workload import Workload
from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.errors import ToolError, UsageError
from midas_devops.ports.deployer import DeployPlan, Release

if TYPE_CHECKING:
    from midas_devops.adapters.kubernetes.deployer import KubernetesDeployer

_SHOWN = 400
_HEADING = re.compile(r"^diff -u -N \S*/(?:LIVE|MERGED)-\d+/(?P<name>\S+) .*$", re.M)
_PASSING = re.compile(
    r"^(?:--- |\+\+\+ |[+-]\s+(?:uid|creationTimestamp|resourceVersion|generation|time):).*\n", re.M
)
"""Lines of a diff that differ from one look to the next."""


class Planning:
    """Plans for one deployer. Changes nothing."""

    def __init__(self, deployer: KubernetesDeployer) -> None:
        self._deployer = deployer
        self._settings = deployer.settings
        self._kubectl = deployer.kubectl
        self._change = Change(deployer, Interrupts(), lambda _: None)
        self._where = f"in namespace {self._settings.namespace} of context {self._settings.context}"

    def of(self, release: Release) -> tuple[list[str], str | None]:
        """The effects in order, and the difference as kubectl shows it. Raises ``ToolError``."""
        climbing = self._canary()
        if climbing is not None and self._settings.canary and meant(climbing) == release.commit:
            effects, difference = self._applied(release)
            return self._steps(release, effects, climbing), difference
        down = self._taken_down(climbing)
        if self._serves(release):
            return [*down, *DeployPlan.stays(release).effects], None
        if not self._settings.manifests:
            return self._image(release), None
        effects, difference = self._applied(release)
        if self._settings.canary and self._deployer.cluster.workload(self._settings.deployment) is not None:
            effects = self._steps(release, effects)
        return [*down, *effects], difference

    def back_to(self, release: Release) -> tuple[list[str], str | None]:
        """As :meth:`of`, of a rollback: without steps, or by a kept revision where its manifests fail."""
        down = self._taken_down(self._canary())
        if self._serves(release):
            return [*down, *DeployPlan.stays(release).effects], None
        if not self._settings.manifests:
            return self._image(release), None
        try:
            effects, difference = self._applied(release, proven=True)
        except (ToolError, UsageError):
            effects, difference = self._undone(self._deployer.cluster.live_name(), release), None
            if not effects:
                raise
        return [*down, *effects], difference

    @property
    def _wait(self) -> str:
        return f"wait for its rollout, at most {self._settings.within.total_seconds():.0f} s"

    def _serves(self, release: Release) -> bool:
        workload = self._deployer.cluster.workload(self._deployer.cluster.live_name())
        return workload is not None and runs(workload, release) and workload.trouble() is None

    def _canary(self) -> Workload | None:
        beside = self._settings.manifests and not self._settings.blue_green
        return self._deployer.cluster.canary() if beside else None

    def _taken_down(self, climbing: Workload | None) -> list[str]:
        if climbing is None:
            return []
        alone = f"give Deployment/{self._settings.deployment} its {climbing.annotations[REPLICAS]} pods again"
        return [f"{alone}; delete Deployment/{climbing.name} {self._where}"]

    def _applied(self, release: Release, *, proven: bool = False) -> tuple[list[str], str | None]:
        if not self._settings.blue_green:
            objects = self._change.objects(release, "")
            return self._sent(release, objects)
        live = self._deployer.cluster.live_slot()
        other = self._change.other_slot(live)
        objects = self._change.objects(release, live)
        service = f"Service/{self._settings.service}"
        switch = f"switch {service} from {live or 'nothing'} to {other}; back if it is unhealthy"
        name = f"{self._settings.deployment}-{other}"
        if proven and runs(self._deployer.cluster.workload(name), release):
            kept = f"take {release.label} from Deployment/{name} {self._where}, which still runs it"
            return [kept, switch], None
        effects, difference = self._sent(release, objects)
        return [*effects, switch], difference

    def _sent(self, release: Release, objects: list[Json]) -> tuple[list[str], str]:
        changed, difference = self._difference(objects)
        applied = ", ".join(self._shown(each, changed) for each in objects)
        return [f"apply {release.label} {self._where}: {applied}", self._wait], difference

    def _image(self, release: Release) -> list[str]:
        name = self._settings.deployment
        if undone := self._undone(name, release):
            return undone
        patch = self._change.image_patch(release)
        self._kubectl.look("patch", "deployment", name, *patch, "--dry-run=server")
        image = self._deployer.manifests.image(release)
        return [f"set the image of Deployment/{name} {self._where} to {image}", self._wait]

    def _undone(self, name: str, release: Release) -> list[str]:
        workload = self._deployer.cluster.workload(name)
        revision = workload.revision_of(release.commit) if workload is not None else ""
        if not revision:
            return []
        return [
            f"undo Deployment/{name} {self._where} to revision {revision}, which is {release.label}",
            self._wait,
        ]

    def _steps(self, release: Release, at_the_end: list[str], climbing: Workload | None = None) -> list[str]:
        name = self._settings.deployment
        checked_by = self._settings.analysis[0] if self._settings.analysis else "the readiness of its pods"
        begin = int(climbing.annotations.get(STEP, 0)) if climbing is not None else 0
        *steps, everything, abort = canary.effects(self._settings.canary, release.label, checked_by, begin)
        what = "go on with" if climbing is not None else "run"
        beside = f"{what} Deployment/{name}-canary beside Deployment/{name} {self._where}"
        return [beside, *steps, *at_the_end, everything, f"delete Deployment/{name}-canary", abort]

    def _difference(self, objects: list[Json]) -> tuple[set[str], str]:
        with self._kubectl.sent(objects) as file:
            arguments = ("--server-side", f"--field-manager={FIELD_MANAGER}", "-f", str(file))
            answer = self._kubectl.look("diff", *arguments, fine=range(256))
            if answer.code > 1 and only_ours(answer.err):
                answer = self._kubectl.look("diff", *arguments, "--force-conflicts", fine=(0, 1))
            elif answer.code > 1:
                # Applying says better than comparing what is wrong.
                self._kubectl.look("apply", *arguments, "--dry-run=server")
                said = " ".join(self._deployer.redact(answer.err).split())[:_SHOWN]
                raise ToolError(f"kubectl diff failed: {said}", hint="run it by hand; it needs diff")
        names = {found["name"] for found in _HEADING.finditer(answer.out)}
        return names, _PASSING.sub("", _HEADING.sub(lambda found: f"# {found['name']}", answer.out))

    def _shown(self, each: Json, changed: set[str]) -> str:
        name = each["metadata"]["name"]
        namespace = each["metadata"].get("namespace", self._settings.namespace)
        kind = f"{str(each['apiVersion']).replace('/', '.')}.{each['kind']}"
        files = {f"{kind}.{namespace}.{name}", f"{kind}..{name}"}
        return f"{each['kind']}/{name} ({'changed' if files & changed else 'unchanged'})"
