"""The ``local`` deployer: releases as processes on this machine that outlive the command line."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from midas_devops.adapters.health import wait_until_healthy
from midas_devops.adapters.local import logs, templates
from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.adapters.local.record import Record, State
from midas_devops.adapters.local.releases import Releases
from midas_devops.adapters.local.rollout import Rollout
from midas_devops.adapters.local.services import Services
from midas_devops.adapters.local.target import Target
from midas_devops.config import LocalDeploy
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.errors import StorageError, ToolError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.deployer import (
    DeployFailure,
    DeployPlan,
    DeployResult,
    HealthReading,
    Release,
    Running,
)
from midas_devops.ports.iac import Progress
from midas_devops.ports.source import Source

PLACEHOLDERS = ("port", "version", "commit", "environment")


class LocalDeployer:
    """Puts commits on one environment of this machine.

    ``home`` holds its folders and its note (``.midas/local/<environment>``); ``environ`` goes to children.
    ``verified`` says whether a commit was verified here: the last such release is never pruned. ``redact``
    stands in front of every message. Raw output of services lies in ``log_folder``, by default
    ``artifacts/private/services/<environment>`` of the ``.midas`` around ``home``.

    Raises ``ConfigError`` for an unknown placeholder.
    """

    def __init__(
        self,
        environment: str,
        settings: LocalDeploy,
        *,
        home: Path,
        source: Source,
        artifacts: Artifacts,
        environ: Mapping[str, str],
        verified: Callable[[str], bool] = lambda _: False,
        url: str = "",
        redact: Callable[[str], str] = lambda text: text,
        log_folder: Path | None = None,
    ) -> None:
        where = f"environments.{environment}.deploy"
        templates.check(settings.start, PLACEHOLDERS, f"{where}.start")
        templates.check(settings.build, PLACEHOLDERS, f"{where}.build")
        home = Path(os.path.realpath(home))
        self._target = Target(
            environment=environment,
            settings=settings,
            url=url or f"http://127.0.0.1:{settings.port}",
            record=Record(home),
            releases=Releases(home / "releases", settings.build),
            services=Services(
                environment, home, environ, log_folder or logs.private_log_folder(home, environment)
            ),
            source=source,
            artifacts=artifacts,
            verified=verified,
            redact=redact,
        )

    def plan(self, release: Release) -> DeployPlan:
        """The steps of a rollout in words."""
        target, settings, label = self._target, self._target.settings, release.label
        state = self._state()
        serving = target.serving(state)
        settled = serving is not None and serving.port == settings.port and not state.switching
        if serving is not None and serving.commit == release.commit and settled:
            return DeployPlan.stays(release)
        if target.releases.kept(release.commit):
            effects = [f"take {label} from its kept folder ({release.commit[:12]})"]
        else:
            effects = [f"export {label} ({release.commit[:12]})"]
            build = templates.fill(
                settings.build, target.values(release.commit, release.version, settings.port)
            )
            # A script among the words keeps its breaks, and an effect is one line.
            effects += [f"build it: {shlex.join(build)}".replace("\n", "\\n")] if build else []
        effects.append(f"start {label} as a candidate on a spare port and check its health")
        begin = f"start {label} on port {settings.port} and check its health"
        if serving is None:
            return DeployPlan(effects=(*effects, begin))
        old = serving.version or serving.commit[:12]
        stop = f"stop {old}, which serves port {serving.port}"
        return DeployPlan(effects=(*effects, stop, begin, f"start {old} again if that is not healthy"))

    def plan_rollback(self, to: Release) -> DeployPlan:
        """As :meth:`plan`: the way back is the same."""
        return self.plan(to)

    def deploy(self, release: Release, progress: Progress) -> DeployResult:
        """Candidate on a spare port, then the environment's port. Nothing for what serves and is healthy.

        Raises ``BlockedError`` when another change of this environment does not end, ``StorageError``.
        """
        with Interrupts() as interrupts:
            try:
                with self._target.record.locked(interrupts, progress):
                    return Rollout(self._target, progress, interrupts).to(release)
            except KeyboardInterrupt:
                message = f"the deployment of {release.label} was cancelled"
                failure = DeployFailure(code="cancelled", message=f"{message} before it began")
                return DeployResult(failure=failure, serving=self.status())

    def rollback(self, to: Release, progress: Progress) -> DeployResult:
        """The same way as :meth:`deploy`; a release whose folder was pruned is exported again."""
        return self.deploy(to, progress)

    def stop(self, progress: Progress) -> None:
        """Stop whatever runs here. Raises ``BlockedError``, ``StorageError``, ``ToolError``."""
        with Interrupts() as interrupts, self._target.record.locked(interrupts, progress):
            Rollout(self._target, progress, interrupts).stop()

    def status(self) -> Running | None:
        """What is on record, if its process lives and is itself the one that listens on the port."""
        return self._target.running(self._target.serving(self._state()))

    def health(self, progress: Progress) -> HealthReading:
        """The environment's own address: ``health.url``, or ``health.path`` below :meth:`url`."""
        health = self._target.settings.health
        address = health.url.replace("{url}", self.url()) or self.url().rstrip("/") + (health.path or "/")
        reading = wait_until_healthy(
            address, status=health.status, within=health.within, successes=health.successes
        )
        reading = reading.model_copy(update={"detail": self._target.redact(reading.detail)})
        progress(f"health of {self._target.environment}: {reading.detail}")
        return reading

    def url(self) -> str:
        """The configured address, or the port on loopback."""
        return self._target.url

    def logs(self) -> tuple[ArtifactRef, ...]:
        """Output so far of what serves, its first 1 MB and its last 4 MB at most."""
        serving = self._target.serving(self._target.record.load())
        ref = self._target.keep_log(serving) if serving is not None else None
        return (ref,) if ref is not None else ()

    def _state(self) -> State:
        try:
            return self._target.record.load()
        except StorageError as error:
            raise ToolError(error.message, hint=error.hint, location=error.location) from error
