"""A graph can be drawn without any port."""

from __future__ import annotations

from typing import Any

import pytest

from midas_devops.ports.bundle import Ports


@pytest.fixture
def no_ports() -> Any:
    return object.__new__(Ports)
