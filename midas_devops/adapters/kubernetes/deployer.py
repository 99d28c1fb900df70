"""The ``kubernetes`` deployer: applies a release, says what really runs, and returns to a named revision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from midas_devops.adapters.at_work import AtWork
from midas_devops.adapters.health import wait_until_healthy
from midas_devops.adapters.kubernetes.change import Change
from midas_devops.adapters.kubernetes.cluster import Cluster
from midas_devops.adapters.kubernetes.kubectl import Kubectl
from midas_devops.adapters.kubernetes.manifests import PLACEHOLDERS, Manifests
from midas_devops.adapters.kubernetes.planning import Planning
from midas_devops.adapters.kubernetes.waiting import Waiting
from midas_devops.adapters.kubernetes.workload import Workload, release_of
from midas_devops.adapters.local import logs, templates
from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.adapters.local.journal import StepFailedError
from midas_devops.config import KubernetesDeploy
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.deployer import DeployPlan, DeployResult, HealthReading, Release, Running
from midas_devops.ports.iac import Progress
from midas_devops.ports.source import Source

_ANALYSIS = (*PLACEHOLDERS, "url", "weight")


class KubernetesDeployer:
    """Puts releases on one Deployment of a named context and namespace.

    ``home`` holds the note of a kubectl at work, ``log_folder`` what is sent and received for a moment.
    Credentials come from ``environ`` (``KUBECONFIG``). The release a revision belongs to stands in
    annotations of its pod template: commit, version, and the images that were meant.

    Raises ``ConfigError`` for an unknown placeholder.
    """

    def __init__(
        self,
        environment: str,
        settings: KubernetesDeploy,
        *,
        root: Path,
        home: Path,
        source: Source,
        artifacts: Artifacts,
        environ: Mapping[str, str],
        url: str = "",
        redact: Callable[[str], str] = lambda text: text,
        log_folder: Path | None = None,
    ) -> None:
        where = f"environments.{environment}.deploy"
        templates.check((settings.image,), PLACEHOLDERS, f"{where}.image")
        templates.check(settings.analysis, _ANALYSIS, f"{where}.analysis")
        scratch = log_folder or logs.private_log_folder(home, environment)
        self.environment = environment
        self.settings = settings
        self.root = root
        self.environ = dict(environ)
        self.redact = redact
        self.commands = AtWork(home / "kubectl.json", scratch / "kubectl.log", settings.within)
        self.kubectl = Kubectl(
            settings, root=root, environ=self.environ, scratch=scratch, commands=self.commands, redact=redact
        )
        self.manifests = Manifests(environment, settings, source, scratch)
        self.cluster = Cluster(environment, settings, self.kubectl, artifacts)
        self._artifacts = artifacts
        self._url = url

    def plan(self, release: Release) -> DeployPlan:
        """What the API server itself says would change (a dry run on it), and the steps.

        Raises ``ToolError`` where it would refuse the change: invalid, forbidden, owned by somebody else.
        """
        return self._planned(*Planning(self).of(release))

    def plan_rollback(self, to: Release) -> DeployPlan:
        """As :meth:`plan`: the slot that still runs it, its manifests, or the revision that carries it."""
        return self._planned(*Planning(self).back_to(to))

    def deploy(self, release: Release, progress: Progress) -> DeployResult:
        """Apply it and wait until it has taken over, in steps where there are some. Raises ``ToolError``."""
        with Interrupts() as interrupts:
            return Change(self, interrupts, progress).deploy(release)

    def rollback(self, to: Release, progress: Progress) -> DeployResult:
        """At once: the slot that still runs it, its manifests, or the revision that carries it."""
        with Interrupts() as interrupts:
            return Change(self, interrupts, progress).rollback(to)

    def status(self) -> Running | None:
        """The release of the pods that answer, as their revision is marked. Raises ``ToolError``.

        A new revision counts once its rollout is complete. An image that was set by hand is no release:
        the commit is empty then, and the version names the image.
        """
        workload = self.cluster.workload(self.cluster.live_name())
        serving = workload.serving if workload else None
        if workload is None or serving is None:
            return None
        commit, version = release_of(serving)
        ready = int(serving["status"].get("readyReplicas", 0))
        return Running(
            commit=commit,
            version=version,
            url=self.url(),
            since=str(serving["metadata"]["creationTimestamp"]),
            detail=f"{workload.name}: {ready} of {workload.wanted} pods are ready"
            + ("" if workload.complete else "; another revision is on its way"),
            unfinished=bool(self.settings.canary) and self.cluster.canary() is not None,
        )

    def health(self, progress: Progress) -> HealthReading:
        """``health.url``, or ``health.path`` below the environment's url; without, the pods' readiness."""
        settings = self.settings
        address = settings.health.url.replace("{url}", self._url.rstrip("/"))
        if not address and settings.health.path and self._url:
            address = self._url.rstrip("/") + settings.health.path
        if not address:
            return self._readiness(progress)
        health = settings.health
        reading = wait_until_healthy(
            address, status=health.status, within=health.within, successes=health.successes
        )
        reading = reading.model_copy(update={"detail": self.redact(reading.detail)})
        progress(f"health of {self.environment}: {reading.detail}")
        return reading

    def url(self) -> str:
        """The configured address; empty when there is none."""
        return self._url

    def logs(self) -> tuple[ArtifactRef, ...]:
        """Output of the pods that serve."""
        return self.cluster.output(self.cluster.live_name())

    def _planned(self, effects: list[str], details: str | None) -> DeployPlan:
        kept = None
        if details is not None:
            name = f"{self.environment}-diff.txt"
            kept = self._artifacts.put(details.encode(), name, private=True)
        return DeployPlan(effects=tuple(self.redact(line) for line in effects), details=kept)

    def _readiness(self, progress: Progress) -> HealthReading:
        within = self.settings.health.within.total_seconds()
        try:
            with Interrupts() as interrupts:
                name = self.cluster.live_name()
                if self.cluster.workload(name) is None:
                    return HealthReading(healthy=False, detail=f"there is no Deployment/{name}", attempts=1)
                workload = Waiting(self.cluster, within, interrupts, progress).until_complete(name)
        except StepFailedError as failed:
            return HealthReading(healthy=False, detail=self.redact(failed.failure.message), attempts=1)
        return HealthReading(healthy=True, detail=_words(workload), attempts=1)


def _words(workload: Workload) -> str:
    return f"{workload.ready_of_newest} of {workload.wanted} pods of {workload.name} are ready"
