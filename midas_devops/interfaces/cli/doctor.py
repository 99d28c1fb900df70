"""``midas-devops doctor``: what works here, and how to mend what does not."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import typer

from midas_devops.domain.counting import number
from midas_devops.interfaces.cli.output import print_json, show, write
from midas_devops.interfaces.cli.session import Session, examples, shared
from midas_devops.interfaces.wording import plain

if TYPE_CHECKING:
    from midas_devops.interfaces.cli.checkup import Check


@shared
def doctor(session: Session) -> int:
    """See what works here, and how to mend the rest.

    The exit code is 0 when the project is usable, 1 when something that it needs is broken.
    """
    from midas_devops.interfaces.cli.checkup import check_up

    checks = [
        replace(check, detail=session.redact(check.detail), fix=session.redact(check.fix))
        for check in check_up(session.root)
    ]
    usable = all(check.status != "failed" for check in checks)
    if session.json:
        print_json({"ok": usable, "checks": [asdict(check) for check in checks]})
    elif session.quiet:
        write(sys.stdout, "".join(f"{c.name}: {plain(c.detail)}\n" for c in checks if c.status == "failed"))
    else:
        _show(checks)
    return 0 if usable else 1


def _show(checks: list[Check]) -> None:
    from rich.table import Table
    from rich.text import Text

    marks = {"ok": ("✔", "green"), "degraded": ("~", "yellow"), "failed": ("✘", "red")}
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        mark, style = marks[check.status]
        table.add_row(Text(mark, style=style), Text(plain(check.name), style="bold"), plain(check.detail))
        if check.fix:
            table.add_row("", "", Text(f"→ {plain(check.fix)}", style=style))
    failed = [check.name for check in checks if check.status == "failed"]
    degraded = sum(check.status == "degraded" for check in checks)
    if failed:
        last = Text(f"not usable yet: {', '.join(failed)}", style="bold red")
    elif degraded:
        last = Text(f"usable, {number(degraded, 'thing')} degraded", style="bold green")
    else:
        last = Text("everything works", style="bold green")
    show(table, Text(), last)


def register(app: typer.Typer) -> None:
    app.command(
        "doctor", epilog=examples("midas-devops doctor --json | jq '.checks[] | select(.fix != \"\")'")
    )(doctor)
