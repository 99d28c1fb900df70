"""Runs, jobs, logs and dispatches on GitHub, in front of a real HTTP server."""

from __future__ import annotations

import socket
import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from midas_devops.adapters import github_api, github_errors
from midas_devops.adapters.artifacts import open_artifacts
from midas_devops.adapters.github_api import GitHubApi
from midas_devops.adapters.github_runs import GitHubRuns
from midas_devops.config import Project, Settings, Tracker
from midas_devops.domain.pipeline_runs import PipelineJob
from midas_devops.errors import ConfigError, RemoteError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.testing.pipeline_runs import GivenRun, PipelineRunsConformance, World
from tests.pipelines.actions_routes import NAME
from tests.pipelines.actions_server import CI, TOKEN, ActionsServer, Fault, serving


@pytest.fixture
def github() -> Iterator[ActionsServer]:
    with serving() as server:
        yield server


@pytest.fixture
def pauses() -> list[float]:
    """How long the adapter would have waited."""
    return []


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return open_artifacts(".midas/artifacts", tmp_path)


@pytest.fixture
def host(github: ActionsServer, artifacts: Artifacts, tmp_path: Path, pauses: list[float]) -> GitHubRuns:
    api = GitHubApi(NAME, TOKEN, github.url, pause=pauses.append)
    return GitHubRuns(api, artifacts, tmp_path)


class GitHubWorld:
    """The conformance suite's world."""

    workflow = str(CI)
    branch = "main"

    def __init__(self, server: ActionsServer, host: GitHubRuns, artifacts: Artifacts) -> None:
        self.server = server
        self.host = host
        self.artifacts = artifacts

    def add(self, run: GivenRun) -> str:
        made = self.server.run(run.conclusion, minutes_ago=run.minutes_ago, seconds=run.seconds)
        self.server.job(made, "test", run.conclusion, log=run.log.encode())
        return str(made["id"])

    def delete_log(self, run_id: str) -> None:
        for job in self.server.jobs[int(run_id)]:
            del self.server.logs[job["id"]]

    def started(self) -> int:
        return len(self.server.dispatched)

    def shut_down(self) -> None:
        self.server.hang_up()


class TestGitHub(PipelineRunsConformance):
    @pytest.fixture
    def world(self, github: ActionsServer, host: GitHubRuns, artifacts: Artifacts) -> World:
        return GitHubWorld(github, host, artifacts)


def failed_job(github: ActionsServer, host: GitHubRuns, log: bytes = b"") -> PipelineJob:
    made = github.run("failure")
    github.job(made, "test", "failure", log=log)
    return host.jobs(host.run(str(made["id"])))[0]


def test_pages_are_followed_and_no_more_than_needed(github: ActionsServer, host: GitHubRuns) -> None:
    for minutes in range(230):
        github.run(minutes_ago=minutes)
    assert len(host.runs(limit=1000)) == 230
    github.asked.clear()
    assert len(host.runs(limit=100)) == 100
    assert len(github.asked) == 1
    assert "per_page=100" in github.asked[0]


def test_branch_and_workflow_narrow_the_list(github: ActionsServer, host: GitHubRuns) -> None:
    github.workflows.append(github.workflow(202, "Nightly", ".github/workflows/nightly.yml"))
    wanted = github.run(branch="feature/a b", workflow=202)
    github.run(branch="main", workflow=202)
    github.run(branch="feature/a b")
    (found,) = host.runs(workflow="nightly.yml", branch="feature/a b")
    assert found.id == str(wanted["id"])
    assert (found.workflow, found.file) == ("Nightly", ".github/workflows/nightly.yml")


def test_all_attempts_of_a_run_are_told_first_attempt_first(github: ActionsServer, host: GitHubRuns) -> None:
    made = github.run("success", attempt=2)
    github.job(made, "test", "success", attempt=2)
    github.job(made, "test", "failure", attempt=1)
    jobs = host.jobs(host.run(str(made["id"])))
    assert [(job.attempt, job.conclusion, job.failed_step) for job in jobs] == [
        (1, "failure", "Run tests"),
        (2, "success", ""),
    ]


@pytest.mark.parametrize("status", ["queued", "waiting", "requested", "pending", None])
def test_what_has_not_begun_is_queued(github: ActionsServer, host: GitHubRuns, status: str | None) -> None:
    github.run(None)["status"] = status
    (run,) = host.runs()
    assert (run.status, run.conclusion) == ("queued", None)


def test_a_conclusion_that_is_not_known_here_says_nothing(github: ActionsServer, host: GitHubRuns) -> None:
    github.run("something_new")
    assert host.runs()[0].conclusion == "neutral"


def test_the_same_question_again_is_asked_conditionally(github: ActionsServer, host: GitHubRuns) -> None:
    run_id = str(github.run(None)["id"])
    first = host.run(run_id)
    assert host.run(run_id) == first
    assert github.not_modified == 1
    github.runs[0].update(status="completed", conclusion="success")
    assert host.run(run_id).conclusion == "success"


def test_a_log_comes_from_the_store_without_our_token(
    github: ActionsServer, host: GitHubRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret-of-netrc\n")
    monkeypatch.setenv("NETRC", str(netrc))
    host.log(failed_job(github, host, b"log"))
    (headers,) = github.blob_headers
    assert "Authorization" not in headers


def test_a_log_of_200_mb_is_streamed_in_flat_memory(
    github: ActionsServer, host: GitHubRuns, artifacts: Artifacts
) -> None:
    block = b"2026-01-01T00:00:00.0000000Z compiling something that is not worth a word\n" * 1024
    blocks = 200 * 2**20 // len(block) + 1
    job = failed_job(github, host)
    github.logs[int(job.id)] = lambda: (block for _ in range(blocks))
    tracemalloc.start()
    try:
        ref = host.log(job)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert ref.size == len(block) * blocks >= 200 * 2**20
    assert peak < 16 * 2**20, f"{peak >> 20} MB at most"


def test_nothing_is_left_of_a_download_that_failed(
    github: ActionsServer, host: GitHubRuns, tmp_path: Path, pauses: list[float]
) -> None:
    job = failed_job(github, host, b"x" * 100)
    github.faults.append(Fault("/blob/", body=b"half", cut=True))
    with pytest.raises(RemoteError, match="broke off") as cut:
        host.log(job)
    assert cut.value.reason == "unreachable"
    assert len(pauses) == 2
    private = tmp_path / ".midas/artifacts/private"
    assert [path for path in private.rglob("*") if path.is_file()] == []


def test_a_download_that_breaks_off_once_begins_again(
    github: ActionsServer, host: GitHubRuns, artifacts: Artifacts
) -> None:
    job = failed_job(github, host, b"whole")
    github.faults.append(Fault("/blob/", body=b"half", cut=True, times=1))
    assert artifacts.get(host.log(job)) == b"whole"


def test_a_log_that_is_too_large_for_us_is_refused_not_cut(
    github: ActionsServer, host: GitHubRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github_api, "MOST_LOG_BYTES", 1000)
    with pytest.raises(RemoteError) as refused:
        host.log(failed_job(github, host, b"x" * 1001))
    assert refused.value.reason == "refused"


def test_a_redirect_to_another_scheme_is_not_followed(github: ActionsServer, host: GitHubRuns) -> None:
    job = failed_job(github, host)
    github.faults.append(Fault("/logs", status=302, headers={"Location": "file:///etc/passwd"}, body=b""))
    with pytest.raises(RemoteError) as refused:
        host.log(job)
    assert refused.value.reason == "unreadable"


def test_the_signature_of_a_store_is_in_no_error(github: ActionsServer, host: GitHubRuns) -> None:
    job = failed_job(github, host)
    github.faults.append(Fault("/blob/", status=403))
    with pytest.raises(RemoteError) as refused:
        host.log(job)
    assert "private-signature" not in f"{refused.value.message} {refused.value.hint}"


def test_a_dispatch_tells_its_run(github: ActionsServer, host: GitHubRuns) -> None:
    told = host.trigger("ci.yml", branch="main", inputs={"environment": "staging"})
    assert github.dispatched[0]["inputs"] == {"environment": "staging"}
    assert host.run(told.run_id).event == "workflow_dispatch"
    assert told.url.startswith("https://github.example/")


def test_a_server_that_cannot_tell_the_run_starts_it_once_all_the_same(
    github: ActionsServer, host: GitHubRuns
) -> None:
    github.knows_run_details = False
    told = host.trigger("ci.yml", branch="main")
    assert (told.run_id, told.url, len(github.dispatched)) == ("", "", 1)


def test_a_dispatch_whose_answer_is_lost_is_not_repeated(github: ActionsServer, host: GitHubRuns) -> None:
    github.faults.append(Fault("POST ", status=502))
    with pytest.raises(RemoteError) as lost:
        host.trigger("ci.yml", branch="main")
    assert lost.value.reason == "unavailable"
    assert sum("POST" in line for line in github.asked) == 1


def test_a_branch_that_is_not_there_is_refused_with_githubs_words(host: GitHubRuns) -> None:
    with pytest.raises(RemoteError, match="No ref found for: nowhere") as refused:
        host.trigger("ci.yml", branch="nowhere")
    assert refused.value.reason == "refused"


def named(value: object) -> str:
    return f"{value.status}-{(value.body or b'')[:12]!r}" if isinstance(value, Fault) else str(value)


SECONDARY = b'{"message": "You have exceeded a secondary rate limit"}'
NO_TIME = b'{"workflow_runs": [{"id": 1, "workflow_id": 2, "created_at": "x"}]}'


@pytest.mark.parametrize(
    ("fault", "reason", "tries"),
    [
        (Fault("runs", status=500), "unavailable", 3),
        (Fault("runs", status=503), "unavailable", 3),
        (Fault("runs", status=401), "unauthorized", 1),
        (Fault("runs", status=403), "forbidden", 1),
        (Fault("runs", status=404), "not_found", 1),
        (Fault("runs", status=410), "gone", 1),
        (Fault("runs", status=422), "refused", 1),
        (Fault("runs", status=429), "rate_limited", 1),
        (Fault("runs", status=429, headers={"Retry-After": "3600"}), "rate_limited", 1),
        (
            Fault("runs", status=403, body=SECONDARY),
            "rate_limited",
            1,
        ),
        (Fault("runs", status=200, body=b'{"workflow_runs": [{"id": 1'), "unreadable", 1),
        (Fault("runs", status=200, body=b"<html>log in</html>"), "unreadable", 1),
        (Fault("runs", status=200, body=b""), "unreadable", 1),
        (Fault("runs", status=200, body=b"[]"), "unreadable", 1),
        (Fault("runs", status=200, body=b'{"workflow_runs": 3}'), "unreadable", 1),
        (Fault("runs", status=200, body=b'{"workflow_runs": [3]}'), "unreadable", 1),
        (Fault("runs", status=200, body=b'{"workflow_runs": [{}]}'), "unreadable", 1),
        (
            Fault(
                "runs",
                status=200,
                body=NO_TIME,
            ),
            "unreadable",
            1,
        ),
        (Fault("runs", status=200, body=b"\xff\xfe"), "unreadable", 1),
        (Fault("runs", status=200, body=b"[" * 100_000), "unreadable", 1),
        (Fault("runs", body=b"{", cut=True), "unreachable", 3),
        (Fault("runs", status=301, headers={"Location": "http://other.example/x"}), "unreadable", 1),
        (Fault("runs", status=302, headers={"Location": "http://other.example/x"}), "refused", 1),
    ],
    ids=named,
)
def test_every_fault_has_its_reason_and_a_hint(
    github: ActionsServer, host: GitHubRuns, fault: Fault, reason: str, tries: int
) -> None:
    github.faults.append(fault)
    with pytest.raises(RemoteError, match=r"could not list the runs of acme/orders at http") as failed:
        host.runs()
    assert failed.value.reason == reason
    assert failed.value.hint
    assert TOKEN not in f"{failed.value.message} {failed.value.hint}"
    assert len(github.asked) == tries


def test_a_short_outage_is_waited_out(github: ActionsServer, host: GitHubRuns, pauses: list[float]) -> None:
    github.run()
    github.faults.append(Fault("runs", status=502, times=2))
    assert len(host.runs()) == 1
    assert pauses == [0.5, 1.0]


def test_a_rate_limit_that_ends_soon_is_waited_for(
    github: ActionsServer, host: GitHubRuns, pauses: list[float]
) -> None:
    github.run()
    github.faults.append(Fault("runs", status=429, headers={"Retry-After": "7"}, times=1))
    assert len(host.runs()) == 1
    assert pauses == [7]


def test_a_rate_limit_that_ends_late_is_an_error_that_says_when(
    github: ActionsServer, host: GitHubRuns, pauses: list[float]
) -> None:
    reset = int((datetime.now().astimezone() + timedelta(minutes=30)).timestamp())
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
    github.faults.append(Fault("runs", status=403, headers=headers))
    with pytest.raises(RemoteError) as limited:
        host.runs()
    assert limited.value.reason == "rate_limited"
    assert "30 min" in limited.value.hint
    assert 1700 < (limited.value.retry_after or 0) <= 1800
    assert pauses == []


def test_a_server_that_says_nothing_is_given_up_in_time(
    github: ActionsServer, host: GitHubRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github_errors, "TIMEOUT_SECONDS", 1)
    github.faults.append(Fault("runs", hang=True))
    with pytest.raises(RemoteError) as silent:
        host.runs()
    assert silent.value.reason == "timed_out"


def test_nobody_there_is_told_with_what_to_look_at(artifacts: Artifacts, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    host = GitHubRuns(GitHubApi(NAME, TOKEN, url, pause=lambda _: None), artifacts, tmp_path)
    with pytest.raises(RemoteError, match=f"{url}: no connection") as away:
        host.workflows()
    assert "tracker.api_url" in away.value.hint


@pytest.mark.parametrize(
    ("settings", "environ", "place"),
    [
        (Settings(), {"GITHUB_TOKEN": "t"}, "tracker.using"),
        (Settings(tracker=Tracker(using="github")), {"GITHUB_TOKEN": "t"}, "project.repository"),
        (
            Settings(tracker=Tracker(using="github"), project=Project(repository=NAME)),
            {},
            "tracker.token_env",
        ),
    ],
)
def test_what_is_not_configured_is_named(
    settings: Settings, environ: dict[str, str], place: str, artifacts: Artifacts, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as missing:
        GitHubRuns.from_settings(settings, environ, artifacts, tmp_path)
    assert missing.value.location == f"midas.toml: {place}"
    assert missing.value.hint
