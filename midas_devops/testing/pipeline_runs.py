"""Conformance suite of the PipelineRuns port.

Subclass :class:`PipelineRunsConformance` in a test file as ``class TestMine(PipelineRunsConformance)``, with
a ``world`` fixture: a host of one workflow, its artifacts, and ways to change what it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import pytest

from midas_devops.domain.pipeline_runs import BAD, Conclusion
from midas_devops.errors import RemoteError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.pipeline import PipelineRuns

LOG = "building\nE   assert 1 == 2\nFAILED tests/test_a.py::test_a\n"


@dataclass(frozen=True)
class GivenRun:
    """A run that the host is to hold. ``conclusion`` None: it is running."""

    conclusion: Conclusion | None = "success"
    minutes_ago: int = 10
    """Since it was created."""
    seconds: int = 90
    """From its beginning to its end."""
    log: str = LOG


class World(Protocol):
    """A host with one workflow that can be started, empty at first."""

    host: PipelineRuns
    artifacts: Artifacts
    workflow: str
    """Its id."""
    branch: str
    """One that exists."""

    def add(self, run: GivenRun) -> str:
        """Put a run there; its id."""
        ...

    def delete_log(self, run_id: str) -> None:
        """As a host does when a log has become too old."""
        ...

    def started(self) -> int:
        """How many runs were asked for by trigger."""
        ...

    def shut_down(self) -> None:
        """From now on nobody listens."""
        ...


class PipelineRunsConformance:
    """What every host of pipelines does."""

    @pytest.fixture
    def world(self) -> World:
        """To be given by the subclass."""
        raise NotImplementedError

    def test_the_workflow_is_listed(self, world: World) -> None:
        (workflow,) = world.host.workflows()
        assert workflow.id == world.workflow
        assert workflow.name
        assert workflow.state == "active"

    def test_a_host_without_runs_lists_none(self, world: World) -> None:
        assert world.host.runs() == ()
        assert world.host.runs(workflow=world.workflow) == ()

    def test_runs_come_newest_first_and_no_more_than_asked_for(self, world: World) -> None:
        added = [world.add(GivenRun(minutes_ago=minutes)) for minutes in (50, 40, 30, 20, 10)]
        newest_first = list(reversed(added))
        assert [run.id for run in world.host.runs()] == newest_first
        assert [run.id for run in world.host.runs(limit=2)] == newest_first[:2]
        assert world.host.runs(limit=0) == ()

    def test_runs_since_a_time_are_those_made_from_then_on(self, world: World) -> None:
        old, new = (world.add(GivenRun(minutes_ago=minutes)) for minutes in (600, 10))
        first, last = sorted(world.host.runs(), key=lambda run: run.created_at)
        between = first.created_at + (last.created_at - first.created_at) / 2
        assert [run.id for run in world.host.runs(since=between)] == [new]
        assert [run.id for run in world.host.runs(since=first.created_at)] == [new, old]

    @pytest.mark.parametrize("conclusion", ["success", "failure", "cancelled"])
    def test_an_ended_run_tells_how_and_when(self, world: World, conclusion: Conclusion) -> None:
        world.add(GivenRun(conclusion, seconds=90))
        (run,) = world.host.runs()
        assert (run.status, run.conclusion) == ("completed", conclusion)
        assert run.workflow_id == world.workflow
        assert run.number >= 1
        assert run.attempt == 1
        assert run.started_at is not None
        assert run.updated_at is not None
        assert run.created_at <= run.started_at
        assert run.updated_at - run.started_at == timedelta(seconds=90)
        assert run.url.startswith("http")

    def test_a_run_that_goes_on_has_no_conclusion(self, world: World) -> None:
        world.add(GivenRun(None))
        (run,) = world.host.runs()
        assert (run.status, run.conclusion) == ("in_progress", None)

    def test_one_run_is_told_as_the_list_tells_it(self, world: World) -> None:
        run_id = world.add(GivenRun())
        assert (world.host.run(run_id),) == world.host.runs()

    @pytest.mark.parametrize("run_id", ["999999", "../../user", "a b", ""])
    def test_a_run_that_is_not_there_is_said_not_to_be(self, world: World, run_id: str) -> None:
        with pytest.raises(RemoteError) as refused:
            world.host.run(run_id)
        assert refused.value.reason == "not_found"
        assert refused.value.hint

    def test_a_bad_run_has_a_bad_job(self, world: World) -> None:
        run = world.host.run(world.add(GivenRun("failure")))
        jobs = world.host.jobs(run)
        assert {job.run_id for job in jobs} == {run.id}
        assert any(job.conclusion in BAD for job in jobs)

    def test_jobs_of_a_good_run_did_not_end_badly(self, world: World) -> None:
        jobs = world.host.jobs(world.host.run(world.add(GivenRun("success"))))
        assert jobs
        assert not any(job.conclusion in BAD for job in jobs)

    def test_the_log_of_a_job_is_a_private_artifact_byte_for_byte(self, world: World) -> None:
        log = LOG + "ünïcode \x1b[31mred\x1b[0m\r\nno end of line"
        run = world.host.run(world.add(GivenRun("failure", log=log)))
        job = next(job for job in world.host.jobs(run) if job.conclusion in BAD)
        ref = world.host.log(job)
        assert ref.private
        assert world.artifacts.get(ref).decode() == log
        assert world.artifacts.path(ref).stat().st_mode & 0o777 == 0o600
        assert world.host.log(job) == ref

    def test_a_log_that_was_deleted_is_gone(self, world: World) -> None:
        run = world.host.run(world.add(GivenRun("failure")))
        job = next(job for job in world.host.jobs(run) if job.conclusion in BAD)
        world.delete_log(run.id)
        with pytest.raises(RemoteError) as refused:
            world.host.log(job)
        assert refused.value.reason in ("gone", "not_found")

    def test_a_trigger_starts_one_run(self, world: World) -> None:
        told = world.host.trigger(world.workflow, branch=world.branch)
        assert told.workflow == world.workflow
        assert world.started() == 1

    def test_what_is_no_workflow_cannot_be_started(self, world: World) -> None:
        with pytest.raises(RemoteError) as refused:
            world.host.trigger("no-such-workflow", branch=world.branch)
        assert refused.value.reason == "not_found"
        assert world.started() == 0

    def test_the_settings_name_the_host_and_its_workflows(self, world: World) -> None:
        config = world.host.config()
        assert config.host
        assert config.workflows == world.host.workflows()

    def test_a_host_that_is_down_is_unreachable_whatever_is_asked(self, world: World) -> None:
        run = world.host.run(world.add(GivenRun("failure")))
        job = world.host.jobs(run)[0]
        world.shut_down()
        for ask in (
            world.host.workflows,
            world.host.runs,
            lambda: world.host.run(run.id),
            lambda: world.host.jobs(run),
            lambda: world.host.log(job),
            lambda: world.host.trigger(world.workflow, branch=world.branch),
            world.host.config,
        ):
            with pytest.raises(RemoteError) as away:
                ask()
            assert away.value.reason == "unreachable"
            assert away.value.hint
