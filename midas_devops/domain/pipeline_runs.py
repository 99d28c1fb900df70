"""Runs and jobs of a pipeline, as any host tells them."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from midas_devops.domain.base import Value

RunStatus = Literal["queued", "in_progress", "completed"]
"""``queued`` is everything that has not begun: waiting for a runner, an approval or another run."""

Conclusion = Literal[
    "success",
    "failure",
    "timed_out",
    "startup_failure",
    "cancelled",
    "skipped",
    "neutral",
    "action_required",
    "stale",
]
"""GitHub's words. Jenkins: SUCCESS is success, UNSTABLE and FAILURE failure, ABORTED cancelled, NOT_BUILT
skipped."""

BAD: frozenset[Conclusion] = frozenset({"failure", "timed_out", "startup_failure"})
"""Ended badly of itself: somebody should look. A cancelled run says nothing about the code."""


class Workflow(Value):
    """One pipeline that a host knows."""

    id: str
    """GitHub: the workflow's number. Jenkins: the job's full name."""
    name: str
    file: str = ""
    """Path in the repository; empty where the host keeps it itself."""
    state: str = "active"
    """``active``, or the host's word for why it does not run (``disabled_manually``…)."""
    url: str = ""


class PipelineRun(Value):
    """One run of one workflow for one commit. Times are UTC; None: not yet, or not told."""

    id: str
    workflow_id: str
    workflow: str
    """Name, for people."""
    file: str = ""
    number: int = 0
    attempt: int = 1
    status: RunStatus
    conclusion: Conclusion | None = None
    """None until it is completed."""
    branch: str = ""
    commit: str = ""
    event: str = ""
    """What started it: ``push``, ``schedule``, ``workflow_dispatch``…"""
    title: str = ""
    created_at: AwareDatetime
    started_at: AwareDatetime | None = None
    """When this attempt began."""
    updated_at: AwareDatetime | None = None
    """When a completed run ended."""
    url: str = ""


class PipelineJob(Value):
    """One job (Jenkins: one build's stage, or the build itself) of one attempt of a run."""

    id: str
    run_id: str
    name: str
    attempt: int = 1
    status: RunStatus
    conclusion: Conclusion | None = None
    commit: str = ""
    created_at: AwareDatetime | None = None
    """When it was queued."""
    started_at: AwareDatetime | None = None
    completed_at: AwareDatetime | None = None
    failed_step: str = ""
    url: str = ""
