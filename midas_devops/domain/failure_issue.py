"""The one issue of a failing workflow: its text, and how it is recognised."""

from __future__ import annotations

import re

from midas_devops.domain.base import Value
from midas_devops.domain.counting import number
from midas_devops.domain.pipeline_health import LastFailure, WorkflowHealth

LABEL = "pipeline-failure"
_LINES_SHOWN = 30
_LINE_SHOWN = 400
_FENCE = re.compile(r"`{3,}")


class IssueText(Value):
    """Title and body of an issue. Text from outside stands in code, where it neither links nor notifies."""

    title: str
    body: str


def marker(workflow: WorkflowHealth, branch: str) -> str:
    """What recognises the issue of this workflow on this branch: the file outlives a renaming."""
    return f"pipeline:{_plain(workflow.file or workflow.id)}@{_plain(branch or '*')}"


def text(workflow: WorkflowHealth, host: str, branch: str) -> IssueText:
    """What the issue says now. The same failure gives the same text."""
    on = f" on {_plain(branch)}" if branch else ""
    lines = [
        f"The workflow {_code(workflow.name)} of {_plain(host)} fails{on}: {_runs(workflow)}.",
        "",
    ]
    if workflow.last_failure:
        lines += _failure(workflow.last_failure)
    if workflow.flaky:
        names = ", ".join(_code(job.name) for job in workflow.flaky[:5])
        lines += ["", f"Flaky (same commit, different outcome): {names}"]
    lines += ["", "This text follows the workflow; the issue is closed when it passes again."]
    return IssueText(title=f"Pipeline fails{on}: {_plain(workflow.name)}", body="\n".join(lines))


def passes_again(workflow: WorkflowHealth) -> str:
    """The comment that closes the issue."""
    good = next((run for run in workflow.runs if run.conclusion == "success"), None)
    if good is None:
        return f"The workflow {_code(workflow.name)} passes again."
    return f"The workflow {_code(workflow.name)} passes again, with run {_run(good.number, good.url)}."


def _runs(workflow: WorkflowHealth) -> str:
    since = f"{workflow.failing_since:%Y-%m-%d %H:%M} UTC" if workflow.failing_since else "a time not told"
    return f"{number(workflow.failures_in_a_row, 'run')} in a row, since {since}"


def _failure(failure: LastFailure) -> list[str]:
    where = ", ".join(
        part
        for part in (
            f"job {_code(failure.job)}" if failure.job else "",
            f"step {_code(failure.step)}" if failure.step else "",
        )
        if part
    )
    run = f"run {_run(failure.number, failure.url)}, attempt {failure.attempt}"
    ended = failure.conclusion.replace("_", " ")
    lines = [f"- last failure: {run}, commit {_code(failure.commit[:12])}, {ended}"]
    if where:
        lines.append(f"- where: {where}")
    diagnosis = failure.diagnosis
    if diagnosis is None:
        return lines + ([f"- no diagnosis: {_code(failure.note)}"] if failure.note else [])
    verdict = "inconclusive" if diagnosis.verdict == "inconclusive" else diagnosis.category.replace("_", " ")
    lines += [f"- diagnosis: **{verdict}**", "", *_fenced(diagnosis.summary)]
    for span in diagnosis.spans[:2]:
        lines += ["", f"Lines {span.first_line} to {span.last_line} of the job's log:", ""]
        lines += _fenced("\n".join(span.text.split("\n")[:_LINES_SHOWN]))
    if diagnosis.remedies:
        lines += ["", "What helps:", "", *(f"1. {_code(remedy)}" for remedy in diagnosis.remedies[:5])]
    return lines


def _run(number: int, url: str) -> str:
    # A number alone would link to an issue of that number.
    shown = _code(f"{number}")
    safe = re.fullmatch(r"https?://[^\s()<>\[\]`]+", url)
    return f"[{shown}]({url})" if safe else shown


def _fenced(given: str) -> list[str]:
    """A code block. Cut to what an issue can hold, and without a marker of ours that a log may contain."""
    given = "\n".join(line[:_LINE_SHOWN] for line in given.replace("<!--", "<! --").split("\n"))
    longest = max((len(run) for run in _FENCE.findall(given)), default=2)
    fence = "`" * (longest + 1)
    return [f"{fence}text", given, fence]


def _code(given: str) -> str:
    """A code span: no mention, link or mark-up in it takes effect."""
    return f"`{_plain(given).replace('`', chr(39)) or ' '}`"


def _plain(given: str) -> str:
    """One line that ends no comment and opens no tag."""
    line = "".join(c if c.isprintable() else " " for c in " ".join(given.split()))
    return line.replace("<", "(").replace(">", ")").replace("--)", "-)").replace("@", "@\u200b")[:200]
