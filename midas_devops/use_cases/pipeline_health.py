"""How a project's pipelines do: runs read from their host, figures, and the last failure's diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from midas_devops.domain.base import Value
from midas_devops.domain.evidence import Diagnosis
from midas_devops.domain.pipeline_health import (
    HealthReport,
    LastFailure,
    WorkflowHealth,
    failed_job,
    health,
    last_failed,
    wanted_jobs,
)
from midas_devops.domain.pipeline_runs import PipelineJob, PipelineRun, Workflow
from midas_devops.errors import RemoteError, UsageError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.pipeline import PipelineRuns

JOBS_OF_NEWEST = 20
"""Runs per workflow whose jobs are read for the queue time, whatever their outcome."""
MOST_JOBS_OF = 60
_LOG_IS_AWAY = frozenset({"gone", "not_found", "forbidden", "refused"})
_ORDER = {"failing": 0, "passing": 1, "unknown": 2}

Say = Callable[[str], None]


class Window(Value):
    """Which runs count. ``branch``: empty is the host's default branch, ``*`` every branch."""

    days: int = 30
    runs: int = 50
    """Most per workflow."""
    branch: str = ""


def look_at_pipelines(
    host: PipelineRuns,
    artifacts: Artifacts,
    redact: Callable[[str], str],
    window: Window,
    *,
    name: str,
    now: datetime,
    say: Say = lambda _: None,
) -> HealthReport:
    """Reads only. Raw logs become private artifacts. Raises ``UsageError``, ``RemoteError``."""
    if window.days < 1 or window.runs < 1:
        raise UsageError("a window has at least one day and one run", hint="Give --days 30 or --runs 50.")
    branch = "" if window.branch == "*" else window.branch or host.default_branch()
    since = now - timedelta(days=window.days)
    notes: list[str] = []
    found: list[WorkflowHealth] = []
    for workflow in host.workflows():
        say(f"reading the runs of {redact(workflow.name)}")
        runs = host.runs(workflow=workflow.id, branch=branch, since=since, limit=window.runs)
        if runs:
            found.append(_one(host, artifacts, redact, workflow, runs, notes, say))
        elif workflow.state == "active":
            notes.append(f"{workflow.name}: no runs in this window")
    found.sort(key=lambda one: (_ORDER[one.state], one.name.lower(), one.id))
    return HealthReport(
        host=name,
        branch=branch,
        since=since,
        until=now,
        most_runs=window.runs,
        workflows=tuple(found),
        failing=tuple(one.name for one in found if one.state == "failing"),
        notes=tuple(notes),
    )


def _one(
    host: PipelineRuns,
    artifacts: Artifacts,
    redact: Callable[[str], str],
    workflow: Workflow,
    runs: Sequence[PipelineRun],
    notes: list[str],
    say: Say,
) -> WorkflowHealth:
    wanted = wanted_jobs(runs, JOBS_OF_NEWEST)
    if len(wanted) > MOST_JOBS_OF:
        notes.append(f"{workflow.name}: jobs of the newest {MOST_JOBS_OF} of {len(wanted)} runs were read")
    jobs = {run.id: host.jobs(run) for run in wanted[:MOST_JOBS_OF]}
    failed = last_failed(runs)
    if failed is None:
        return health(workflow, runs, jobs)
    its_jobs = jobs[failed.id] if failed.id in jobs else host.jobs(failed)
    return health(workflow, runs, jobs, _why(host, artifacts, redact, failed, failed_job(its_jobs), say))


def _why(
    host: PipelineRuns,
    artifacts: Artifacts,
    redact: Callable[[str], str],
    run: PipelineRun,
    job: PipelineJob | None,
    say: Say,
) -> LastFailure:
    """The last failure; without a diagnosis where the host no longer has its log."""
    log, note = "", ""
    diagnosis: Diagnosis | None = None
    if job is None:
        note = "no job of it failed: the workflow could not start"
    else:
        say(redact(f"fetching the log of {job.name}"))
        try:
            ref = host.log(job)
        except RemoteError as refused:
            if refused.reason not in _LOG_IS_AWAY:
                raise
            note = redact(refused.message)
        else:
            from midas_devops.knowledge.diagnose import diagnose_file

            say(redact(f"diagnosing the log of {job.name}, {ref.size >> 10} KiB"))
            log = ref.uri
            diagnosis = diagnose_file(artifacts.path(ref), shown_as=ref.uri, redact=redact)
    return LastFailure(
        run_id=run.id,
        number=run.number,
        attempt=run.attempt,
        conclusion=run.conclusion or "failure",
        branch=run.branch,
        commit=run.commit,
        event=run.event,
        at=run.updated_at or run.created_at,
        url=run.url,
        job=job.name if job else "",
        step=job.failed_step if job else "",
        log=log,
        diagnosis=diagnosis,
        note=note,
    )
