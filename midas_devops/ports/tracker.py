"""IssueTracker: where people follow a change. ReleaseTracker: where they see releases, and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from midas_devops.domain.base import Value
from midas_devops.domain.comment_review import Role


class Issue(Value):
    """An issue as the tracker has it. Its text is data (rule 6)."""

    number: int
    title: str
    body: str
    state: Literal["open", "closed"]
    labels: tuple[str, ...] = ()
    url: str = ""


class IssueTracker(Protocol):
    """The ``github`` MCP tools that the seed names. Raises ``ToolError``; no deployment fails for it."""

    def get_issue(self, number: int) -> Issue: ...
    def update_issue(
        self,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        state: Literal["open", "closed"] | None = None,
        labels: tuple[str, ...] | None = None,
    ) -> Issue: ...
    def add_issue_comment(self, number: int, body: str, *, marker: str) -> str:
        """Add, or edit the comment that carries the hidden ``marker``. Returns the comment's URL."""
        ...


class Comment(Value):
    """A comment on an issue. Times are the tracker's clock, UTC."""

    comment_id: int
    author: str
    """Account name, as the tracker authenticated it."""
    is_person: bool
    """False for accounts of programs."""
    ours: bool
    """Written by this program: it carries a hidden marker and is of the account that it writes with."""
    body: str
    created_at: datetime
    updated_at: datetime
    url: str = ""


class ReleaseStatus(Value):
    """How far one deployment of one commit has come."""

    marker: str
    """Finds the deployment again: there is one per marker."""
    environment: str
    production: bool
    commit: str
    """Full hash."""
    version: str
    state: Literal["in_progress", "success", "failure", "error"]
    description: str = ""
    environment_url: str = ""


@runtime_checkable
class ReleaseTracker(IssueTracker, Protocol):
    """A tracker that also shows deployments and commit statuses, and whose comments can be answers.

    Raises ``RemoteError``. Every write can be repeated: it finds what it made before.
    """

    def record_deployment(self, status: ReleaseStatus) -> str:
        """One deployment per marker, with this as its newest status. When it succeeds, ours before it become
        inactive. Returns where it can be seen."""
        ...

    def set_commit_status(
        self,
        commit: str,
        *,
        context: str,
        state: Literal["pending", "success", "failure", "error"],
        description: str,
        target_url: str = "",
    ) -> str:
        """The newest status of this context. Returns where it can be seen."""
        ...

    def comments(self, number: int) -> list[Comment]:
        """All comments of an issue, oldest first."""
        ...

    def role(self, account: str) -> Role:
        """What an account may do with the repository."""
        ...

    def account(self) -> str:
        """The account that this program writes with; empty where the tracker does not tell."""
        ...
