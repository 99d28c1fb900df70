"""What a rollout works on: one environment of this machine with all that belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from midas_devops.adapters.local import logs
from midas_devops.adapters.local.record import Record, Service, State
from midas_devops.adapters.local.releases import Releases
from midas_devops.adapters.local.services import Services
from midas_devops.config import LocalDeploy
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.deployer import Running
from midas_devops.ports.source import Source


@dataclass(frozen=True)
class Target:
    """One environment: its settings, its note, its folders, its services."""

    environment: str
    settings: LocalDeploy
    url: str
    record: Record
    releases: Releases
    services: Services
    source: Source
    artifacts: Artifacts
    verified: Callable[[str], bool]
    redact: Callable[[str], str]

    @property
    def stop_within(self) -> float:
        """Seconds between SIGTERM and SIGKILL."""
        return self.settings.stop_within.total_seconds()

    def address(self, port: int) -> str:
        """Where the health of a service on this port is asked for."""
        return f"http://127.0.0.1:{port}{self.settings.health.path or '/'}"

    def values(self, commit: str, version: str, port: int) -> dict[str, str]:
        """What the placeholders of an argv stand for."""
        return {"port": str(port), "version": version, "commit": commit, "environment": self.environment}

    def serving(self, state: State) -> Service | None:
        """What serves: on record, alive, and itself the one that listens. In a switch the new one first."""
        launching = state.launching
        candidates = (launching if launching and launching.role == "service" else None, state.serving)
        for service in candidates:
            located = self.services.located(service)
            if self.services.serves(located):
                return located
        return self.services.unrecorded(self.settings.port) if state.is_empty else None

    def running(self, service: Service | None) -> Running | None:
        """The port's view of a service."""
        if service is None:
            return None
        return Running(
            commit=service.commit,
            version=service.version,
            url=self.url,
            since=service.started_at,
            detail=f"process {service.pid}, port {service.port}",
        )

    def keep_log(self, service: Service) -> ArtifactRef | None:
        """Its output so far, as a private artifact. Raises ``StorageError``."""
        name = f"{self.environment}-{service.version or service.commit[:12]}-{service.role}.log"
        return logs.keep(self.services.log(service), name, self.artifacts)
