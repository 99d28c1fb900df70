"""History and DORA's figures, for a person at a terminal."""

from __future__ import annotations

from typing import Any

from midas_devops.interfaces.cli.output import show
from midas_devops.interfaces.wording import clock, dora_rows, number, plain

_NONE = "-"
_STYLE = {"verified": "green", "failed": "red", "failed verification": "red"}


def show_history(entries: list[dict[str, Any]]) -> None:
    """One line an entry: when, what, outcome, who, why."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for column in ("when", "what", "version", "outcome", "by", "approved by"):
        table.add_column(column, no_wrap=True)
    table.add_column("why", overflow="fold")
    for entry in entries:
        version = plain(entry["version"] or entry["commit"][:10]) or _NONE
        table.add_row(
            clock(entry["at"]),
            entry["kind"],
            version,
            Text(plain(entry["outcome"]), style=_STYLE.get(entry["outcome"], "")),
            plain(entry["by"]) or _NONE,
            plain(", ".join(entry["approved_by"])) or _NONE,
            plain(entry["why"] or entry["detail"]) or _NONE,
        )
    show(table)


def show_figures(figures: list[dict[str, Any]]) -> None:
    """The four figures, an environment below the other."""
    from rich.table import Table

    for found in figures:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(style="dim", no_wrap=True, min_width=22)
        table.add_column(overflow="fold")
        for label, value in dora_rows(found):
            table.add_row(f"  {label}", value)
        show(f"{plain(found['environment'])}, the last {number(found['days'], 'day')}", table)
