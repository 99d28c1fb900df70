"""Issues that are opened once: found again by a hidden marker, also when two processes open them at once."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from midas_devops.adapters.github import GitHubTracker, _issue
from midas_devops.ports.tracker import Issue

if TYPE_CHECKING:
    from github.Issue import Issue as GitHubIssue

MOST_LOOKED_AT = 3000
"""Issues without the label that are looked through, newest first, before one is opened."""
_ANY = "<!-- midas-devops:"
_SPEAKS_FOR_IT = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})


class GitHubOpenedIssues(GitHubTracker):
    """Implements ``ports.issues.OpensIssues``."""

    _marked: list[GitHubIssue] | None = None

    def find_issue(self, marker: str, *, label: str) -> Issue | None:
        def find() -> Issue | None:
            hidden = _hidden(marker)
            found = self._oldest(self._labelled(label), hidden) or self._oldest(self._all(), hidden)
            return _issue(found) if found is not None else None

        return self._ask(f"look for the issue about {marker}", find)

    def open_issue(self, title: str, body: str, *, marker: str, label: str) -> Issue:
        def create() -> Issue:
            made = self._repo().create_issue(title, body=f"{body}\n\n{_hidden(marker)}", labels=[label])
            first = self._oldest(self._labelled(label), _hidden(marker))
            if first is None or first.number >= made.number:
                return _issue(made)
            # Somebody else opened it between our look and our write: theirs stays.
            made.edit(state="closed", state_reason="not_planned")
            return _issue(first)

        return self._ask(f"open the issue about {marker}", create)

    def _labelled(self, label: str) -> list[GitHubIssue]:
        return list(self._repo().get_issues(state="all", labels=[label]))

    def _all(self) -> list[GitHubIssue]:
        """Those with a marker of ours, listed once: GitHub drops the labels of a token that may not write."""
        if self._marked is None:
            every = islice(self._repo().get_issues(state="all", sort="created"), MOST_LOOKED_AT)
            self._marked = [issue for issue in every if _ANY in (issue.body or "")]
        return self._marked

    def _oldest(self, issues: Iterable[GitHubIssue], hidden: str) -> GitHubIssue | None:
        found = (issue for issue in issues if self._is_it(issue, hidden))
        return min(found, key=lambda issue: issue.number, default=None)

    def _is_it(self, issue: GitHubIssue, hidden: str) -> bool:
        """Anybody may write our marker into an issue of a public repository: such a one is not ours."""
        if hidden not in (issue.body or "") or "/pull/" in issue.html_url:
            return False
        if issue.user is None:
            return False
        if issue.author_association in _SPEAKS_FOR_IT:
            return True
        account = self.account()
        return issue.user.login == account if account else issue.user.type == "Bot"


def _hidden(marker: str) -> str:
    return f"{_ANY}{marker} -->"
