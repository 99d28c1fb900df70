"""Golden files: rewritten by ``make goldens``, compared otherwise."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

FOLDER = Path(__file__).parent


def assert_golden(name: str, text: str) -> None:
    """The text equals the golden file ``name``; a difference is shown as a diff."""
    path = FOLDER / name
    if os.environ.get("MIDAS_UPDATE_GOLDENS"):
        path.write_text(text, encoding="utf-8")
    expected = path.read_text(encoding="utf-8") if path.exists() else ""
    difference = "".join(
        difflib.unified_diff(expected.splitlines(True), text.splitlines(True), f"golden {name}", "now")
    )
    assert text == expected, f"{difference}\nIf this was meant: make goldens"
