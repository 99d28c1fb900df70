"""One issue per failing workflow: opened, kept up to date, closed when the workflow passes again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from midas_devops.domain import failure_issue
from midas_devops.domain.base import Value
from midas_devops.domain.pipeline_health import HealthReport, WorkflowHealth
from midas_devops.ports.issues import OpensIssues
from midas_devops.ports.tracker import Issue

Done = Literal["opened", "updated", "reopened", "unchanged", "closed"]


class ReportedIssue(Value):
    """What was done about one workflow's issue."""

    workflow: str
    action: Done
    number: int
    url: str


def report_failures(
    report: HealthReport, tracker: OpensIssues, redact: Callable[[str], str]
) -> Iterator[ReportedIssue]:
    """Bring the issues in line with the report; a second call with the same report writes nothing.

    Each is told as soon as it is done. A workflow that never had an issue gets none for passing. Raises
    ``RemoteError``.
    """
    for workflow in report.workflows:
        done = _one(workflow, report, tracker, redact)
        if done is not None:
            yield done


def _one(
    workflow: WorkflowHealth, report: HealthReport, tracker: OpensIssues, redact: Callable[[str], str]
) -> ReportedIssue | None:
    if workflow.state == "unknown":
        return None
    marker = failure_issue.marker(workflow, report.branch)
    issue = tracker.find_issue(marker, label=failure_issue.LABEL)
    if workflow.state == "failing":
        return _say_failing(workflow, report, tracker, redact, marker, issue)
    if issue is None or issue.state == "closed":
        return None
    newest = workflow.runs[0].id
    tracker.add_issue_comment(
        issue.number, redact(failure_issue.passes_again(workflow)), marker=f"passes-{newest}"
    )
    return _done(workflow, "closed", tracker.update_issue(issue.number, state="closed"))


def _say_failing(
    workflow: WorkflowHealth,
    report: HealthReport,
    tracker: OpensIssues,
    redact: Callable[[str], str],
    marker: str,
    issue: Issue | None,
) -> ReportedIssue:
    told = failure_issue.text(workflow, report.host, report.branch)
    title, body = redact(told.title), redact(told.body)
    if issue is None:
        opened = tracker.open_issue(title, body, marker=marker, label=failure_issue.LABEL)
        return _done(workflow, "opened", opened)
    whole = f"{body}\n\n<!-- midas-devops:{marker} -->"
    if issue.body.replace("\r\n", "\n") == whole:
        # Somebody who closed it has seen this very failure.
        return _done(workflow, "unchanged", issue)
    changed = tracker.update_issue(issue.number, title=title, body=whole, state="open")
    return _done(workflow, "reopened" if issue.state == "closed" else "updated", changed)


def _done(workflow: WorkflowHealth, action: Done, issue: Issue) -> ReportedIssue:
    return ReportedIssue(workflow=workflow.name, action=action, number=issue.number, url=issue.url)
