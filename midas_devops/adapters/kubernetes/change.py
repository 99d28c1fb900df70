"""One deploy or rollback in a cluster: rolling, side by side, or step by step. Begun again, it goes on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from midas_devops.adapters import canary
from midas_devops.adapters.ask import ask
from midas_devops.adapters.kubernetes.cluster import CANARY, REPLICAS
from midas_devops.adapters.kubernetes.kubectl import FIELD_MANAGER, Json
from midas_devops.adapters.kubernetes.manifests import SLOT, in_slot, mark
from midas_devops.adapters.kubernetes.waiting import Waiting
from midas_devops.adapters.kubernetes.workload import Workload, release_of
from midas_devops.adapters.local import templates
from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.adapters.local.journal import StepFailedError
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.errors import MidasError, ToolError, UsageError
from midas_devops.ports.deployer import DeployFailure, DeployResult, Release
from midas_devops.ports.iac import Progress

if TYPE_CHECKING:
    from midas_devops.adapters.kubernetes.deployer import KubernetesDeployer

STEP = "midas-devops/canary-step"
"""Annotation of a canary's Deployment: how far it is."""
_EVERYTHING = 100


class Change:
    """Works on one environment; all that it has to remember stands in the cluster."""

    def __init__(self, deployer: KubernetesDeployer, interrupts: Interrupts, progress: Progress) -> None:
        settings = deployer.settings
        self._deployer = deployer
        self._settings = settings
        self._kubectl = deployer.kubectl
        self._cluster = deployer.cluster
        self._manifests = deployer.manifests
        self._interrupts = interrupts
        self._progress = progress
        self._waiting = Waiting(deployer.cluster, settings.within.total_seconds(), interrupts, progress)
        self._evidence: tuple[ArtifactRef, ...] = ()
        self._step = 0
        """Which step of a canary is being taken; it goes into the cluster with the pods of that step."""

    def deploy(self, release: Release) -> DeployResult:
        """Put it there."""
        return self._guarded(release, lambda: self._deploy(release, steps=True))

    def rollback(self, to: Release) -> DeployResult:
        """Return to it, without steps."""
        return self._guarded(to, lambda: self._back(to))

    def other_slot(self, live: str) -> str:
        """Where the next release goes."""
        return "green" if live == "blue" else "blue"

    def objects(self, release: Release, live: str) -> list[Json]:
        """What is applied for a release; people stay where they are. Raises ``ToolError``, ``UsageError``."""
        objects = self._manifests.of(release)
        if not self._settings.blue_green:
            return objects
        target = self.other_slot(live)
        deployment, service = self._manifests.deployment(objects), self._manifests.service(objects)
        service["spec"]["selector"] = {**service["spec"]["selector"], SLOT: live or target}
        return [in_slot(each, target) if each is deployment else each for each in objects]

    def image_patch(self, release: Release) -> tuple[str, ...]:
        """Arguments of kubectl patch that set the image and the marks. Raises ``ToolError``."""
        deployment = self._kubectl.get("deployment", self._settings.deployment)
        if deployment is None:
            raise ToolError(
                f"there is no Deployment/{self._settings.deployment} in namespace {self._settings.namespace}",
                hint='make it once by hand, or name its manifests in midas.toml: manifests = ["k8s/*.yaml"]',
            )
        mark(deployment, release, self._manifests.image(release), self._settings.container)
        template = deployment["spec"]["template"]
        containers = [
            {"name": each["name"], "image": each["image"]} for each in template["spec"]["containers"]
        ]
        wanted = {
            "metadata": {"annotations": template["metadata"]["annotations"]},
            "spec": {"containers": containers},
        }
        patch = json.dumps({"spec": {"template": wanted}})
        return ("--type=strategic", f"--field-manager={FIELD_MANAGER}", f"--patch={patch}")

    def _guarded(self, release: Release, change: Callable[[], None]) -> DeployResult:
        label = release.label
        try:
            with self._interrupts.allowed():
                self._deployer.commands.wait_for_other(self._interrupts, self._progress)
                change()
            return DeployResult(serving=self._deployer.status(), logs=self._deployer.logs())
        except StepFailedError as failed:
            failure = failed.failure
        except KeyboardInterrupt:
            failure = DeployFailure(code="cancelled", message=f"the deployment of {label} was cancelled")
        except (ToolError, UsageError) as error:
            failure = DeployFailure(code="refused", message=f"{error.message} ({error.hint})")
        return self._failed(failure)

    def _failed(self, failure: DeployFailure) -> DeployResult:
        """Evidence first: a canary that is taken down takes its pods along."""
        notes, serving = [failure.message], None
        self._interrupts.requested = False
        try:
            failing = self._failing_name()
            self._evidence = self._cluster.evidence(failing)
            notes += self._take_down()
            serving = self._deployer.status()
        except (MidasError, StepFailedError, KeyboardInterrupt) as error:
            notes.append(f"Then {str(error) or 'it was interrupted again'}")
        message = self._deployer.redact(". ".join(notes))
        return DeployResult(
            failure=DeployFailure(code=failure.code, message=message), serving=serving, logs=self._evidence
        )

    def _failing_name(self) -> str:
        name = self._settings.deployment
        if self._settings.blue_green:
            return f"{name}-{self.other_slot(self._cluster.live_slot())}"
        if self._settings.canary and self._cluster.canary() is not None:
            return f"{name}-{CANARY}"
        return name

    def _deploy(self, release: Release, *, steps: bool) -> None:
        if not self._settings.manifests:
            self._set_image(release)
        elif self._settings.blue_green:
            self._switch_slots(release, proven=not steps)
        elif (
            steps and self._settings.canary and self._cluster.workload(self._settings.deployment) is not None
        ):
            self._climb(release)
        else:
            self._roll(release)

    def _back(self, to: Release) -> None:
        if not self._settings.blue_green:
            self._take_down()
        try:
            self._deploy(to, steps=False)
        except (ToolError, UsageError) as error:
            self._undo(to, error)

    def _set_image(self, release: Release) -> None:
        name = self._settings.deployment
        if self._serves(name, release):
            return
        workload = self._cluster.workload(name)
        if workload is not None and (revision := workload.revision_of(release.commit)):
            self._return_to(revision, release)
            return
        self._progress(f"set the image of Deployment/{name} to {self._manifests.image(release)}")
        self._kubectl.change("patch", "deployment", name, *self.image_patch(release))
        self._waiting.until_complete(name)
        self._confirm()

    def _undo(self, to: Release, why: MidasError) -> None:
        """The way back when the manifests of that commit cannot be had: the revision that carries it."""
        workload = self._cluster.workload(self._cluster.live_name())
        revision = workload.revision_of(to.commit) if workload is not None else ""
        if not revision:
            message = f"{why.message}; and no revision of the Deployment carries {to.commit[:12]} any more"
            raise StepFailedError("nothing_to_return_to", message)
        self._progress(f"{why.message}; going back by the revision that carries {to.label}")
        self._return_to(revision, to)

    def _return_to(self, revision: str, to: Release) -> None:
        name = self._cluster.live_name()
        self._progress(f"undo Deployment/{name} to revision {revision}, which is {to.label}")
        self._kubectl.change("rollout", "undo", f"deployment/{name}", f"--to-revision={revision}")
        self._waiting.until_complete(name)
        self._confirm()

    def _roll(self, release: Release) -> None:
        objects = self._manifests.of(release)
        name = self._settings.deployment
        self._take_down()
        if self._serves(name, release):
            return
        self._progress(f"apply {_named(objects)}")
        self._kubectl.apply(objects)
        self._waiting.until_complete(name)
        self._confirm()

    def _switch_slots(self, release: Release, *, proven: bool) -> None:
        live = self._cluster.live_slot()
        if live and self._serves(f"{self._settings.deployment}-{live}", release):
            return
        target = self.other_slot(live)
        name = f"{self._settings.deployment}-{target}"
        objects = self.objects(release, live)
        if not (proven and runs(self._cluster.workload(name), release)):
            self._progress(f"apply {_named(objects)}")
            self._kubectl.apply(objects)
        workload = self._waiting.until_complete(name)
        if not runs(workload, release):
            raise StepFailedError("start_failed", f"Deployment/{name} does not run {release.label}")
        if not proven:
            self._analyse(release, 0)
        self._point_at(objects, target)
        try:
            self._confirm()
        except StepFailedError:
            if live:
                self._point_at(objects, live)
            raise

    def _point_at(self, objects: list[Json], slot: str) -> None:
        service = self._manifests.service(objects)
        if service["spec"]["selector"].get(SLOT) != slot:
            self._progress(f"switch Service/{self._settings.service} to {slot}")
            service["spec"]["selector"][SLOT] = slot
            self._kubectl.apply([service])

    def _climb(self, release: Release) -> None:
        objects = self._manifests.of(release)
        name = f"{self._settings.deployment}-{CANARY}"
        there = self._cluster.workload(name)
        if there is not None and REPLICAS not in there.annotations:
            raise StepFailedError("conflict", f"Deployment/{name} is there already, and not by us")
        if there is not None and meant(there) != release.commit:
            self._take_down()
            there = None
        if there is None and self._serves(self._settings.deployment, release):
            return
        if there is not None and runs(self._cluster.workload(self._settings.deployment), release):
            self._progress(f"{release.label} has everything already")
            self._take_down()
            self._confirm()
            return
        begin = int(there.annotations.get(STEP, 0)) if there else 0
        if there is not None:
            self._progress(f"{release.label} goes on at step {begin + 1}, where it was cut off")
        total = int(there.annotations[REPLICAS]) if there else self._stable_replicas()
        canary.climb(
            self._settings.canary,
            begin,
            record=self._begin_step,
            give=lambda weight: self._give(release, objects, weight, total),
            judge=lambda weight: self._judge(release, weight),
            interrupts=self._interrupts,
            progress=self._progress,
        )
        self._delete_canary()

    def _begin_step(self, step: int) -> None:
        self._step = step

    def _give(self, release: Release, objects: list[Json], weight: int, total: int) -> None:
        stable = self._settings.deployment
        if weight == _EVERYTHING:
            self._progress(f"apply {_named(objects)}")
            self._kubectl.apply(objects)
            if "replicas" not in self._manifests.deployment(objects)["spec"]:
                self._scale_stable(total)
            self._waiting.until_complete(stable)
            return
        share = max(1, math.ceil(total * weight / _EVERYTHING))
        beside = in_slot(self._manifests.deployment(objects), CANARY, share)
        notes = {STEP: str(self._step), REPLICAS: str(total)}
        beside["metadata"]["annotations"] = {**(beside["metadata"].get("annotations") or {}), **notes}
        self._progress(f"run {share} of {total} pods as {release.label}")
        self._kubectl.apply([beside])
        self._waiting.until_complete(beside["metadata"]["name"])
        self._scale_stable(max(1, total - share))

    def _judge(self, release: Release, weight: int) -> None:
        name = self._settings.deployment
        workload = self._cluster.workload(name if weight == _EVERYTHING else f"{name}-{CANARY}")
        trouble = workload.trouble() if workload else None
        if trouble is not None:
            raise StepFailedError(trouble.code, f"at {weight} %: {trouble.message}")
        self._confirm(f"at {weight} %: ")
        self._analyse(release, weight)

    def _analyse(self, release: Release, weight: int) -> None:
        if not self._settings.analysis:
            return
        values = {"commit": release.commit, "version": release.version, "environment": release.environment}
        argv = templates.fill(
            self._settings.analysis, {**values, "url": self._deployer.url(), "weight": str(weight)}
        )
        try:
            ask(argv, cwd=self._deployer.root, env=self._deployer.environ, within=self._settings.within)
        except ToolError as error:
            message = f"at {weight} %: {release.label} is not good enough: {error.message}"
            raise StepFailedError("health_check_failed", message) from error

    def _confirm(self, where: str = "") -> None:
        """The environment's own address, where one is known: readiness was waited for already."""
        health = self._settings.health
        if not (health.url or (health.path and self._deployer.url())):
            return
        reading = self._deployer.health(self._progress)
        if reading.healthy is False:
            raise StepFailedError("health_check_failed", f"{where}{reading.detail}")

    def _take_down(self) -> list[str]:
        """End a canary that was on its way up: what served before serves alone again."""
        name = f"{self._settings.deployment}-{CANARY}"
        workload = self._cluster.canary() if self._settings.manifests else None
        if workload is None:
            return []
        self._scale_stable(int(workload.annotations[REPLICAS]))
        self._delete_canary()
        self._waiting.until_complete(self._settings.deployment)
        return [f"Deployment/{name} was taken down"]

    def _delete_canary(self) -> None:
        name = f"{self._settings.deployment}-{CANARY}"
        self._kubectl.change("delete", "deployment", name, "--ignore-not-found", "--wait=false")

    def _stable_replicas(self) -> int:
        workload = self._cluster.workload(self._settings.deployment)
        return workload.wanted if workload is not None else 1

    def _scale_stable(self, replicas: int) -> None:
        patch = json.dumps({"spec": {"replicas": replicas}})
        self._kubectl.change(
            "patch",
            "deployment",
            self._settings.deployment,
            "--type=merge",
            f"--field-manager={FIELD_MANAGER}",
            f"--patch={patch}",
        )

    def _serves(self, name: str, release: Release) -> bool:
        workload = self._cluster.workload(name)
        if not runs(workload, release) or workload is None or workload.trouble() is not None:
            return False
        self._progress(f"{release.label} runs already")
        return True


def runs(workload: Workload | None, release: Release) -> bool:
    """Whether its newest revision has taken over, and is that release."""
    serving = workload.serving if workload is not None and workload.complete else None
    return serving is not None and release_of(serving)[0] == release.commit


def meant(workload: Workload) -> str:
    """The commit that it is to run."""
    template = workload.deployment["spec"]["template"]
    return release_of({"spec": {"template": template}})[0]


def _named(objects: list[Json]) -> str:
    return ", ".join(f"{each['kind']}/{each['metadata']['name']}" for each in objects)
