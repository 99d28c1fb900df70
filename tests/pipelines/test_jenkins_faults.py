"""A Jenkins that refuses, breaks off, stays silent or is none: each is a clear error, and no token leaves."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from midas_devops.adapters import jenkins_api
from midas_devops.adapters.artifacts import open_artifacts
from midas_devops.adapters.jenkins_api import JenkinsApi, job_path
from midas_devops.adapters.jenkins_runs import JenkinsRuns
from midas_devops.config import Settings
from midas_devops.errors import ConfigError, MissingExtraError, RemoteError
from tests.pipelines.jenkins_server import TOKEN, USER, Build, JenkinsServer, serving

pytest.importorskip("api4jenkins", reason="api4jenkins not installed: pip install 'midas-devops[jenkins]'")

JOB = "orders"


@pytest.fixture
def server() -> Iterator[JenkinsServer]:
    with serving() as server:
        server.job(JOB).builds.append(Build(1, {}, result="FAILURE"))
        yield server


@pytest.fixture
def host(server: JenkinsServer, tmp_path: Path) -> JenkinsRuns:
    return runs(JenkinsApi(server.url, USER, TOKEN, pause=lambda _: None), tmp_path)


def runs(api: JenkinsApi, root: Path) -> JenkinsRuns:
    return JenkinsRuns(api, JOB, open_artifacts(".midas/artifacts", root), root)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("401", "unauthorized"),
        ("403", "forbidden"),
        ("404", "not_found"),
        ("400", "refused"),
        ("409", "refused"),
        ("429", "rate_limited"),
        ("500", "unavailable"),
        ("503", "unavailable"),
        ("html", "unreadable"),
        ("redirect", "unreadable"),
        ("truncated", "unreachable"),
    ],
)
@pytest.mark.parametrize("ask", ["read", "write"])
def test_every_bad_answer_is_one_reason(
    server: JenkinsServer, host: JenkinsRuns, fault: str, reason: str, ask: str
) -> None:
    server.fault = fault
    server.fault_on = "api/json" if ask == "read" else "POST"
    with pytest.raises(RemoteError) as refused:
        host.workflows() if ask == "read" else host.trigger(JOB, branch="")
    assert refused.value.reason == reason
    assert refused.value.hint
    assert server.url in refused.value.message
    assert TOKEN not in f"{refused.value.message}{refused.value.hint}"
    assert server.queue == {}


@pytest.mark.parametrize(
    ("fault", "reason"), [("truncated", "unreachable"), ("html", "unreadable"), ("503", "unavailable")]
)
def test_a_log_that_breaks_off_leaves_no_half_artifact(
    server: JenkinsServer, host: JenkinsRuns, tmp_path: Path, fault: str, reason: str
) -> None:
    run = host.run(f"{JOB}#1")
    (job,) = host.jobs(run)
    server.fault, server.fault_on = fault, "progressiveText"
    with pytest.raises(RemoteError) as refused:
        host.log(job)
    assert refused.value.reason == reason
    assert [path for path in (tmp_path / ".midas/artifacts").rglob("*") if path.is_file()] == []


def test_a_passing_fault_is_tried_again_for_reads_and_never_for_writes(
    server: JenkinsServer, host: JenkinsRuns
) -> None:
    server.fault, server.fault_on, server.faults_left = "503", "job/", 2
    assert len(host.workflows()) == 1
    server.fault, server.fault_on, server.faults_left = "503", "POST", 1
    with pytest.raises(RemoteError):
        host.trigger(JOB, branch="")
    assert sum(asked.startswith("POST") for asked in server.requests) == 1


def test_silence_ends_in_time(
    server: JenkinsServer, host: JenkinsRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jenkins_api, "TIMEOUT_SECONDS", 0.2)
    server.fault = "hang"
    with pytest.raises(RemoteError) as silent:
        host.workflows()
    assert silent.value.reason == "timed_out"


def test_a_crumb_that_ended_with_its_session_is_asked_for_again(
    server: JenkinsServer, host: JenkinsRuns
) -> None:
    host.trigger(JOB, branch="")
    server.crumbs.clear()
    host.trigger(JOB, branch="")
    assert len(server.queue) == 2


def test_a_jenkins_without_crumbs_works(server: JenkinsServer, host: JenkinsRuns) -> None:
    server.crumbs_wanted = False
    host.trigger(JOB, branch="")
    assert len(server.queue) == 1


def test_a_wrong_token_is_unauthorized(server: JenkinsServer, tmp_path: Path) -> None:
    with pytest.raises(RemoteError) as refused:
        runs(JenkinsApi(server.url, USER, "wrong"), tmp_path).workflows()
    assert refused.value.reason == "unauthorized"


def test_a_huge_log_is_streamed(server: JenkinsServer, host: JenkinsRuns, tmp_path: Path) -> None:
    found = server.find(f"job/{JOB}")
    assert found is not None
    found.builds[0].log = b"x" * 79 + b"\n"
    found.builds[0].log *= 800_000
    size = len(found.builds[0].log)
    (job,) = host.jobs(host.run(f"{JOB}#1"))
    tracemalloc.start()
    ref = host.log(job)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert open_artifacts(".midas/artifacts", tmp_path).path(ref).stat().st_size == size
    # The server in this very process slices its text once; what we hold beside it is small.
    assert peak < size + (8 << 20)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("orders", "job/orders/"),
        ("team/or ders", "job/team/job/or%20ders/"),
        ("a/b%2Fc", "job/a/job/b%252Fc/"),
    ],
)
def test_names_become_paths(name: str, path: str) -> None:
    assert job_path(name) == path


def test_a_variable_that_is_not_set_is_named() -> None:
    settings = Settings.model_validate({"jenkins": {"url": "https://ci.example.org", "job": "orders"}})
    with pytest.raises(ConfigError, match="JENKINS_USER"):
        JenkinsApi.from_settings(settings, {})
    with pytest.raises(ConfigError, match="JENKINS_TOKEN"):
        JenkinsApi.from_settings(settings, {"JENKINS_USER": "ada"})


def test_without_the_library_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.model_validate({"jenkins": {"url": "https://ci.example.org", "job": "orders"}})
    monkeypatch.setitem(sys.modules, "api4jenkins", None)
    with pytest.raises(MissingExtraError) as missing:
        JenkinsApi.from_settings(settings, {"JENKINS_USER": "ada", "JENKINS_TOKEN": "not-a-real-one"})
    assert missing.value.extra == "jenkins"
