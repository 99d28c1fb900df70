"""Deployer: puts one commit on one environment and says what really runs there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, Self

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.base import Value

if TYPE_CHECKING:
    from midas_devops.ports.iac import Progress

DeployErrorCode = Literal[
    "source_unavailable",
    "build_failed",
    "start_failed",
    "health_check_failed",
    "port_in_use",
    "disk_full",
    "timed_out",
    "cancelled",
    "nothing_to_return_to",
    "image_pull_failed",
    "crash_loop",
    "unschedulable",
    "container_config",
    "conflict",
    "refused",
]
"""Why a deploy failed. ``container_config``: a container cannot be made (a secret that is not there).
``conflict``: somebody else owns what would be changed. ``refused``: the target did not take the change."""


class Release(Value):
    """One version to be put on an environment."""

    run_id: str
    environment: str
    version: str
    commit: str
    """Full hash."""

    @property
    def label(self) -> str:
        """What people call it."""
        return self.version or self.commit[:12]


class Running(Value):
    """What an environment really runs, as the deployer recorded it and the live system confirms."""

    commit: str
    version: str = ""
    url: str = ""
    since: str = ""
    """UTC, ISO 8601."""
    detail: str = ""
    """For a person: process id and port, revision…"""
    unfinished: bool = False
    """Whether a change of it was cut off and has something left to do: deploying it again ends it."""


class DeployFailure(Value):
    """Why a version could not be put there."""

    code: DeployErrorCode
    message: str


class DeployPlan(Value):
    """What a deploy or a rollback would do, found out without doing it."""

    effects: tuple[str, ...] = ()
    """The exact effects, in order."""
    details: ArtifactRef | None = None
    """What the target itself says would change (a private artifact); None when it cannot tell."""

    @classmethod
    def stays(cls, release: Release) -> Self:
        """The plan for what serves already."""
        what = f"leave {release.label} ({release.commit[:12]}) as it is: it serves already"
        return cls(effects=(f"{what}, and is started anew only if it is not healthy",))


class DeployResult(Value):
    """How a deploy or a rollback ended, and what serves now."""

    failure: DeployFailure | None = None
    serving: Running | None = None
    """What serves after it: the new version, the old one again, or None."""
    logs: tuple[ArtifactRef, ...] = ()
    """Output of build and of the candidate, raw and private."""


class HealthReading(Value):
    """One look at an environment from outside."""

    healthy: bool | None
    """None when it could not be measured."""
    detail: str
    attempts: int = 0
    elapsed_seconds: float = 0.0
    flapping: bool = False
    """It was not healthy in time, though some attempts passed."""


class Deployer(Protocol):
    """Bound to one environment. Every method can be called again after a crash."""

    def plan(self, release: Release) -> DeployPlan:
        """What :meth:`deploy` would do. Changes nothing. Raises ``ToolError`` when that cannot be told."""
        ...

    def plan_rollback(self, to: Release) -> DeployPlan:
        """What :meth:`rollback` would do; else as :meth:`plan`."""
        ...

    def deploy(self, release: Release, progress: Progress) -> DeployResult:
        """Put the release there. When it fails, what served before serves again if that was possible."""
        ...

    def status(self) -> Running | None:
        """What really runs; None when nothing does. Raises ``ToolError`` when that cannot be told."""
        ...

    def rollback(self, to: Release, progress: Progress) -> DeployResult:
        """Return to an earlier release. Does nothing when it already serves."""
        ...

    def health(self, progress: Progress) -> HealthReading:
        """Check the environment's own address until it is healthy or the configured time is over."""
        ...

    def url(self) -> str:
        """Where people reach the environment; empty when that is not known."""
        ...

    def logs(self) -> tuple[ArtifactRef, ...]:
        """Raw logs of what runs now, newest last; private artifacts."""
        ...
