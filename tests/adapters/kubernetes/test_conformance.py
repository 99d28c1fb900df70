"""The conformance suite of the port on a real API server: rolling, image alone, blue/green, canary."""

from __future__ import annotations

from typing import Any

import pytest

from midas_devops.testing.deployer import DeployerConformance
from tests.adapters.kubernetes.place import Place

pytestmark = pytest.mark.slow


class TestRolling(DeployerConformance):
    @pytest.fixture
    def world(self, place: Place) -> Any:
        return place


class TestBlueGreen(DeployerConformance):
    @pytest.fixture
    def world(self, place: Place) -> Any:
        place.changes = {"blue_green": True, "service": "web"}
        return place


class TestCanary(DeployerConformance):
    @pytest.fixture
    def world(self, place: Place) -> Any:
        place.changes = {"canary": ({"weight": 25}, {"weight": 50})}
        return place
