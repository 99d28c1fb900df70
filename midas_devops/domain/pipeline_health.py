"""Figures of pipeline health from runs and jobs. Pure: the same runs give the same figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Literal

from pydantic import AwareDatetime

from midas_devops.domain.base import Value
from midas_devops.domain.evidence import Diagnosis
from midas_devops.domain.pipeline_runs import BAD, Conclusion, PipelineJob, PipelineRun, Workflow

State = Literal["passing", "failing", "unknown"]
Direction = Literal["slower", "faster", "steady", "unknown"]

STEADY = 0.1
"""Change of the median below which a duration counts as steady."""
ENOUGH_FOR_TREND = 6
_NEVER = datetime.max.replace(tzinfo=UTC)
_BY_HAND = frozenset({"workflow_dispatch", "repository_dispatch"})
"""Runs that somebody gives inputs to: the same commit need not do the same twice."""


class Durations(Value):
    """Median and 95th percentile of a number of durations, in seconds. None when there are none."""

    count: int = 0
    median_seconds: float | None = None
    p95_seconds: float | None = None
    """Nearest rank: a duration that did occur."""


class Trend(Value):
    """The median of the later half of the runs against that of the earlier half."""

    direction: Direction = "unknown"
    earlier_seconds: float | None = None
    later_seconds: float | None = None
    change: float | None = None
    """0.25: a quarter longer."""


class FlakyJob(Value):
    """A job that passed and failed for the same commit."""

    name: str
    commits: tuple[str, ...]
    """Newest first."""
    passed: int
    """Outcomes on these commits."""
    failed: int


class LastFailure(Value):
    """The newest run that ended badly, and why."""

    run_id: str
    number: int
    attempt: int
    conclusion: Conclusion
    branch: str
    commit: str
    event: str
    at: AwareDatetime
    url: str
    job: str = ""
    step: str = ""
    log: str = ""
    """``artifact:<sha256>``, private."""
    diagnosis: Diagnosis | None = None
    note: str = ""
    """Why there is no diagnosis."""


class RunPoint(Value):
    """One run, as a plot shows it."""

    id: str
    number: int
    attempt: int
    conclusion: Conclusion | None
    commit: str
    created_at: AwareDatetime
    duration_seconds: float | None
    url: str


class WorkflowHealth(Value):
    """How one workflow did within the window."""

    id: str
    name: str
    file: str
    enabled: bool
    url: str = ""
    state: State
    """By the newest run that passed or ended badly."""
    runs_total: int
    succeeded: int
    failed: int
    cancelled: int
    other: int
    """Skipped, neutral, waiting for somebody."""
    unfinished: int
    success_rate: float | None
    """Of the runs that passed or ended badly; None when there are none."""
    duration: Durations
    """Of runs that passed: those are comparable."""
    trend: Trend
    queue: Durations
    """From a job's creation to its start."""
    flaky: tuple[FlakyJob, ...]
    failures_in_a_row: int
    failing_since: AwareDatetime | None
    last_failure: LastFailure | None
    runs: tuple[RunPoint, ...]
    """Newest first."""


class HealthReport(Value):
    """All workflows of one host, within one window."""

    host: str
    branch: str
    """Empty: all branches."""
    since: AwareDatetime | None
    until: AwareDatetime
    most_runs: int
    """Per workflow."""
    workflows: tuple[WorkflowHealth, ...]
    """The failing ones first."""
    failing: tuple[str, ...]
    """Names of workflows."""
    notes: tuple[str, ...] = ()


def wanted_jobs(runs: Sequence[PipelineRun], newest: int) -> tuple[PipelineRun, ...]:
    """The runs whose jobs are worth asking for: the newest, the failed, the repeated, the contradicted."""
    outcomes: dict[tuple[str, ...], set[bool]] = defaultdict(set)
    for run in runs:
        if _decided(run):
            outcomes[_code(run)].add(run.conclusion in BAD)
    recent = {run.id for run in sorted(runs, key=_age, reverse=True)[:newest]}
    return tuple(
        run
        for run in runs
        if run.status == "completed"
        and (
            run.id in recent
            or run.conclusion in BAD
            or run.attempt > 1
            or len(outcomes.get(_code(run), ())) > 1
        )
    )


def health(
    workflow: Workflow,
    runs: Sequence[PipelineRun],
    jobs: Mapping[str, Sequence[PipelineJob]],
    last_failure: LastFailure | None = None,
) -> WorkflowHealth:
    """The figures of one workflow. ``jobs`` by run id, of as many runs as were asked for."""
    ordered = sorted(runs, key=_age, reverse=True)
    decided = [run for run in ordered if _decided(run)]
    bad = [run for run in decided if run.conclusion in BAD]
    good = len(decided) - len(bad)
    streak = _streak(decided)
    cancelled = sum(run.conclusion == "cancelled" for run in ordered)
    unfinished = sum(run.status != "completed" for run in ordered)
    passed = [seconds for run in reversed(decided) if run.conclusion == "success" for seconds in _took(run)]
    return WorkflowHealth(
        id=workflow.id,
        name=workflow.name,
        file=workflow.file,
        enabled=workflow.state == "active",
        url=workflow.url,
        state="failing" if streak else "passing" if decided else "unknown",
        runs_total=len(ordered),
        succeeded=good,
        failed=len(bad),
        cancelled=cancelled,
        other=len(ordered) - len(decided) - cancelled - unfinished,
        unfinished=unfinished,
        success_rate=good / len(decided) if decided else None,
        duration=durations(passed),
        trend=trend(passed),
        queue=durations(queue_seconds(job for run in ordered for job in jobs.get(run.id, ()))),
        flaky=flaky_jobs(ordered, jobs),
        failures_in_a_row=len(streak),
        failing_since=streak[-1].created_at if streak else None,
        last_failure=last_failure,
        runs=tuple(_point(run) for run in ordered),
    )


def last_failed(runs: Iterable[PipelineRun]) -> PipelineRun | None:
    """The newest run that ended badly."""
    return max((run for run in runs if run.conclusion in BAD), key=_age, default=None)


def failed_job(jobs: Iterable[PipelineJob]) -> PipelineJob | None:
    """The job to look into: of the last attempt, the first that ended badly; others often follow from it."""
    bad = [job for job in jobs if job.conclusion in BAD]
    last = max((job.attempt for job in bad), default=0)
    return min(
        (job for job in bad if job.attempt == last),
        key=lambda job: (job.completed_at is None, job.completed_at or _NEVER, job.name),
        default=None,
    )


def durations(seconds: Sequence[float]) -> Durations:
    """Median and nearest-rank 95th percentile (the smallest value that 95 % do not exceed)."""
    if not seconds:
        return Durations()
    ordered = sorted(seconds)
    rank = -(-95 * len(ordered) // 100)
    return Durations(count=len(ordered), median_seconds=median(ordered), p95_seconds=ordered[rank - 1])


def trend(seconds: Sequence[float]) -> Trend:
    """Later half against earlier half, in order of time; the middle one of an odd number is in neither."""
    if len(seconds) < ENOUGH_FOR_TREND:
        return Trend()
    half = len(seconds) // 2
    earlier, later = median(seconds[:half]), median(seconds[-half:])
    change = (later - earlier) / earlier if earlier else None
    direction: Direction = "steady"
    if change is None:
        direction = "slower" if later else "steady"
    elif abs(change) >= STEADY:
        direction = "slower" if change > 0 else "faster"
    return Trend(direction=direction, earlier_seconds=earlier, later_seconds=later, change=change)


def queue_seconds(jobs: Iterable[PipelineJob]) -> list[float]:
    """How long jobs waited for a runner. Skipped ones never had one."""
    return [
        # Clocks of two machines: a job cannot have begun before it was there.
        max(0.0, (job.started_at - job.created_at).total_seconds())
        for job in jobs
        if job.created_at and job.started_at and job.conclusion != "skipped" and job.status != "queued"
    ]


def flaky_jobs(
    runs: Sequence[PipelineRun], jobs: Mapping[str, Sequence[PipelineJob]]
) -> tuple[FlakyJob, ...]:
    """Jobs that both passed and ended badly on one commit: in attempts of a run, or in runs of one event.

    A push and a pull request test different code (the merge), and runs with inputs need not be alike: those
    are compared within one run only.
    """
    seen: dict[str, dict[tuple[str, ...], list[bool]]] = defaultdict(lambda: defaultdict(list))
    for run in sorted(runs, key=_age, reverse=True):
        for job in jobs.get(run.id, ()):
            if job.conclusion == "success" or job.conclusion in BAD:
                seen[job.name][_code(run)].append(job.conclusion in BAD)
    found = []
    for name, by_code in seen.items():
        mixed = {code: outcomes for code, outcomes in by_code.items() if len(set(outcomes)) > 1}
        if mixed:
            outcomes = [outcome for some in mixed.values() for outcome in some]
            found.append(
                FlakyJob(
                    name=name,
                    commits=tuple(dict.fromkeys(code[0] for code in mixed)),
                    passed=outcomes.count(False),
                    failed=outcomes.count(True),
                )
            )
    return tuple(sorted(found, key=lambda job: (-len(job.commits), job.name)))


def _code(run: PipelineRun) -> tuple[str, ...]:
    """What runs of the same code have in common."""
    alone = run.event in _BY_HAND or not run.commit
    return (run.commit, run.workflow_id, run.event, run.id if alone else "")


def _decided(run: PipelineRun) -> bool:
    return run.conclusion == "success" or run.conclusion in BAD


def _streak(decided: Sequence[PipelineRun]) -> list[PipelineRun]:
    """The bad runs since the last good one, newest first."""
    found: list[PipelineRun] = []
    for run in decided:
        if run.conclusion not in BAD:
            break
        found.append(run)
    return found


def _age(run: PipelineRun) -> tuple[datetime, int, str]:
    return (run.created_at, run.number, run.id)


def _took(run: PipelineRun) -> tuple[float, ...]:
    """Seconds from the beginning of the attempt to its end; nothing while that is not known."""
    started = run.started_at or run.created_at
    if run.status != "completed" or run.updated_at is None or run.updated_at < started:
        return ()
    return ((run.updated_at - started).total_seconds(),)


def _point(run: PipelineRun) -> RunPoint:
    return RunPoint(
        id=run.id,
        number=run.number,
        attempt=run.attempt,
        conclusion=run.conclusion,
        commit=run.commit,
        created_at=run.created_at,
        duration_seconds=next(iter(_took(run)), None),
        url=run.url,
    )
