"""The local deployer as every deployer."""

from __future__ import annotations

import pytest

from midas_devops.adapters.local.deployer import LocalDeployer
from midas_devops.testing.deployer import DeployerConformance
from tests.adapters.local.place import Place


def _silent(_: str) -> None:
    return None


class LocalWorld:
    def __init__(self, place: Place) -> None:
        self._place = place
        self.first = place.release("v1.0.0")
        self.second = place.release("v1.1.0")
        self.unhealthy = place.release("v1.2.0", "unhealthy")
        self.artifacts = place.artifacts()

    def deployer(self) -> LocalDeployer:
        return self._place.deployer(within=5)

    def answer(self) -> str:
        version = self._place.answer()[0]
        return self._place.git("rev-parse", f"{version}^{{commit}}") if version else ""

    def instance(self) -> str:
        return str(self._place.answer()[1])


class TestLocalDeployer(DeployerConformance):
    @pytest.fixture
    def world(self, place: Place) -> LocalWorld:
        return LocalWorld(place)
