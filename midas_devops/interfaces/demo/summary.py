"""The last step: what ran, how it ended, and where to read about it."""

from __future__ import annotations

from pathlib import Path

from midas_devops.interfaces.demo.screen import Json, Screen, member, members
from midas_devops.interfaces.demo.shell import DemoFailedError, Shell
from midas_devops.interfaces.wording import elapsed, status_of, title

_STYLE = {"good": "green", "bad": "red", "waiting": "yellow", "quiet": "dim"}


def show_summary(shell: Shell, screen: Screen, failed_run: str) -> None:
    """A table of all runs, the environments, and the report of the run that was rolled back."""
    from rich.table import Table
    from rich.text import Text

    screen.headline(
        6, "What happened", "Everything is on record; every run has a self-contained HTML report."
    )
    listed = members(shell.devops("runs", "list", "--limit", "50", expect=(0,)).document, "runs")
    environments = members(shell.devops("env", "list", expect=(0,)).document, "environments")
    documents = {
        str(ended.document["run_id"]): ended.document
        for ended in shell.finished
        if "run_id" in ended.document and "environment" in ended.document
    }
    table = Table(header_style="bold")
    for column in ("run", "what", "status", "exit", "took"):
        table.add_column(column, no_wrap=True)
    for row in reversed(listed):
        run = documents.get(str(row.get("run_id")), row)
        tone, mark, _ = status_of(run)
        status = str(run.get("status", "")).replace("_", " ")
        table.add_row(
            str(row.get("run_id")),
            title(run),
            Text(f"{mark} {status}", style=_STYLE[tone]),
            str(run.get("exit_code", "")),
            elapsed(run),
        )
    screen.console.print(table)
    screen.facts(_environment_line(environment) for environment in environments)
    report = Path(str(member(documents.get(failed_run, {}), "report").get("path", "")))
    if not report.is_file():
        raise DemoFailedError("expected an HTML report of the run that was rolled back; there is none")
    screen.says(f"\n  HTML report of the failed release: {report}", style="bold")


def _environment_line(environment: Json) -> tuple[str, str]:
    verified = "verified" if environment.get("verified") else "not verified"
    blocked = ", ".join(str(item.get("version")) for item in members(environment, "blocked_versions"))
    words = f"{environment.get('version') or 'nothing'}, {verified}  {environment.get('url') or ''}"
    return str(environment.get("name")), words + (f"  blocked: {blocked}" if blocked else "")
