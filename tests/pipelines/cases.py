"""Small repositories as folders: ``tree/``, ``details.json``, and what is expected of them.

To add one, add a folder with ``tree/`` and ``details.json`` and run the goldens with MIDAS_UPDATE_GOLDENS=1.
"""

from __future__ import annotations

import difflib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORIES = Path(__file__).parent / "repositories"


@dataclass(frozen=True)
class Case:
    """One repository."""

    folder: Path

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    @property
    def details(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.folder / "details.json").read_text())
        return read

    def assert_golden(self, name: str, text: str) -> None:
        """The text equals the file ``name`` of this case; a difference is shown as a diff."""
        path = self.folder / name
        if os.environ.get("MIDAS_UPDATE_GOLDENS"):
            path.write_text(text, encoding="utf-8")
        expected = path.read_text(encoding="utf-8") if path.exists() else ""
        difference = "".join(
            difflib.unified_diff(expected.splitlines(True), text.splitlines(True), f"golden {name}", "now")
        )
        assert text == expected, (
            f"{difference}\nIf this was meant: MIDAS_UPDATE_GOLDENS=1 pytest tests/pipelines"
        )


def cases() -> list[Case]:
    """Every folder of ``repositories/``."""
    return [Case(folder) for folder in sorted(REPOSITORIES.iterdir()) if (folder / "tree").is_dir()]


def case(name: str) -> Case:
    return Case(REPOSITORIES / name)
