"""Lists at a terminal: whatever its width, nothing of an id or an address is cut."""

from __future__ import annotations

import pytest
from rich.text import Text

from midas_devops.interfaces.cli import output
from midas_devops.interfaces.cli.table import show_list

LABELS = ("", "run", "status", "what", "by")
ROWS = [
    [Text("✔"), "run-20260131-142509-3f9a1c", Text("awaiting_approval"), "release v1 → staging", "ana"],
    [Text("✘"), "run-20260131-142510-aaaaaa", Text("failed"), "apply infra → production", "-"],
]


@pytest.fixture
def columns(monkeypatch):
    def set_width(width: int) -> None:
        monkeypatch.setattr(output, "PIPE_WIDTH", width)

    return set_width


@pytest.mark.parametrize("width", [36, 40, 79, 80, 120, 200])
def test_nothing_is_cut_at_any_width(columns, capsys, width):
    columns(width)
    show_list(LABELS, ROWS, first=3)

    said = capsys.readouterr().out
    assert "…" not in said
    words = " ".join(said.split())
    for row in ROWS:
        for cell in row:
            assert str(cell) in words
    assert max(map(len, said.splitlines())) <= max(width, len("✔ run-20260131-142509-3f9a1c"))


def test_a_wide_terminal_has_a_line_an_entry(columns, capsys):
    columns(120)
    show_list(LABELS, ROWS, first=3)

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].split() == ["run", "status", "what", "by"]


def test_a_narrow_one_tells_what_each_value_is_and_leaves_out_what_there_is_not(columns, capsys):
    columns(60)
    show_list(LABELS, ROWS, first=3)

    assert capsys.readouterr().out.splitlines() == [
        "✔ run-20260131-142509-3f9a1c awaiting_approval",
        "  what release v1 → staging, by ana",
        "✘ run-20260131-142510-aaaaaa failed",
        "  what apply infra → production",
    ]


def test_only_the_last_column_wraps_where_it_may(columns, capsys):
    columns(60)
    show_list(("when", "why"), [["2026-01-31", "because " * 20]], first=1, wraps=True)

    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("2026-01-31  because")
    assert len(lines) > 3
