"""Goldens that can be written anew: MIDAS_UPDATE_GOLDENS=1 pytest tests/config."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def golden() -> Callable[[Path, str], None]:
    """Compare with a file; write it when asked to."""

    def compare(file: Path, text: str) -> None:
        if os.environ.get("MIDAS_UPDATE_GOLDENS"):
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8")

    return compare
