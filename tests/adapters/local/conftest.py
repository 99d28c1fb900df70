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
    made.close()
    left = [psutil.Process(pid).cmdline() for pid in made.living()]
    assert left == []
