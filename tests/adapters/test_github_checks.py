"""GitHub's check runs and commit statuses, from a server on loopback that answers as its REST API says.

Shapes: ``check-run`` and ``combined-commit-status`` of https://github.com/github/rest-api-description
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from midas_devops.adapters.github_checks import GitHubChecks
from midas_devops.config import Project, Settings, Tracker
from midas_devops.domain.check_rules import judge_checks
from midas_devops.domain.gates import GateResult, Verdict
from midas_devops.errors import ConfigError
from midas_devops.testing.results import COMMIT, OTHER, CheckResultsConformance, PublishedChecks

REPOSITORY = "acme/orders"
NOW = datetime.now(UTC)


class GitHubServer(ThreadingHTTPServer):
    """Checks of commits, kept as GitHub lists them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.runs: dict[str, list[dict[str, Any]]] = {}
        self.statuses: dict[str, list[dict[str, Any]]] = {}
        self.fail_with: tuple[int, dict[str, str]] | None = None
        self.page_limit = 100
        self.hides_pages = False
        self.answers_with: Any = None
        self.asked: list[str] = []
        self.tokens: set[str] = set()

    def run(
        self,
        name: str,
        conclusion: str | None,
        *,
        status: str = "completed",
        commit: str = COMMIT,
        **more: Any,
    ) -> None:
        ended = None if conclusion is None else NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
        number = 1 + sum(map(len, self.runs.values()))
        run = {
            "id": number,
            "name": name,
            "head_sha": commit,
            "status": status,
            "conclusion": conclusion,
            "started_at": "2026-01-01T00:00:00Z",
            "completed_at": ended,
            "html_url": f"https://github.example/{number}",
        }
        self.runs.setdefault(commit, []).append({**run, **more})

    def status(self, context: str, state: str, *, commit: str = COMMIT) -> None:
        number = 1 + sum(map(len, self.statuses.values()))
        self.statuses.setdefault(commit, []).append(
            {
                "id": number,
                "context": context,
                "state": state,
                "created_at": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "updated_at": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )


class _Handler(BaseHTTPRequestHandler):
    server: GitHubServer

    def do_GET(self) -> None:
        server, parts = self.server, urlsplit(self.path)
        server.asked.append(self.path)
        server.tokens.add(self.headers.get("Authorization", ""))
        found = re.fullmatch(rf"/repos/{REPOSITORY}/commits/([0-9a-f]+)/(check-runs|status)", parts.path)
        if server.fail_with is not None:
            status, headers = server.fail_with
            self._answer(status, {"message": "said so"}, headers)
        elif found is None or found[1] not in {**server.runs, **server.statuses}:
            self._answer(422, {"message": f"No commit found for SHA: {found[1] if found else ''}"})
        elif server.answers_with is not None:
            self._answer(200, server.answers_with)
        else:
            query = {key: int(values[0]) for key, values in parse_qs(parts.query).items()}
            self._page(found[1], found[2], query)

    def _page(self, commit: str, kind: str, query: dict[str, int]) -> None:
        server = self.server
        of_kind = server.runs if kind == "check-runs" else server.statuses
        listed = of_kind.get(commit, [])
        size = min(query["per_page"], server.page_limit)
        start = (query["page"] - 1) * size
        page = [] if server.hides_pages and start else listed[start : start + size]
        body: dict[str, Any] = {"total_count": len(listed)}
        if kind == "check-runs":
            self._answer(200, {**body, "check_runs": page})
        else:
            self._answer(200, {**body, "state": "pending", "sha": commit, "statuses": page})

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def github() -> Iterator[GitHubServer]:
    server = GitHubServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def checks(github: GitHubServer) -> GitHubChecks:
    return GitHubChecks(REPOSITORY, "a-token-for-a-test", github.url)


def judged(github: GitHubServer, *required: str) -> GateResult:
    return judge_checks("ci", checks(github).read(COMMIT), COMMIT, datetime.now(UTC), None, required)


class TestGitHubChecks(CheckResultsConformance):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _server(self, github: GitHubServer) -> None:
        self.github = github

    def publish(self, tmp_path: Path, published: PublishedChecks | None) -> GitHubChecks:
        conclusion = {"passed": "success", "failed": "failure", "errored": "startup_failure"}
        self.github.runs.clear()
        for name, state in (published.states if published else {}).items():
            assert published is not None
            if state == "inconclusive":
                self.github.run(name, None, status="in_progress", commit=published.commit)
            else:
                self.github.run(name, conclusion.get(state, state), commit=published.commit)
        return checks(self.github)


@pytest.mark.parametrize(
    ("conclusion", "verdict"),
    [
        ("success", Verdict.PASSED),
        ("neutral", Verdict.PASSED),
        ("skipped", Verdict.PASSED),
        ("failure", Verdict.FAILED),
        ("timed_out", Verdict.FAILED),
        ("startup_failure", Verdict.ERRORED),
        ("cancelled", Verdict.INCONCLUSIVE),
        ("action_required", Verdict.INCONCLUSIVE),
        ("stale", Verdict.INCONCLUSIVE),
        ("invented", Verdict.INCONCLUSIVE),
    ],
)
def test_a_conclusion_counts_as_github_documents_it(
    github: GitHubServer, conclusion: str, verdict: Verdict
) -> None:
    github.run("other", "success")
    github.run("build", conclusion)
    assert judged(github).verdict is verdict


@pytest.mark.parametrize("status", ["queued", "in_progress", "waiting", "requested", "pending"])
def test_a_check_that_is_not_done_is_inconclusive(github: GitHubServer, status: str) -> None:
    github.run("build", None, status=status)
    result = judged(github)
    assert (result.verdict, "build" in result.reason) == (Verdict.INCONCLUSIVE, True)


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ("success", Verdict.PASSED),
        ("failure", Verdict.FAILED),
        ("error", Verdict.ERRORED),
        ("pending", Verdict.INCONCLUSIVE),
    ],
)
def test_statuses_count_as_check_runs_do(github: GitHubServer, state: str, verdict: Verdict) -> None:
    github.run("build", "success")
    github.status("ci/jenkins", state)
    assert judged(github).verdict is verdict
    assert judged(github, "build", "ci/jenkins").verdict is verdict


def test_all_pages_are_read(github: GitHubServer) -> None:
    for number in range(230):
        github.run(f"build {number}", "success")
    github.run("last", "failure")
    assert judged(github).verdict is Verdict.FAILED
    assert len([path for path in github.asked if "check-runs" in path]) == 3


def test_pages_that_do_not_come_make_it_inconclusive(github: GitHubServer) -> None:
    for number in range(120):
        github.run(f"build {number}", "success")
    github.hides_pages = True
    result = judged(github)
    assert (result.verdict, "100 checks of 120" in result.reason) == (Verdict.INCONCLUSIVE, True)


def test_a_check_run_that_is_for_another_commit_binds_to_nothing(github: GitHubServer) -> None:
    github.run("build", "success", head_sha=OTHER)
    result = judged(github)
    assert (result.verdict, OTHER in result.reason) == (Verdict.INCONCLUSIVE, True)


def test_our_own_status_is_not_waited_for(github: GitHubServer) -> None:
    github.run("build", "success")
    github.status("midas-devops/production", "pending")
    assert judged(github).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("status", "headers", "verdict"),
    [
        (500, {}, Verdict.ERRORED),
        (502, {}, Verdict.ERRORED),
        (401, {}, Verdict.ERRORED),
        (403, {"x-ratelimit-remaining": "0"}, Verdict.ERRORED),
        (429, {"retry-after": "60"}, Verdict.ERRORED),
        (404, {}, Verdict.INCONCLUSIVE),
        (422, {}, Verdict.INCONCLUSIVE),
    ],
)
def test_an_outage_is_errored_and_an_unknown_commit_inconclusive(
    github: GitHubServer, status: int, headers: dict[str, str], verdict: Verdict
) -> None:
    github.run("build", "success")
    github.fail_with = (status, headers)
    assert judged(github).verdict is verdict


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {"total_count": 1},
        {"total_count": "x", "check_runs": []},
        {"total_count": 1, "check_runs": [{}]},
    ],
)
def test_an_answer_of_another_shape_is_errored(github: GitHubServer, answer: Any) -> None:
    github.run("build", "success")
    github.answers_with = answer
    assert judged(github).verdict is Verdict.ERRORED


def test_a_server_that_is_not_there_is_errored(github: GitHubServer) -> None:
    gone = GitHubChecks(REPOSITORY, "a-token-for-a-test", "http://127.0.0.1:9")
    result = judge_checks("ci", gone.read(COMMIT), COMMIT, NOW)
    assert result.verdict is Verdict.ERRORED


def test_the_hash_is_that_of_what_was_concluded(github: GitHubServer) -> None:
    github.run("build", "success")
    before = checks(github).read(COMMIT).sha256
    assert checks(github).read(COMMIT).sha256 == before
    github.run("lint", "success")
    assert checks(github).read(COMMIT).sha256 != before


def test_the_oldest_check_gives_the_age(github: GitHubServer) -> None:
    github.run("build", "success", completed_at="2026-01-01T00:00:00Z")
    github.run("lint", "success")
    reading = checks(github).read(COMMIT)
    assert reading.measured_at == datetime(2026, 1, 1, tzinfo=UTC)
    stale = judge_checks("ci", reading, COMMIT, NOW, timedelta(hours=1))
    assert stale.verdict is Verdict.INCONCLUSIVE


def test_the_token_of_the_tracker_is_used_and_its_absence_is_said(github: GitHubServer) -> None:
    settings = Settings(
        project=Project(repository=REPOSITORY), tracker=Tracker(token_env="OUR_TOKEN", api_url=github.url)
    )
    with pytest.raises(ConfigError, match="OUR_TOKEN"):
        GitHubChecks.from_settings(settings, {})
    github.run("build", "success")
    GitHubChecks.from_settings(settings, {"OUR_TOKEN": "a-token-for-a-test"}).read(COMMIT)
    assert github.tokens == {"token a-token-for-a-test"}
