"""Requests, run statuses and what a finished run means for a script."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from midas_devops.domain.base import Value


class Operation(StrEnum):
    """What a run does. The names are the seed's interfaces."""

    DEPLOY_RELEASE = "deploy_release"
    MANAGE_INFRASTRUCTURE = "manage_infrastructure"
    SETUP_PIPELINE = "setup_pipeline"


class InfraAction(StrEnum):
    """What may be asked of an infrastructure configuration."""

    PLAN = "plan"
    APPLY = "apply"
    DESTROY = "destroy"


class RunStatus(StrEnum):
    """Every state a run can be seen in, from outside."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    REVERTED = "reverted"
    AWAITING_APPROVAL = "awaiting_approval"
    REJECTED = "rejected"
    BLOCKED = "blocked"
    INCONCLUSIVE = "inconclusive"

    @property
    def finished(self) -> bool:
        """True when nothing can continue this run any more."""
        return self not in _OPEN


_OPEN = frozenset({RunStatus.RUNNING, RunStatus.INTERRUPTED, RunStatus.AWAITING_APPROVAL})

EXIT_CODES: dict[RunStatus, int] = {
    RunStatus.SUCCEEDED: 0,
    RunStatus.FAILED: 1,
    RunStatus.INCONCLUSIVE: 1,
    RunStatus.RUNNING: 1,
    RunStatus.INTERRUPTED: 1,
    RunStatus.AWAITING_APPROVAL: 3,
    RunStatus.BLOCKED: 4,
    RunStatus.REJECTED: 4,
    RunStatus.ROLLED_BACK: 5,
    RunStatus.REVERTED: 5,
}
"""Process exit code of each status. 2 is kept for usage and configuration errors."""


class ReleaseRequest(Value):
    """Put one version of the project on one environment."""

    operation: Literal[Operation.DEPLOY_RELEASE] = Operation.DEPLOY_RELEASE
    environment: str
    version: str
    """Tag, branch or commit, as the person wrote it. Empty in a rollback: the last verified one before."""
    rollback: bool = False
    """Return to a version that was verified there."""
    reason: str = ""
    """Why a rollback leaves what runs now; it blocks that version. Empty: it is not blocked."""
    requested_by: str
    issue_number: int | None = None


class InfrastructureRequest(Value):
    """Plan, apply or destroy one infrastructure configuration."""

    operation: Literal[Operation.MANAGE_INFRASTRUCTURE] = Operation.MANAGE_INFRASTRUCTURE
    environment: str
    action: InfraAction
    config: str
    """Folder, or a file in it, relative to the project."""
    variables: dict[str, str] = {}
    var_files: tuple[str, ...] = ()
    """Relative to the project."""
    targets: tuple[str, ...] = ()
    plan_file: str = ""
    """A plan that was saved with the engine itself, to be carried out instead of one of ours."""
    requested_by: str
    issue_number: int | None = None


class PipelineRequest(Value):
    """Propose a CI/CD pipeline for a repository."""

    operation: Literal[Operation.SETUP_PIPELINE] = Operation.SETUP_PIPELINE
    environment: str = "repository"
    repository_url: str
    config_details: dict[str, Any] = Field(default_factory=dict)
    requested_by: str
    issue_number: int | None = None


Request = Annotated[
    ReleaseRequest | InfrastructureRequest | PipelineRequest, Field(discriminator="operation")
]


def parse_request(data: object) -> ReleaseRequest | InfrastructureRequest | PipelineRequest:
    """Read a request from plain data. Raises ``pydantic.ValidationError`` when it is not one."""
    return _adapter().validate_python(data)


@cache
def _adapter() -> TypeAdapter[ReleaseRequest | InfrastructureRequest | PipelineRequest]:
    """Made once, and not at import: every node reads the request several times."""
    return TypeAdapter(Request)
