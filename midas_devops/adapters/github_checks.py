"""A commit's check runs and statuses on GitHub, as results of a gate.

https://docs.github.com/rest/checks/runs and https://docs.github.com/rest/commits/statuses
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self

from midas_devops.adapters.github_errors import ask_github, github_client
from midas_devops.adapters.junit import parse_time
from midas_devops.config import Settings
from midas_devops.domain.digest import canonical_json, sha256_hex
from midas_devops.errors import ConfigError, RemoteError
from midas_devops.ports.results import Check, CheckReading, ReadErrorCode, ReadFailure

if TYPE_CHECKING:
    from github import Github

State = Literal["passed", "failed", "inconclusive", "errored", "skipped"]

PAGE = 100
MOST_PAGES = 20
OURS = "midas-devops"
"""Statuses that this program sets begin with it; a release that waits for its own would wait for ever."""

# https://docs.github.com/pull-requests/collaborating-with-pull-requests/collaborating-on-repositories-with-code-quality-features/about-status-checks
# "successful, skipped, or neutral" let a pull request be merged.
CONCLUSIONS: dict[str, tuple[State, str]] = {
    "success": ("passed", "succeeded"),
    "neutral": ("skipped", "ended neutral"),
    "skipped": ("skipped", "was skipped"),
    "failure": ("failed", "failed"),
    "timed_out": ("failed", "timed out"),
    "startup_failure": ("errored", "could not be started"),
    "action_required": ("inconclusive", "needs a person on GitHub"),
    "cancelled": ("inconclusive", "was cancelled"),
    "stale": ("inconclusive", "was given up by GitHub after 14 days"),
}
STATES: dict[str, tuple[State, str]] = {
    "success": ("passed", "succeeded"),
    "failure": ("failed", "failed"),
    "error": ("errored", "ended with an error"),
    "pending": ("inconclusive", "is pending"),
}
_ABSENT = frozenset({"not_found", "gone", "refused"})


class GitHubChecks:
    """Reads both kinds for exactly one commit. Connects at each reading."""

    def __init__(self, repository: str, token: str, api_url: str) -> None:
        self._repository = repository
        self._token = token
        self._api_url = api_url

    @classmethod
    def from_settings(cls, settings: Settings, environ: Mapping[str, str]) -> Self:
        """Raises ``ConfigError`` when the repository or the token of ``[tracker]`` is missing."""
        tracker = settings.tracker
        if not settings.project.repository:
            raise ConfigError(
                "GitHub's checks need the repository",
                hint='Set repository = "owner/name" in [project].',
                location="midas.toml: project.repository",
            )
        token = environ.get(tracker.token_env, "")
        if not token:
            raise ConfigError(
                f"GitHub's checks need a token in {tracker.token_env}, and it is not set",
                hint="Set the variable; the token needs: checks: read, commit statuses: read.",
                location="midas.toml: tracker.token_env",
            )
        return cls(settings.project.repository, token, tracker.api_url)

    def read(self, commit: str) -> CheckReading:
        """All checks of this commit. An outage is ``unavailable``, an unknown commit ``missing``."""
        base = f"/repos/{self._repository}/commits/{commit}"
        client = github_client(self._token, self._api_url)
        try:
            runs = _Listed(self._pages(client, f"{base}/check-runs", "check_runs"))
            statuses = _Listed(self._pages(client, f"{base}/status", "statuses"))
        except RemoteError as refused:
            code: ReadErrorCode = "missing" if refused.reason in _ABSENT else "unavailable"
            return CheckReading(failure=ReadFailure(code=code, message=refused.message))
        finally:
            client.close()
        foreign = {str(run["head_sha"]) for run in runs.items} - {commit}
        foreign |= {sha for sha in statuses.commits if sha != commit}
        ours = [run for run in runs.items if not str(run["name"]).startswith(OURS)]
        told = [status for status in statuses.items if not str(status["context"]).startswith(OURS)]
        times = [moment for moment in (*map(_ended, ours), *map(_updated, told)) if moment is not None]
        facts = [[run["name"], run["id"], run["status"], run["conclusion"]] for run in ours]
        facts += [[status["context"], status["id"], status["state"]] for status in told]
        return CheckReading(
            commit=min(foreign, default=commit),
            bound_by="check",
            checks=(*map(_of_run, ours), *map(_of_status, told)),
            incomplete=runs.incomplete or statuses.incomplete,
            measured_at=min(times, default=None),
            newest_at=max(times) if len(times) > 1 else None,
            evidence=(f"{self._api_url}{base}/check-runs", f"{self._api_url}{base}/status"),
            sha256=sha256_hex(canonical_json(sorted(facts, key=str))),
        )

    def _pages(self, client: Github, path: str, key: str) -> Callable[[int], dict[str, Any]]:
        attempted = f"read the checks of a commit of {self._repository}"

        def ask(page: int) -> dict[str, Any]:
            _, answer = client.requester.requestJsonAndCheck(
                "GET", path, parameters={"per_page": PAGE, "page": page}
            )
            return {
                "total": int(answer["total_count"]),
                "items": [_known(item, key) for item in answer[key]],
                "sha": str(answer.get("sha", "")),
            }

        def page(number: int) -> dict[str, Any]:
            try:
                return ask_github(
                    attempted, self._api_url, lambda: ask(number), needs="checks: read, commit statuses: read"
                )
            except (KeyError, TypeError, AttributeError) as odd:
                raise RemoteError(
                    f"could not {attempted} at {self._api_url}: the answer is not what GitHub's API gives",
                    reason="unreadable",
                    hint="Does tracker.api_url in midas.toml name GitHub's API?",
                ) from odd

        return page


class _Listed:
    """Every page of one listing, and why that is not all of it."""

    def __init__(self, page: Callable[[int], dict[str, Any]]) -> None:
        self.items: list[dict[str, Any]] = []
        self.commits: set[str] = set()
        self.incomplete = ""
        for number in range(1, MOST_PAGES + 1):
            answer = page(number)
            self.items += answer["items"]
            self.commits |= {answer["sha"]} - {""}
            if len(self.items) >= answer["total"]:
                return
            if not answer["items"]:
                break
        self.incomplete = f"GitHub listed {len(self.items)} checks of {answer['total']}"


_FIELDS: dict[str, tuple[str, ...]] = {
    "check_runs": ("id", "name", "head_sha", "status", "conclusion", "completed_at"),
    "statuses": ("id", "context", "state", "updated_at"),
}


def _known(item: dict[str, Any], key: str) -> dict[str, Any]:
    """The fields that are read. Raises ``KeyError`` when one is not there: an empty one would pass."""
    return {**{field: item[field] for field in _FIELDS[key]}, "url": str(item.get("html_url") or "")}


def _of_run(run: dict[str, Any]) -> Check:
    if run["status"] != "completed":
        state, said = "inconclusive", f"is {str(run['status']).replace('_', ' ')}"
    else:
        conclusion = str(run["conclusion"])
        state, said = CONCLUSIONS.get(conclusion, ("inconclusive", f"ended '{conclusion}'"))
    return Check.model_validate({"name": run["name"], "state": state, "detail": said, "url": run["url"]})


def _of_status(status: dict[str, Any]) -> Check:
    state, said = STATES.get(str(status["state"]), ("inconclusive", f"is '{status['state']}'"))
    return Check.model_validate({"name": status["context"], "state": state, "detail": said})


def _ended(run: dict[str, Any]) -> datetime | None:
    return parse_time(str(run["completed_at"])) if run["completed_at"] else None


def _updated(status: dict[str, Any]) -> datetime | None:
    return parse_time(str(status["updated_at"])) if status["updated_at"] else None
