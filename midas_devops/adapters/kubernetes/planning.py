"""What a release would change in a cluster, asked of its API server by a dry run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from midas_devops.adapters import canary
from midas_devops.adapters.kubernetes.change import Change
from midas_devops.adapters.kubernetes.kubectl import FIELD_MANAGER, Json, only_ours
from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.errors import ToolError
from midas_devops.ports.deployer import Release

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
        wait = f"wait for its rollout, at most {self._settings.within.total_seconds():.0f} s"
        if not self._settings.manifests:
            return [self._image(release), wait], None
        live = self._deployer.cluster.live_slot() if self._settings.blue_green else ""
        objects = self._change.objects(release, live)
        changed, difference = self._difference(objects)
        applied = ", ".join(self._shown(each, changed) for each in objects)
        effects = [f"apply {self._where}: {applied}", wait]
        if self._settings.blue_green:
            other = self._change.other_slot(live)
            service = f"Service/{self._settings.service}"
            effects.append(f"switch {service} from {live or 'nothing'} to {other}; back if it is unhealthy")
        elif self._settings.canary and self._deployer.cluster.workload(self._settings.deployment) is not None:
            effects = self._steps(release, effects)
        return effects, difference

    def _image(self, release: Release) -> str:
        name = self._settings.deployment
        patch = self._change.image_patch(release)
        self._kubectl.look("patch", "deployment", name, *patch, "--dry-run=server")
        image = self._deployer.manifests.image(release)
        return f"set the image of Deployment/{name} {self._where} to {image}"

    def _steps(self, release: Release, at_the_end: list[str]) -> list[str]:
        name = self._settings.deployment
        checked_by = self._settings.analysis[0] if self._settings.analysis else "the readiness of its pods"
        label = release.version or release.commit[:12]
        *steps, everything, abort = canary.effects(self._settings.canary, label, checked_by)
        beside = f"run Deployment/{name}-canary beside Deployment/{name} {self._where}"
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
