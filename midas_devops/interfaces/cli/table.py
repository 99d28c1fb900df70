"""Lists for a person: a line an entry where the terminal is wide enough, two where it is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from midas_devops.interfaces.cli.output import console, show

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

Cell: TypeAlias = "str | Text"

NOTHING = "-"
"""What a cell without a value shows."""
_GAP = 2
_LEAST_TO_WRAP = 24
"""Columns that the last, wrapping column needs to be worth reading."""


def show_list(
    labels: Sequence[str], rows: Sequence[Sequence[Cell]], *, first: int, wraps: bool = False, indent: int = 0
) -> None:
    """Print rows. Nothing is ever cut: an id that is not whole cannot be pasted.

    ``first`` cells begin an entry where the terminal is too narrow; the others follow below, with labels.
    ``wraps``: the last column may take several lines.
    """
    from rich.cells import cell_len
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    widths = [max(map(cell_len, map(str, column))) for column in zip(labels, *rows, strict=True)]
    if wraps:
        widths[-1] = min(widths[-1], _LEAST_TO_WRAP)
    margin = (0, 0, 0, indent)
    if indent + sum(widths) + _GAP * (len(widths) - 1) > console(sys.stdout).width:
        show(*(Padding(part, margin) for row in rows for part in _entry(labels, row, first)))
        return
    table = Table(box=None, padding=(0, _GAP, 0, 0), header_style="dim", pad_edge=False)
    for position, label in enumerate(labels):
        wrapping = wraps and position == len(labels) - 1
        table.add_column(label, no_wrap=not wrapping, overflow="fold")
    for row in rows:
        # The style of a cell is that of its text, not of the column's rest.
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    show(Padding(table, margin, expand=False))


def _entry(labels: Sequence[str], row: Sequence[Cell], first: int) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    text = Text(overflow="fold")
    for position, cell in enumerate(row[:first]):
        text.append(" " if position else "").append(cell if isinstance(cell, Text) else Text(cell))
    told = [
        f"{label} {cell}"
        for label, cell in zip(labels[first:], map(str, row[first:]), strict=True)
        if cell not in ("", NOTHING)
    ]
    yield text
    if told:
        yield Padding(Text(", ".join(told), "dim", overflow="fold"), (0, 0, 0, _GAP))
