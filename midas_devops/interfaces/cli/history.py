"""History and DORA's figures, for a person at a terminal."""

from __future__ import annotations

from typing import Any

from midas_devops.domain.counting import number
from midas_devops.interfaces.cli.output import show
from midas_devops.interfaces.cli.table import NOTHING, Cell, show_list
from midas_devops.interfaces.wording import clock, dora_rows, plain

_STYLE = {"verified": "green", "failed": "red", "failed verification": "red"}


def show_history(entries: list[dict[str, Any]]) -> None:
    """One line an entry: when, what, outcome, who, why."""
    from rich.text import Text

    rows: list[list[Cell]] = [
        [
            clock(entry["at"]),
            entry["kind"],
            plain(entry["version"] or entry["commit"][:10]) or NOTHING,
            Text(plain(entry["outcome"]), style=_STYLE.get(entry["outcome"], "")),
            plain(entry["by"]) or NOTHING,
            plain(", ".join(entry["approved_by"])) or NOTHING,
            plain(entry["why"] or entry["detail"]) or NOTHING,
        ]
        for entry in entries
    ]
    labels = ("when", "what", "version", "outcome", "by", "approved by", "why")
    show_list(labels, rows, first=4, wraps=True)


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
