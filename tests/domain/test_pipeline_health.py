"""The figures of pipeline health."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midas_devops.domain.pipeline_health import (
    durations,
    failed_job,
    flaky_jobs,
    health,
    last_failed,
    queue_seconds,
    trend,
    wanted_jobs,
)
from midas_devops.domain.pipeline_runs import BAD, Conclusion, PipelineJob, PipelineRun, Workflow

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
CI = Workflow(id="1", name="CI", file=".github/workflows/ci.yml")
CONCLUSIONS: tuple[Conclusion | None, ...] = (
    "success",
    "failure",
    "timed_out",
    "startup_failure",
    "cancelled",
    "skipped",
    "neutral",
    "action_required",
    "stale",
    None,
)


def run(
    number: int,
    conclusion: Conclusion | None = "success",
    *,
    seconds: float = 60,
    commit: str = "",
    event: str = "push",
    attempt: int = 1,
) -> PipelineRun:
    created = BEGIN + timedelta(hours=number)
    return PipelineRun(
        id=str(number),
        workflow_id="1",
        workflow="CI",
        number=number,
        attempt=attempt,
        status="completed" if conclusion else "in_progress",
        conclusion=conclusion,
        commit=commit or f"{number:040x}",
        event=event,
        created_at=created,
        started_at=created,
        updated_at=created + timedelta(seconds=seconds),
    )


def job(
    of: PipelineRun, name: str, conclusion: Conclusion | None, *, attempt: int = 1, queued: float = 5
) -> PipelineJob:
    return PipelineJob(
        id=f"{of.id}-{name}-{attempt}",
        run_id=of.id,
        name=name,
        attempt=attempt,
        status="completed" if conclusion else "in_progress",
        conclusion=conclusion,
        created_at=of.created_at,
        started_at=of.created_at + timedelta(seconds=queued),
        completed_at=of.created_at + timedelta(seconds=60),
    )


def by_run(jobs: Iterable[PipelineJob]) -> dict[str, list[PipelineJob]]:
    found: dict[str, list[PipelineJob]] = {}
    for one in jobs:
        found.setdefault(one.run_id, []).append(one)
    return found


histories = st.lists(
    st.builds(
        run,
        st.integers(1, 10_000),
        st.sampled_from(CONCLUSIONS),
        seconds=st.floats(0, 1e6),
        commit=st.sampled_from(["a" * 40, "b" * 40, ""]),
        event=st.sampled_from(["push", "pull_request", "workflow_dispatch"]),
    ),
    max_size=30,
    unique_by=lambda one: one.id,
)
seconds = st.lists(st.floats(0, 1e7), min_size=1, max_size=60)


@given(histories)
def test_every_run_is_counted_once(runs: list[PipelineRun]) -> None:
    told = health(CI, runs, {})
    parts = (told.succeeded, told.failed, told.cancelled, told.other, told.unfinished)
    assert sum(parts) == told.runs_total == len(runs)
    assert min(parts) >= 0
    assert told.failed == sum(one.conclusion in BAD for one in runs)


@given(histories)
def test_the_success_rate_is_of_what_was_decided(runs: list[PipelineRun]) -> None:
    told = health(CI, runs, {})
    decided = told.succeeded + told.failed
    assert (told.success_rate is None) == (decided == 0)
    if told.success_rate is not None:
        assert Fraction(told.succeeded, decided) == pytest.approx(told.success_rate)


@given(histories, st.randoms())
def test_the_order_in_which_runs_come_does_not_matter(runs: list[PipelineRun], random: object) -> None:
    shuffled = list(runs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert health(CI, shuffled, {}) == health(CI, runs, {})


@given(histories)
def test_a_workflow_fails_when_its_newest_decided_run_does(runs: list[PipelineRun]) -> None:
    told = health(CI, runs, {})
    decided = [one for one in runs if one.conclusion == "success" or one.conclusion in BAD]
    newest = max(decided, key=lambda one: one.created_at, default=None)
    expected = "unknown" if newest is None else "failing" if newest.conclusion in BAD else "passing"
    assert told.state == expected
    assert (told.failures_in_a_row > 0) == (told.state == "failing")
    assert (told.failing_since is None) == (told.state != "failing")


@given(seconds)
def test_median_and_p95_lie_where_they_should(values: list[float]) -> None:
    told = durations(values)
    assert told.count == len(values)
    assert told.median_seconds is not None
    assert told.p95_seconds in values
    assert min(values) <= told.median_seconds <= told.p95_seconds <= max(values)
    not_above = sum(value <= told.p95_seconds for value in values)
    below = sum(value < told.p95_seconds for value in values)
    assert 100 * not_above >= 95 * len(values)
    assert 100 * below < 95 * len(values)


@given(seconds, st.floats(0.1, 1000))
def test_a_trend_does_not_depend_on_the_unit(values: list[float], factor: float) -> None:
    here, there = trend(values), trend([value * factor for value in values])
    if here.change is not None and there.change is not None:
        assert there.change == pytest.approx(here.change, rel=1e-6, abs=1e-9)


@given(seconds)
def test_a_trend_turned_round_is_the_opposite_one(values: list[float]) -> None:
    here, back = trend(values), trend(values[::-1])
    assert (here.earlier_seconds, here.later_seconds) == (back.later_seconds, back.earlier_seconds)


@pytest.mark.parametrize(
    ("values", "direction"),
    [
        ([60] * 5, "unknown"),
        ([60] * 6, "steady"),
        ([60, 60, 60, 65, 65, 65], "steady"),
        ([60, 60, 60, 90, 90, 90], "slower"),
        ([90, 90, 90, 999, 60, 60, 60], "faster"),
        ([0, 0, 0, 5, 5, 5], "slower"),
        ([0] * 8, "steady"),
    ],
)
def test_a_trend_has_a_direction(values: list[float], direction: str) -> None:
    assert trend(values).direction == direction


def test_durations_are_of_runs_that_passed() -> None:
    runs = [run(1, seconds=60), run(2, "failure", seconds=5), run(3, "cancelled", seconds=1), run(4, None)]
    told = health(CI, runs, {}).duration
    assert (told.count, told.median_seconds) == (1, 60)


def test_a_repeated_run_takes_what_its_last_attempt_took() -> None:
    again = run(1, seconds=3600).model_copy(update={"started_at": BEGIN + timedelta(hours=1, seconds=3000)})
    assert health(CI, [again], {}).duration.median_seconds == 600


def test_a_streak_ends_at_the_last_good_run_and_begins_with_its_first_failure() -> None:
    runs = [run(1, "failure"), run(2), run(3, "failure"), run(4, "cancelled"), run(5, "timed_out")]
    told = health(CI, runs, {})
    assert (told.failures_in_a_row, told.failing_since) == (2, runs[2].created_at)


def test_queue_times_are_those_of_jobs_that_had_a_runner() -> None:
    of = run(1)
    jobs = [
        job(of, "a", "success", queued=10),
        job(of, "b", "skipped", queued=99),
        job(of, "c", "failure", queued=-3),
        job(of, "d", None, queued=20),
        job(of, "e", None).model_copy(update={"started_at": None}),
        job(of, "f", None, queued=50).model_copy(update={"status": "queued"}),
    ]
    assert queue_seconds(jobs) == [10, 0, 20]


def test_a_job_that_passed_when_it_was_repeated_is_flaky() -> None:
    of = run(1, attempt=2)
    jobs = [job(of, "test", "failure"), job(of, "lint", "success"), job(of, "test", "success", attempt=2)]
    (flaky,) = flaky_jobs([of], by_run(jobs))
    assert (flaky.name, flaky.commits, flaky.passed, flaky.failed) == ("test", (of.commit,), 1, 1)


def test_a_job_that_differs_between_runs_of_a_commit_is_flaky() -> None:
    runs = [run(1, "failure", commit="c", event="schedule"), run(2, commit="c", event="schedule")]
    jobs = [job(runs[0], "test", "timed_out"), job(runs[1], "test", "success")]
    assert [one.name for one in flaky_jobs(runs, by_run(jobs))] == ["test"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"commit": "a"}, {"commit": "b"}),
        ({"commit": "a", "event": "push"}, {"commit": "a", "event": "pull_request"}),
        ({"commit": "a", "event": "workflow_dispatch"}, {"commit": "a", "event": "workflow_dispatch"}),
    ],
    ids=["another commit", "the merge of a pull request", "other inputs"],
)
def test_other_code_or_inputs_make_no_flaky_job(first: dict[str, str], second: dict[str, str]) -> None:
    runs = [run(1, "failure", **first), run(2, **second)]  # type: ignore[arg-type]
    jobs = [job(runs[0], "test", "failure"), job(runs[1], "test", "success")]
    assert flaky_jobs(runs, by_run(jobs)) == ()


def test_a_job_that_was_cancelled_or_skipped_is_not_flaky_for_it() -> None:
    of = run(1, attempt=3)
    jobs = [job(of, "test", "cancelled"), job(of, "test", "skipped", attempt=2), job(of, "test", "success")]
    assert flaky_jobs([of], by_run(jobs)) == ()


@given(histories)
def test_flaky_jobs_are_found_whatever_else_ran(runs: list[PipelineRun]) -> None:
    jobs = by_run(
        job(of, "test", of.conclusion) for of in runs if of.conclusion == "success" or of.conclusion in BAD
    )
    for flaky in flaky_jobs(runs, jobs):
        assert flaky.passed >= len(flaky.commits) <= flaky.failed
        for commit in flaky.commits:
            outcomes = {one.conclusion in BAD for one in runs if one.commit == commit and one.id in jobs}
            assert outcomes == {True, False}


@given(histories, st.integers(0, 5))
def test_jobs_are_asked_for_wherever_they_can_matter(runs: list[PipelineRun], newest: int) -> None:
    wanted = {one.id for one in wanted_jobs(runs, newest)}
    assert wanted <= {one.id for one in runs if one.status == "completed"}
    assert {one.id for one in runs if one.conclusion in BAD} <= wanted
    everything = by_run(job(one, "test", one.conclusion) for one in runs)
    asked = {run_id: jobs for run_id, jobs in everything.items() if run_id in wanted}
    assert flaky_jobs(runs, asked) == flaky_jobs(runs, everything)


def test_a_repeated_run_that_passed_is_looked_into_and_a_plain_one_is_not() -> None:
    plain, repeated = run(1), run(2, attempt=2)
    assert wanted_jobs([plain, repeated], 0) == (repeated,)


def test_the_first_job_that_failed_in_the_last_attempt_is_looked_into() -> None:
    of = run(1, "failure", attempt=2)
    late = job(of, "a", "failure", attempt=2).model_copy(update={"completed_at": BEGIN + timedelta(days=2)})
    early = job(of, "z", "failure", attempt=2)
    jobs = [late, early, job(of, "old", "failure"), job(of, "good", "success", attempt=2)]
    assert failed_job(jobs) == early
    assert failed_job([job(of, "good", "success")]) is None


def test_the_last_failure_is_the_newest_one() -> None:
    runs = [run(3), run(2, "timed_out"), run(1, "failure")]
    found = last_failed(runs)
    assert found is not None
    assert found.number == 2
    assert last_failed([run(1)]) is None
