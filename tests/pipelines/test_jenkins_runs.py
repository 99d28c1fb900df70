"""Jenkins as a host of pipelines: the port's conformance suite, and what is Jenkins' own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from midas_devops.adapters.artifacts import open_artifacts
from midas_devops.adapters.jenkins_api import JenkinsApi
from midas_devops.adapters.jenkins_job import MARKER, JobDefinition
from midas_devops.adapters.jenkins_runs import JenkinsRuns
from midas_devops.domain.pipeline_runs import Conclusion
from midas_devops.errors import RemoteError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.testing.pipeline_runs import GivenRun, PipelineRunsConformance
from tests.pipelines.jenkins_server import (
    READER,
    READER_TOKEN,
    TOKEN,
    USER,
    Build,
    JenkinsServer,
    Job,
    reformatted,
    serving,
)

pytest.importorskip("api4jenkins", reason="api4jenkins not installed: pip install 'midas-devops[jenkins]'")

JOB = "team/orders"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
RESULTS: dict[Conclusion | None, str | None] = {
    "success": "SUCCESS",
    "failure": "FAILURE",
    "cancelled": "ABORTED",
    None: None,
}
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def server() -> Iterator[JenkinsServer]:
    with serving() as server:
        server.folder("team")
        job = server.job(JOB)
        written = JobDefinition(repository="https://git.example.org/orders.git", branches=("*/main",))
        job.xml = reformatted(written.to_xml())
        yield server


def api(server: JenkinsServer, user: str = USER, token: str = TOKEN) -> JenkinsApi:
    return JenkinsApi(server.url, user, token, pause=lambda _: None)


def job_of(server: JenkinsServer, name: str = JOB) -> Job:
    found = server.find("/".join(f"job/{part}" for part in name.split("/")))
    assert found is not None
    return found


@dataclass
class JenkinsWorld:
    host: JenkinsRuns
    artifacts: Artifacts
    server: JenkinsServer
    workflow: str = JOB
    branch: str = "main"

    def add(self, run: GivenRun) -> str:
        job = job_of(self.server)
        began = NOW - timedelta(minutes=run.minutes_ago)
        build = Build(
            len(job.builds) + 1,
            {},
            result=RESULTS[run.conclusion],
            log=run.log.encode(),
            timestamp=int(began.timestamp() * 1000),
            duration=run.seconds * 1000,
            commit=COMMIT,
            branch="refs/remotes/origin/main",
        )
        job.builds.append(build)
        return f"{JOB}#{build.number}"

    def delete_log(self, run_id: str) -> None:
        job_of(self.server).builds.clear()

    def started(self) -> int:
        return len(self.server.queue)

    def shut_down(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def world(server: JenkinsServer, tmp_path: Path) -> JenkinsWorld:
    artifacts = open_artifacts(".midas/artifacts", tmp_path)
    return JenkinsWorld(JenkinsRuns(api(server), JOB, artifacts, tmp_path), artifacts, server)


class TestJenkins(PipelineRunsConformance):
    @pytest.fixture
    def world(self, server: JenkinsServer, tmp_path: Path) -> JenkinsWorld:  # type: ignore[override]
        artifacts = open_artifacts(".midas/artifacts", tmp_path)
        return JenkinsWorld(JenkinsRuns(api(server), JOB, artifacts, tmp_path), artifacts, server)


def test_a_build_tells_commit_branch_cause_and_how_long_it_was_queued(world: JenkinsWorld) -> None:
    world.add(GivenRun())
    build = job_of(world.server).builds[0]
    build.cause, build.waited = "hudson.triggers.SCMTrigger$SCMTriggerCause", 4000
    (run,) = world.host.runs()
    assert (run.commit, run.branch, run.event) == (COMMIT, "main", "push")
    assert run.started_at is not None
    assert run.started_at - run.created_at == timedelta(seconds=4)


def test_an_unstable_build_failed_and_its_stage_is_named(world: JenkinsWorld) -> None:
    run_id = world.add(GivenRun("failure"))
    build = job_of(world.server).builds[0]
    build.result = "UNSTABLE"
    build.stages = [{"name": "build", "status": "SUCCESS"}, {"name": "test", "status": "FAILED"}]
    run = world.host.run(run_id)
    (job,) = world.host.jobs(run)
    assert (run.conclusion, job.failed_step) == ("failure", "test")


def test_more_builds_than_fit_into_one_answer_are_paged(world: JenkinsWorld) -> None:
    job = job_of(world.server)
    job.builds += [Build(n, {}, result="SUCCESS", timestamp=1_750_000_000_000 + n) for n in range(1, 251)]
    assert [run.number for run in world.host.runs(limit=230)] == list(range(250, 20, -1))


def test_builds_of_a_multibranch_project_are_those_of_its_branches(
    server: JenkinsServer, tmp_path: Path
) -> None:
    project = server.folder("team/web")
    assert project.jobs is not None
    for number, name in enumerate(("main", "feature%2Fcart"), start=1):
        branch = project.jobs[name] = Job(f"team/web/{name}")
        branch.builds.append(Build(1, {}, result="SUCCESS", timestamp=1_750_000_000_000 + number))
    artifacts = open_artifacts(".midas/artifacts", tmp_path)
    host = JenkinsRuns(api(server), "team/web", artifacts, tmp_path)

    assert [(one.id, one.name) for one in host.workflows()] == [
        ("team/web/main", "main"),
        ("team/web/feature%2Fcart", "feature/cart"),
    ]
    assert [run.id for run in host.runs()] == ["team/web/feature%2Fcart#1", "team/web/main#1"]
    assert [run.id for run in host.runs(workflow="feature/cart")] == ["team/web/feature%2Fcart#1"]
    assert host.run("team/web/feature%2Fcart#1").branch == "feature/cart"
    told = host.trigger("team/web", branch="feature/cart")
    assert told.run_id == "team/web/feature%2Fcart#2"


def test_a_growing_log_is_fetched_as_far_as_it_is(world: JenkinsWorld) -> None:
    run = world.host.run(world.add(GivenRun(None, log="first\n")))
    (job,) = world.host.jobs(run)
    first = world.host.log(job)
    build = job_of(world.server).builds[0]
    build.log, build.result = build.log + b"second\n", "FAILURE"
    assert world.artifacts.get(first) == b"first\n"
    assert world.artifacts.get(world.host.log(job)) == b"first\nsecond\n"


def test_a_trigger_follows_the_queue_to_the_build(world: JenkinsWorld) -> None:
    told = world.host.trigger(JOB, branch="main")
    assert told.run_id == f"{JOB}#1"
    assert told.url.endswith("/job/team/job/orders/1/")
    assert world.host.run(told.run_id).conclusion == "success"


def test_what_stays_queued_is_told_without_a_number(world: JenkinsWorld) -> None:
    world.server.busy = True
    told = world.host.trigger(JOB, branch="main")
    assert told.run_id == ""
    assert "/queue/item/1/" in told.url


@pytest.mark.parametrize("busy", [True, False])
def test_the_same_marker_starts_nothing_twice(world: JenkinsWorld, busy: bool) -> None:
    world.server.busy = busy
    first = world.host.trigger(JOB, branch="main", inputs={MARKER: "run-1"})
    again = world.host.trigger(JOB, branch="main", inputs={MARKER: "run-1"})
    assert again == first
    assert world.started() == 1
    world.host.trigger(JOB, branch="main", inputs={MARKER: "run-2"})
    assert world.started() == 2


def test_parameters_reach_the_build_and_stay_out_of_the_address(world: JenkinsWorld) -> None:
    world.server.job("team/params", parameters=("LEVEL", "BRANCH"))
    world.host.trigger("team/params", branch="main", inputs={"LEVEL": "deep & wide"})
    assert job_of(world.server, "team/params").builds[0].parameters == {
        "LEVEL": "deep & wide",
        "BRANCH": "main",
    }
    assert not any("LEVEL" in asked for asked in world.server.requests)


@pytest.mark.parametrize(
    ("inputs", "branch", "said"),
    [({"LEVEL": "1"}, "main", "no parameter LEVEL"), ({}, "other", r"builds \*/main")],
)
def test_what_jenkins_would_drop_without_a_word_is_refused(
    world: JenkinsWorld, inputs: dict[str, str], branch: str, said: str
) -> None:
    with pytest.raises(RemoteError, match=said) as refused:
        world.host.trigger(JOB, branch=branch, inputs=inputs)
    assert refused.value.reason == "refused"
    assert world.started() == 0


def test_a_disabled_job_is_refused_and_said_to_be_disabled(world: JenkinsWorld) -> None:
    job_of(world.server).buildable = False
    assert world.host.workflows()[0].state == "disabled"
    with pytest.raises(RemoteError, match="disabled"):
        world.host.trigger(JOB, branch="main")


def test_what_was_cancelled_in_the_queue_is_refused(world: JenkinsWorld) -> None:
    world.server.busy = True

    def cancel(_: float) -> None:
        world.server.queue[1]["cancelled"] = True

    host = JenkinsRuns(
        JenkinsApi(world.server.url, USER, TOKEN, pause=cancel), JOB, world.artifacts, Path("unused")
    )
    with pytest.raises(RemoteError, match="cancelled it in the queue"):
        host.trigger(JOB, branch="main")


def test_a_build_can_be_stopped_and_one_that_ended_stays_as_it_is(world: JenkinsWorld) -> None:
    running, ended = world.add(GivenRun(None)), world.add(GivenRun("success"))
    assert world.host.stop(running).conclusion == "cancelled"
    assert world.host.stop(ended).conclusion == "success"


def test_settings_hold_names_of_credentials_and_the_branch(world: JenkinsWorld) -> None:
    config = world.host.config()
    assert config.default_branch == world.host.default_branch() == "main"
    assert config.secrets == ("deploy-key", "registry")
    assert (config.permissions.enabled, config.unknown) == (True, ())


def test_what_a_user_may_not_read_is_named_as_unknown(server: JenkinsServer, tmp_path: Path) -> None:
    artifacts = open_artifacts(".midas/artifacts", tmp_path)
    host = JenkinsRuns(api(server, READER, READER_TOKEN), JOB, artifacts, tmp_path)
    config = host.config()
    assert (config.default_branch, config.secrets) == ("", None)
    assert any("definition of team/orders" in line for line in config.unknown)
    assert any("credentials" in line for line in config.unknown)
