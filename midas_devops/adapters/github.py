"""IssueTracker and ReleaseTracker on GitHub, by PyGithub."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeVar, get_args

from midas_devops.adapters.github_errors import ask_github, github_client
from midas_devops.config import Settings
from midas_devops.domain.comment_review import Role
from midas_devops.errors import ConfigError, RemoteError
from midas_devops.ports.tracker import Comment, Issue, ReleaseStatus

if TYPE_CHECKING:
    from github import Github
    from github.Deployment import Deployment
    from github.Issue import Issue as GitHubIssue
    from github.IssueComment import IssueComment
    from github.Repository import Repository

Answer = TypeVar("Answer")
Made = TypeVar("Made", bound="HasId")


class HasId(Protocol):
    """What GitHub has made, or knows."""

    @property
    def id(self) -> int: ...


PAGE = 100
LONGEST_COMMENT = 65_000
"""GitHub takes 65,536 characters."""
LONGEST_DESCRIPTION = 140
"""Of a status."""
_LOOKED_AT = 200
"""Deployments of an environment, newest first, among which ours is looked for."""
_MADE_INACTIVE = 5
_PAYLOAD_KEY = "midas_devops"
_MARK = "<!-- midas-devops:"
_POWERS: tuple[tuple[str, Role], ...] = (
    ("admin", "admin"),
    ("maintain", "maintain"),
    ("push", "write"),
    ("triage", "triage"),
    ("pull", "read"),
)


class GitHubTracker:
    """Implements ``ports.tracker.ReleaseTracker`` for one repository. Connects at first use.

    Raises ``RemoteError``.
    """

    def __init__(self, repository: str, token: str, api_url: str) -> None:
        self._repository = repository
        self._token = token
        self._api_url = api_url
        self._account: str | None = None
        self._opened: Github | None = None

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

    # issues

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
        """One comment per marker: a second call edits the first one's text.

        Only a comment of our own account is ours, and only where the marker is its end: a marker that stands
        in somebody's text, or in a text that we quote, leads nowhere.
        """
        hidden = f"{_MARK}{marker} -->"
        if len(body) > LONGEST_COMMENT:
            body = f"{body[:LONGEST_COMMENT]}\n\n[cut: the run's report has all of it]"
        text = f"{body}\n\n{hidden}"

        def comment() -> str:
            found = self._find(number)
            for earlier in found.get_comments():
                if (earlier.body or "").rstrip().endswith(hidden) and self._is_ours(earlier):
                    if _same_text(earlier.body, text):
                        return earlier.html_url
                    earlier.edit(text)
                    if not _same_text(earlier.body, text):
                        raise ValueError("the comment was not edited")
                    return earlier.html_url
            return _made(found.create_comment(text)).html_url

        return self._ask(f"comment on issue {number}", comment)

    def comments(self, number: int) -> list[Comment]:
        def read() -> list[Comment]:
            return [self._comment(comment) for comment in self._find(number).get_comments()]

        return self._ask(f"read the comments on issue {number}", read)

    def role(self, account: str) -> Role:
        def read() -> Role:
            from urllib.parse import quote

            repository = self._repo()
            path = f"{repository.url}/collaborators/{quote(account, safe='')}/permission"
            return _role(repository.requester.requestJsonAndCheck("GET", path)[1])

        try:
            return self._ask(f"read the permission of {account}", read, "metadata: read")
        except RemoteError as refused:
            if refused.reason == "not_found":
                return "none"
            raise

    def account(self) -> str:
        """Empty for a GitHub App's installation token, which may not ask."""
        if self._account is None:
            try:
                self._account = self._ask(
                    "ask whose token this is", lambda: _made(self._client().get_user()).login
                )
            except RemoteError as refused:
                if refused.reason not in ("forbidden", "not_found"):
                    raise
                self._account = ""
        return self._account

    # releases

    def record_deployment(self, status: ReleaseStatus) -> str:
        """https://docs.github.com/rest/deployments: the marker stands in the deployment's payload."""

        def record() -> str:
            repository = self._repo()
            known = list(islice(self._deployments(repository, status.environment), _LOOKED_AT))
            ours = next((made for made in known if _marker(made) == status.marker), None)
            if ours is None:
                ours = _made(
                    repository.create_deployment(
                        ref=status.commit,
                        auto_merge=False,
                        required_contexts=[],
                        payload={_PAYLOAD_KEY: status.marker, "version": status.version},
                        environment=status.environment,
                        description=_brief(f"{status.version} by midas-devops"),
                        transient_environment=False,
                        production_environment=status.production,
                    )
                )
            self._set_state(ours, status.state, status.description, status.environment_url)
            if status.state == "success":
                self._retire([made for made in known if made.id < ours.id])
            return ours.url

        return self._ask(f"record the deployment to {status.environment}", record, "deployments: write")

    def set_commit_status(
        self,
        commit: str,
        *,
        context: str,
        state: Literal["pending", "success", "failure", "error"],
        description: str,
        target_url: str = "",
    ) -> str:
        """https://docs.github.com/rest/commits/statuses"""
        brief = _brief(description)
        web = target_url if target_url.startswith(("https://", "http://")) else ""

        def record() -> str:
            found = self._repo().get_commit(commit)
            combined = found.get_combined_status()
            if combined.sha is None:
                raise ValueError("no commit status")
            for latest in combined.statuses:
                if latest.context == context and (latest.state, latest.description) == (state, brief):
                    return latest.url
            link = {"target_url": web} if web else {}
            return _made(found.create_status(state, description=brief, context=context, **link)).url

        return self._ask(f"set the status of {commit[:12]}", record, "commit statuses: write")

    def _set_state(self, of: Deployment, state: str, description: str, url: str) -> None:
        latest = next(iter(of.get_statuses()), None)
        brief = _brief(description)
        if latest is not None and latest.state == state and (latest.description or "") == brief:
            return
        web = {"environment_url": url} if url.startswith(("https://", "http://")) else {}
        # GitHub's own retiring passes production by; _retire does it for every environment.
        _made(of.create_status(state, description=brief, auto_inactive=False, **web))

    def _retire(self, earlier: list[Deployment]) -> None:
        for old in [made for made in earlier if _marker(made)][:_MADE_INACTIVE]:
            latest = next(iter(old.get_statuses()), None)
            if latest is not None and latest.state == "success":
                old.create_status("inactive", description="replaced", auto_inactive=False)

    @staticmethod
    def _deployments(repository: Repository, environment: str) -> Iterator[Deployment]:
        return iter(repository.get_deployments(environment=environment))

    def _comment(self, found: IssueComment) -> Comment:
        author = found.user  # None when the account was deleted
        marked = (found.body or "").rstrip().endswith("-->") and _MARK in (found.body or "")
        return Comment(
            comment_id=found.id,
            author=author.login if author else "",
            is_person=bool(author) and author.type == "User",
            ours=marked and self._is_ours(found),
            body=found.body or "",
            created_at=_utc(found.created_at),
            updated_at=_utc(found.updated_at),
            url=found.html_url,
        )

    def _is_ours(self, comment: IssueComment) -> bool:
        account = self.account()
        author = comment.user
        if author is None:
            return False
        # An installation token cannot ask for its name; what it writes is a program's.
        return author.login == account if account else author.type == "Bot"

    def _find(self, number: int) -> GitHubIssue:
        return self._repo().get_issue(number)

    def _repo(self) -> Repository:
        return self._client().get_repo(self._repository)

    def _client(self) -> Github:
        if self._opened is None:
            self._opened = github_client(self._token, self._api_url)
            self._opened.per_page = PAGE
        return self._opened

    def _ask(
        self, attempted: str, ask: Callable[[], Answer], needs: str = "issues: read and write"
    ) -> Answer:
        def read() -> Answer:
            try:
                return ask()
            except TypeError as odd:  # PyGithub, when a page of HTML stands where a list should be
                raise ValueError("no list") from odd

        return ask_github(f"{attempted} of {self._repository}", self._api_url, read, needs=needs)


def _made(answered: Made) -> Made:
    """PyGithub takes any page for an object: one without an id was never made."""
    if answered.id is None:
        raise ValueError("no id")
    return answered


def _issue(found: GitHubIssue) -> Issue:
    _made(found)
    return Issue(
        number=found.number,
        title=found.title,
        body=found.body or "",
        state="closed" if found.state == "closed" else "open",
        labels=tuple(label.name for label in found.labels),
        url=found.html_url,
    )


def _same_text(stored: str, text: str) -> bool:
    """GitHub stores a text as it comes, but for line ends."""
    return stored.replace("\r\n", "\n").strip() == text.strip()


def _role(told: Any) -> Role:
    """The highest of what is told: a custom role has a name of its own, but its powers are the known ones.

    https://docs.github.com/rest/collaborators/collaborators#get-repository-permissions-for-a-user
    """
    if "permission" not in told:
        raise ValueError("no permission")
    powers = (told.get("user") or {}).get("permissions")
    if isinstance(powers, dict):
        return next((role for power, role in _POWERS if powers.get(power) is True), "none")
    named = told.get("role_name") or told.get("permission")
    if named not in get_args(Role):
        named = told.get("permission")
    found: Role = next((role for role in get_args(Role) if role == named), "none")
    return found


def _marker(made: Deployment) -> str:
    from github import BadAttributeException

    try:
        payload = made.payload
    except BadAttributeException:  # a text: somebody else's deployment
        return ""
    return str(payload.get(_PAYLOAD_KEY, "")) if isinstance(payload, dict) else ""


def _brief(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_DESCRIPTION else f"{line[: LONGEST_DESCRIPTION - 1]}…"


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
