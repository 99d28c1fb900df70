"""IssueTracker: where people follow a change."""

from __future__ import annotations

from typing import Literal, Protocol

from midas_devops.domain.base import Value


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
