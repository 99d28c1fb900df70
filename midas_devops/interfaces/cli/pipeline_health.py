"""``midas-devops pipeline health``: how the pipelines do, and why one fails."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from midas_devops.interfaces import health_wording as words
from midas_devops.interfaces.cli.output import note, print_json, show, write
from midas_devops.interfaces.cli.progress import live_progress
from midas_devops.interfaces.cli.session import Session, examples, shared
from midas_devops.interfaces.wording import plain

EPILOG = examples(
    "midas-devops pipeline health",
    "midas-devops pipeline health --days 7 --branch '*' --html health.html",
    "midas-devops pipeline health --report-issues --fail-on-failure",
    "midas-devops pipeline health --json | jq -r '.failing[]'",
    note="Exit codes: 0 looked, 1 not reachable, or failing with --fail-on-failure, 2 no host configured.",
)
_STYLE = {"good": "green", "bad": "red", "waiting": "yellow", "quiet": "dim"}
_COLUMNS = ("workflow", "passed", "median", "p95", "trend", "queue", "flaky")


@shared
def pipeline_health(
    session: Session,
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, help="Runs of the last N days.")] = 30,
    runs: Annotated[
        int, typer.Option("--runs", metavar="N", min=1, max=1000, help="At most N runs per workflow.")
    ] = 50,
    branch: Annotated[
        str,
        typer.Option("--branch", metavar="NAME", help="Default: the default branch. '*' is every branch."),
    ] = "",
    html: Annotated[
        str, typer.Option("--html", metavar="FILE", help="Also write a page with plots there.")
    ] = "",
    report_issues: Annotated[
        bool,
        typer.Option(
            "--report-issues", help="Open or update one issue per failing workflow; close it when it passes."
        ),
    ] = False,
    fail_on_failure: Annotated[
        bool, typer.Option("--fail-on-failure", help="Exit with 1 when a workflow fails.")
    ] = False,
) -> int:
    """Show how the pipelines do, and why one fails.

    Success, durations, time in the queue, flaky jobs and the diagnosis of the last failure, per workflow.
    """
    from midas_devops.interfaces.html.files import require_folder

    require_folder(html)
    with live_progress(session) as listen, session.agent(listen) as agent:
        report = agent.pipeline_health(days=days, runs=runs, branch=branch, report_issues=report_issues)
    if html:
        from midas_devops.interfaces.html.health import write_health

        path = write_health(report, Path(html))
        if not session.quiet:
            note(f"written: {session.shown(path)}")
    if session.json:
        print_json(report)
    elif session.quiet:
        write(sys.stdout, "".join(f"{plain(name)}\n" for name in report["failing"]))
    else:
        _show(report)
    return 1 if fail_on_failure and report["failing"] else 0


def _show(report: Mapping[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    tone, mark, sentence = words.headline(report)
    show(Text.assemble((f"{mark} {sentence}", f"bold {_STYLE[tone]}"), f"  {words.window(report)}"))
    if report["workflows"]:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
        table.add_column("")
        for column in _COLUMNS:
            table.add_column(column, overflow="fold", justify="left" if column == "workflow" else "right")
        for workflow in report["workflows"]:
            tone, mark = words.STATE[workflow["state"]]
            name = plain(workflow["name"]) + ("" if workflow["enabled"] else " (disabled)")
            table.add_row(
                Text(mark, style=_STYLE[tone]),
                Text(name, style="bold"),
                words.rate(workflow),
                words.typical(workflow["duration"]),
                words.slowest(workflow["duration"]),
                words.trend(workflow),
                words.typical(workflow["queue"]),
                str(len(workflow["flaky"])) if workflow["flaky"] else "-",
            )
        show(table)
    for workflow in report["workflows"]:
        _show_failing(workflow)
        for job in workflow["flaky"]:
            show(Text(f"⚠ flaky in {plain(workflow['name'])}: {words.flaky(job)}", style="yellow"))
    for issue in report.get("issues", ()):
        place = plain(issue["url"] or f"#{issue['number']}")
        show(f"  issue {issue['action']} for {plain(issue['workflow'])}: {place}")
    for line in report["notes"]:
        show(Text(f"  {plain(line)}", style="dim"))


def _show_failing(workflow: Mapping[str, Any]) -> None:
    from rich.text import Text

    from midas_devops.interfaces.cli.show import quotes

    last = workflow["last_failure"]
    if workflow["state"] != "failing" or last is None:
        return
    show(Text(f"✘ {plain(workflow['name'])} fails: {words.streak(workflow)}", style="red"))
    show(f"  {words.failure(workflow)}", f"  {plain(last['url'])}")
    diagnosis = last["diagnosis"]
    if diagnosis is None:
        show(Text(f"  no diagnosis: {plain(last['note'])}", style="yellow"))
        return
    category = "inconclusive" if diagnosis["verdict"] == "inconclusive" else diagnosis["category"]
    show(f"  {plain(category).replace('_', ' ')}: {plain(diagnosis['summary'])}")
    show(*(Text(f"  {line}", style="cyan") for line in quotes(diagnosis["spans"])))
    for remedy in diagnosis["remedies"][:2]:
        show(f"  → {plain(remedy)}")
