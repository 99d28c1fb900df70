"""The deployer in memory keeps the promises that tests of others rely on."""

from __future__ import annotations

from pathlib import Path

import pytest

from midas_devops.adapters.artifacts import open_artifacts
from midas_devops.ports.deployer import Release
from midas_devops.testing.deployer import DeployerConformance, FakeDeployer, FakeTarget


def _release(version: str, commit: str) -> Release:
    return Release(run_id="run-1", environment="staging", version=version, commit=commit * 40)


class FakeWorld:
    def __init__(self, root: Path) -> None:
        self.first, self.second = _release("v1", "a"), _release("v2", "b")
        self.unhealthy = _release("v3", "c")
        self.target = FakeTarget(unhealthy={self.unhealthy.commit})
        self.artifacts = open_artifacts(".midas/artifacts", root)

    def deployer(self) -> FakeDeployer:
        return FakeDeployer("staging", self.target, self.artifacts)

    def answer(self) -> str:
        return self.target.running.commit if self.target.running else ""

    def instance(self) -> str:
        return str(self.target.instances)


class TestFakeDeployer(DeployerConformance):
    @pytest.fixture
    def world(self, tmp_path: Path) -> FakeWorld:
        return FakeWorld(tmp_path)


def test_effects_are_counted_and_a_death_after_one_is_real(tmp_path: Path) -> None:
    world = FakeWorld(tmp_path)
    world.target.ends_with = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        world.deployer().deploy(world.first, str)
    assert world.deployer().deploy(world.first, str).failure is None
    assert world.target.effects == [("deploy", world.first.commit)]


def test_a_scripted_failure_is_reported_with_its_code(tmp_path: Path) -> None:
    world = FakeWorld(tmp_path)
    world.target.failures[world.first.commit] = ("disk_full", "no space left")
    result = world.deployer().deploy(world.first, str)
    assert result.failure is not None
    assert (result.failure.code, result.serving) == ("disk_full", None)
