"""IssueTracker on GitHub, by PyGithub."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, Self, TypeVar

from midas_devops.config import Settings
from midas_devops.errors import ConfigError, ToolError
from midas_devops.ports.tracker import Issue

if TYPE_CHECKING:
    from github import Github
    from github.Issue import Issue as GitHubIssue

Answer = TypeVar("Answer")

TIMEOUT_SECONDS = 15


class GitHubTracker:
    """Implements ``ports.tracker.IssueTracker`` for one repository. Connects at first use."""

    def __init__(self, repository: str, token: str, api_url: str) -> None:
        self._repository = repository
        self._token = token
        self._api_url = api_url

    @classmethod
    def from_settings(cls, settings: Settings, environ: Mapping[str, str]) -> Self:
        """Raises ``ConfigError`` when the repository or the token is missing."""
        if not settings.project.repository:
            raise ConfigError(
                "the GitHub tracker needs the repository",
                hint='Set repository = "owner/name" in [project], or using = "none" in [tracker].',
                location="midas.toml: project.repository",
            )
        token = environ.get(settings.tracker.token_env, "")
        if not token:
            raise ConfigError(
                f"the GitHub tracker needs a token in {settings.tracker.token_env}",
                hint='Set the variable, or using = "none" in [tracker].',
                location="midas.toml: tracker.token_env",
            )
        return cls(settings.project.repository, token, settings.tracker.api_url)

    def get_issue(self, number: int) -> Issue:
        return self._ask(f"read issue {number}", lambda: _issue(self._find(number)))

    def update_issue(
        self,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        state: Literal["open", "closed"] | None = None,
        labels: tuple[str, ...] | None = None,
    ) -> Issue:
        changes: dict[str, object] = {"title": title, "body": body, "state": state}
        if labels is not None:
            changes["labels"] = list(labels)
        changes = {key: value for key, value in changes.items() if value is not None}

        def update() -> Issue:
            found = self._find(number)
            found.edit(**changes)  # type: ignore[arg-type]  # keywords of one call, typed one by one there
            return _issue(found)

        return self._ask(f"update issue {number}", update)

    def add_issue_comment(self, number: int, body: str, *, marker: str) -> str:
        """One comment per marker: a second call edits the first one's text."""
        hidden = f"<!-- midas-devops:{marker} -->"
        text = f"{body}\n\n{hidden}"

        def comment() -> str:
            found = self._find(number)
            for earlier in found.get_comments():
                if hidden in (earlier.body or ""):
                    if earlier.body != text:
                        earlier.edit(text)
                    return earlier.html_url
            return found.create_comment(text).html_url

        return self._ask(f"comment on issue {number}", comment)

    def _find(self, number: int) -> GitHubIssue:
        return self._client().get_repo(self._repository).get_issue(number)

    def _client(self) -> Github:
        from github import Auth, Github

        return Github(
            auth=Auth.Token(self._token),
            lazy=True,
            base_url=self._api_url,
            timeout=TIMEOUT_SECONDS,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
        )

    def _ask(self, attempted: str, ask: Callable[[], Answer]) -> Answer:
        from github import GithubException
        from requests import RequestException

        where = f"{self._repository} at {self._api_url}"
        try:
            return ask()
        except GithubException as refused:
            said = refused.data.get("message", "") if isinstance(refused.data, dict) else ""
            raise ToolError(
                f"could not {attempted} of {where}: {refused.status} {said}".rstrip(),
                hint="Check the token's permissions and the rate limit.",
            ) from refused
        except RequestException as away:
            raise ToolError(
                f"could not {attempted} of {where}: {type(away).__name__}",
                hint="Is GitHub reachable from here?",
            ) from away


def _issue(found: GitHubIssue) -> Issue:
    return Issue(
        number=found.number,
        title=found.title,
        body=found.body or "",
        state="closed" if found.state == "closed" else "open",
        labels=tuple(label.name for label in found.labels),
        url=found.html_url,
    )
