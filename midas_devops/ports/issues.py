"""OpensIssues: a tracker in which a problem gets an issue of its own, once."""

from __future__ import annotations

from typing import Protocol

from midas_devops.ports.tracker import Issue, IssueTracker


class OpensIssues(IssueTracker, Protocol):
    """An issue is found again by a hidden ``marker`` in its body. Raises ``RemoteError``."""

    def find_issue(self, marker: str, *, label: str) -> Issue | None:
        """The issue that carries the marker, open or closed; the oldest, if there are several."""
        ...

    def open_issue(self, title: str, body: str, *, marker: str, label: str) -> Issue:
        """A new issue. Of two that are opened at once the older one stays, and both calls return it."""
        ...
