"""Jenkins' jobs and builds, as its JSON tells them, in our words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from pydantic import ValidationError

from midas_devops.adapters.jenkins_api import JenkinsApi, job_path
from midas_devops.domain.pipeline_runs import Conclusion, PipelineJob, PipelineRun, Workflow

BUILD_TREE = (
    "number,building,inProgress,result,timestamp,duration,displayName,"
    "actions[causes[_class],parameters[name,value],lastBuiltRevision[SHA1,branch[name]],"
    "queuingDurationMillis]"
)
_RESULTS: dict[str, Conclusion] = {
    "SUCCESS": "success",
    "UNSTABLE": "failure",
    "FAILURE": "failure",
    "ABORTED": "cancelled",
    "NOT_BUILT": "skipped",
}
_CAUSES = {
    "TimerTriggerCause": "schedule",
    "SCMTriggerCause": "push",
    "BranchEventCause": "push",
    "BranchIndexingCause": "push",
    "GitHubPushCause": "push",
    "UserIdCause": "workflow_dispatch",
    "RemoteCause": "workflow_dispatch",
    "UpstreamCause": "workflow_run",
    "BuildUpstreamCause": "workflow_run",
    "ReplayCause": "replay",
}
_REMOTES = ("refs/remotes/origin/", "remotes/origin/", "origin/", "refs/heads/")
_FOLDERS_DEEP = 3


def workflow_tree() -> str:
    """Jobs in folders in folders, as far down as multibranch projects stand in practice."""
    one = "_class,name,fullName,buildable"
    tree = one
    for _ in range(_FOLDERS_DEEP):
        tree = f"{one},jobs[{tree}]"
    return tree


def read_workflow(api: JenkinsApi, attempted: str, found: Mapping[str, Any]) -> Workflow:
    full_name = found.get("fullName")
    if not isinstance(full_name, str) or not full_name:
        raise api.failed(attempted, "unreadable", "a job without a name")
    return Workflow(
        id=full_name,
        name=unquote(str(found.get("name") or full_name)),
        state="disabled" if found.get("buildable") is False else "active",
        url=api.address(job_path(full_name)),
    )


def read_build(api: JenkinsApi, attempted: str, workflow: Workflow, found: Any) -> PipelineRun:
    """``timestamp`` is when the build left the queue; how long it waited there only a plugin tells."""
    try:
        actions = [action for action in found.get("actions") or () if isinstance(action, dict)]
        began = datetime.fromtimestamp(int(found["timestamp"]) / 1000, UTC)
        waited = max((int(action.get("queuingDurationMillis") or 0) for action in actions), default=0)
        running = bool(found.get("building") or found.get("inProgress"))
        number = int(found["number"])
        commit, branch = _revision(actions)
        return PipelineRun(
            id=f"{workflow.id}#{number}",
            workflow_id=workflow.id,
            workflow=workflow.name,
            number=number,
            status="in_progress" if running else "completed",
            conclusion=None if running else _RESULTS.get(str(found.get("result")), "neutral"),
            branch=branch or _branch_of(workflow),
            commit=commit,
            event=_event(actions),
            title=str(found.get("displayName") or ""),
            created_at=began - timedelta(milliseconds=waited),
            started_at=began,
            updated_at=None if running else began + timedelta(milliseconds=int(found.get("duration") or 0)),
            url=f"{workflow.url}{number}/",
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError, ValidationError) as odd:
        raise api.failed(attempted, "unreadable", f"{type(odd).__name__} in a build") from odd


def read_job(run: PipelineRun, failed_step: str) -> PipelineJob:
    """A build is one job; its stages share one log."""
    return PipelineJob(
        id=run.id,
        run_id=run.id,
        name=run.workflow,
        status=run.status,
        conclusion=run.conclusion,
        commit=run.commit,
        created_at=run.created_at,
        started_at=run.started_at,
        completed_at=run.updated_at,
        failed_step=failed_step,
        url=run.url,
    )


def failed_stage(described: Mapping[str, Any]) -> str:
    """The first stage that failed, as the stage view's plugin tells it; empty when none did."""
    stages = described.get("stages")
    for stage in stages if isinstance(stages, list) else ():
        if isinstance(stage, dict) and stage.get("status") in ("FAILED", "UNSTABLE"):
            return str(stage.get("name") or "")
    return ""


def parameters_of(actions: object) -> Iterator[tuple[str, str]]:
    """What a build or a queued one was given."""
    for action in actions if isinstance(actions, list) else ():
        given = action.get("parameters") if isinstance(action, dict) else None
        for one in given if isinstance(given, list) else ():
            if isinstance(one, dict) and "value" in one:
                yield str(one.get("name")), str(one["value"])


def _revision(actions: list[dict[str, Any]]) -> tuple[str, str]:
    for action in actions:
        built = action.get("lastBuiltRevision")
        if isinstance(built, dict) and built.get("SHA1"):
            names = [str(one.get("name") or "") for one in built.get("branch") or ()]
            branch = names[0] if names else ""
            for prefix in _REMOTES:
                branch = branch.removeprefix(prefix)
            return str(built["SHA1"]), "" if branch == "detached" else branch
    return "", ""


def _branch_of(workflow: Workflow) -> str:
    """A multibranch project's jobs are its branches; their names are encoded."""
    last = workflow.id.rpartition("/")[2]
    return unquote(last) if "%" in last else ""


def _event(actions: list[dict[str, Any]]) -> str:
    for action in actions:
        for cause in action.get("causes") or ():
            name = str(cause.get("_class") or "").replace("$", ".").rpartition(".")[2]
            return _CAUSES.get(name, name)
    return ""
