from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.adapters.local.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """An empty environment. At the end it is stopped, and then nothing may be left of it."""
    made = Place(tmp_path / "project ü", uuid.uuid4().hex)
    yield made
    try:
        made.close()
    finally:
        left = {pid: psutil.Process(pid) for pid in made.living()}
        commands = [process.cmdline() for process in left.values()]
        for process in left.values():
            process.kill()
    assert commands == []
