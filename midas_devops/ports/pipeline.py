"""PipelineHost: where CI/CD pipelines live."""

from __future__ import annotations

from typing import Literal, Protocol

from midas_devops.domain.base import Value


class PipelineFile(Value):
    """One file of a proposed pipeline. ``path`` is relative to the repository."""

    path: str
    text: str
    exists: bool = False
    """True when a file stands there now: it is never overwritten, whatever it holds."""


class PipelineProposal(Value):
    """A pipeline that passed validation, and the reasons for its parts."""

    repository: str
    platform: Literal["github-actions", "jenkins"]
    files: tuple[PipelineFile, ...]
    reasons: tuple[str, ...] = ()


class ProposalResult(Value):
    """Where the proposal stands now. ``changed`` is False when the same proposal was there already."""

    changed: bool
    branch: str = ""
    url: str = ""
    """Pull request, where the host has them."""
    commit: str = ""
    detail: str = ""


class PipelineHost(Protocol):
    """Proposes on a branch of its own; never touches another branch. Raises ``ToolError``, ``UsageError``."""

    def plan(self, repository_url: str, config_details: dict[str, object]) -> PipelineProposal:
        """Detect, render and validate. Reads only."""
        ...

    def check(self, proposal: PipelineProposal) -> None:
        """Whether it can be proposed as the branch stands now. Reads only. Raises ``BlockedError``."""
        ...

    def propose(self, proposal: PipelineProposal, *, run_id: str) -> ProposalResult: ...
    def find(self, proposal: PipelineProposal) -> ProposalResult | None:
        """The same proposal, where it was made before; None otherwise."""
        ...
