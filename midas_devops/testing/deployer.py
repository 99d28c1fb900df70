"""Conformance suite of the Deployer port, and a deployer for tests that keeps everything in memory.

Subclass :class:`DeployerConformance` in a test file as ``class TestMine(DeployerConformance)`` and give it a
``world`` fixture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import pytest

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.deployer import (
    Deployer,
    DeployErrorCode,
    DeployFailure,
    DeployPlan,
    DeployResult,
    HealthReading,
    Release,
    Running,
)
from midas_devops.ports.iac import Progress


class DeployerWorld(Protocol):
    """One empty environment with releases for it, as the suite needs them."""

    first: Release
    """Serves well."""
    second: Release
    """Serves well too."""
    unhealthy: Release
    """Starts, and fails its health check."""
    artifacts: Artifacts
    """Where the deployer keeps its logs."""

    def deployer(self) -> Deployer:
        """A new object, as a new process would make it. It finds what an earlier one did."""
        ...

    def answer(self) -> str:
        """Seen from outside, past the deployer: the commit that answers; empty when nothing does."""
        ...

    def instance(self) -> str:
        """Seen from outside: a name that changes when what runs is started anew."""
        ...


def _silent(_: str) -> None:
    return None


def _names(release: Release) -> tuple[str, str]:
    return release.version, release.commit[:12]


class DeployerConformance:
    """What every deployer does."""

    restores_on_failure = True
    """Whether a failed deploy itself brings back what served before; else the caller rolls back."""

    @pytest.fixture
    def world(self) -> DeployerWorld:
        """To be given by the subclass."""
        raise NotImplementedError

    def test_nothing_runs_on_an_empty_environment(self, world: DeployerWorld) -> None:
        assert world.deployer().status() is None

    def test_a_deployed_release_serves(self, world: DeployerWorld) -> None:
        result = world.deployer().deploy(world.first, _silent)
        assert result.failure is None
        assert result.serving is not None
        assert result.serving.commit == world.first.commit == world.answer()
        assert not result.serving.unfinished

    def test_what_runs_is_found_by_a_later_process(self, world: DeployerWorld) -> None:
        world.deployer().deploy(world.first, _silent)
        running = world.deployer().status()
        assert running is not None
        assert running.commit == world.first.commit

    def test_deploying_what_serves_starts_nothing(self, world: DeployerWorld) -> None:
        world.deployer().deploy(world.first, _silent)
        before = world.instance()
        result = world.deployer().deploy(world.first, _silent)
        assert result.failure is None
        assert result.serving is not None
        assert result.serving.commit == world.first.commit
        assert world.instance() == before

    def test_a_plan_says_what_would_be_done_and_does_nothing(self, world: DeployerWorld) -> None:
        world.deployer().deploy(world.first, _silent)
        before = world.instance()
        planned = world.deployer().plan(world.second)
        assert planned.effects
        assert all(line and "\n" not in line for line in planned.effects)
        assert planned == world.deployer().plan(world.second)
        assert planned.details is None or planned.details.private
        assert (world.answer(), world.instance()) == (world.first.commit, before)

    def test_a_plan_to_roll_back_names_the_way_and_does_nothing(self, world: DeployerWorld) -> None:
        for release in (world.first, world.second):
            world.deployer().deploy(release, _silent)
        before = world.instance()
        planned = world.deployer().plan_rollback(world.first)
        assert all(line and "\n" not in line for line in planned.effects)
        assert any(named in line for line in planned.effects for named in _names(world.first))
        assert planned == world.deployer().plan_rollback(world.first)
        assert planned != world.deployer().plan_rollback(world.second)
        assert planned.details is None or planned.details.private
        assert (world.answer(), world.instance()) == (world.second.commit, before)

    def test_a_plan_for_what_serves_is_to_leave_it(self, world: DeployerWorld) -> None:
        world.deployer().deploy(world.first, _silent)
        left = DeployPlan.stays(world.first).effects
        assert world.deployer().plan(world.first).effects == left
        assert world.deployer().plan_rollback(world.first).effects == left

    def test_the_next_release_takes_over(self, world: DeployerWorld) -> None:
        world.deployer().deploy(world.first, _silent)
        result = world.deployer().deploy(world.second, _silent)
        assert result.failure is None
        assert world.answer() == world.second.commit
        running = world.deployer().status()
        assert running is not None
        assert running.commit == world.second.commit

    def test_an_unhealthy_release_is_a_failure_that_says_so(self, world: DeployerWorld) -> None:
        result = world.deployer().deploy(world.unhealthy, _silent)
        assert result.failure is not None
        assert result.failure.code == "health_check_failed"
        assert result.failure.message

    def test_after_a_failure_the_result_names_what_really_serves(self, world: DeployerWorld) -> None:
        world.deployer().deploy(world.first, _silent)
        result = world.deployer().deploy(world.unhealthy, _silent)
        assert result.failure is not None
        assert result.serving is not None
        assert result.serving.commit == world.answer()
        if self.restores_on_failure:
            assert world.answer() == world.first.commit

    def test_rollback_returns_to_an_earlier_release(self, world: DeployerWorld) -> None:
        for release in (world.first, world.second, world.unhealthy):
            world.deployer().deploy(release, _silent)
        result = world.deployer().rollback(world.first, _silent)
        assert result.failure is None
        assert result.serving is not None
        assert result.serving.commit == world.first.commit == world.answer()

    def test_rollback_to_what_serves_starts_nothing(self, world: DeployerWorld) -> None:
        world.deployer().deploy(world.first, _silent)
        before = world.instance()
        result = world.deployer().rollback(world.first, _silent)
        assert result.failure is None
        assert world.instance() == before

    def test_health_is_good_while_something_serves_and_never_without(self, world: DeployerWorld) -> None:
        deployer = world.deployer()
        assert deployer.health(_silent).healthy is not True
        deployer.deploy(world.first, _silent)
        reading = deployer.health(_silent)
        assert reading.healthy is True
        assert reading.attempts > 0

    def test_progress_comes_in_single_lines(self, world: DeployerWorld) -> None:
        lines: list[str] = []
        world.deployer().deploy(world.first, lines.append)
        assert lines
        assert all(line and "\n" not in line for line in lines)

    def test_raw_logs_are_private_artifacts(self, world: DeployerWorld) -> None:
        result = world.deployer().deploy(world.unhealthy, _silent)
        world.deployer().deploy(world.first, _silent)
        kept = [*result.logs, *world.deployer().logs()]
        assert kept
        assert all(ref.private for ref in kept)
        assert all(len(world.artifacts.get(ref)) == ref.size for ref in kept)

    def test_the_url_is_the_one_in_the_status(self, world: DeployerWorld) -> None:
        deployer = world.deployer()
        deployer.deploy(world.first, _silent)
        running = deployer.status()
        assert running is not None
        assert running.url == deployer.url()


@dataclass
class FakeTarget:
    """The world that fake deployers change: what runs, what fails, what was done."""

    unhealthy: set[str] = field(default_factory=set)
    """Commits that start and fail their health check."""
    failures: dict[str, tuple[DeployErrorCode, str]] = field(default_factory=dict)
    """Commits that fail otherwise: code and message."""
    ends_with: BaseException | None = None
    """Raised after the next effect happened and before it is reported, once: a process that dies there."""
    running: Running | None = None
    healthy: bool = True
    effects: list[tuple[str, str]] = field(default_factory=list)
    """``("deploy" | "rollback", commit)`` for each time something was really started."""
    instances: int = 0


class FakeDeployer:
    """A deployer in memory. Objects that share a target see the same environment."""

    def __init__(self, environment: str, target: FakeTarget, artifacts: Artifacts | None = None) -> None:
        self._environment = environment
        self._target = target
        self._artifacts = artifacts

    def plan(self, release: Release) -> DeployPlan:
        """One effect."""
        return self._planned("deploy", release)

    def plan_rollback(self, to: Release) -> DeployPlan:
        """One effect."""
        return self._planned("roll back to", to)

    def deploy(self, release: Release, progress: Progress) -> DeployResult:
        """What serves already stays; an unhealthy release leaves what served before."""
        return self._put("deploy", release, progress)

    def rollback(self, to: Release, progress: Progress) -> DeployResult:
        """As :meth:`deploy`."""
        return self._put("rollback", to, progress)

    def status(self) -> Running | None:
        """What runs."""
        return self._target.running

    def health(self, progress: Progress) -> HealthReading:
        """One look at the target's ``healthy``."""
        progress(f"health of {self._environment}")
        running = self._target.running
        healthy = running is not None and self._target.healthy
        return HealthReading(healthy=healthy, detail="200" if healthy else "refused", attempts=1)

    def url(self) -> str:
        """An address that leads nowhere."""
        return f"http://{self._environment}.invalid"

    def logs(self) -> tuple[ArtifactRef, ...]:
        """One line about what runs, where an artifact store was given."""
        if self._artifacts is None or self._target.running is None:
            return ()
        text = f"{self._target.running.version} serves\n".encode()
        return (self._artifacts.put(text, f"{self._environment}-service.log", private=True),)

    def _planned(self, what: str, release: Release) -> DeployPlan:
        if self._serves(release):
            return DeployPlan.stays(release)
        return DeployPlan(effects=(f"{what} {release.label}",))

    def _serves(self, release: Release) -> bool:
        return self._target.running is not None and self._target.running.commit == release.commit

    def _put(self, what: str, release: Release, progress: Progress) -> DeployResult:
        target = self._target
        progress(f"{what} {release.label}")
        if self._serves(release) and target.healthy:
            return DeployResult(serving=target.running)
        target.effects.append((what, release.commit))
        failure = self._failure(release)
        if failure is None:
            target.instances += 1
            target.healthy = True
            target.running = Running(commit=release.commit, version=release.version, url=self.url())
        if target.ends_with is not None:
            error, target.ends_with = target.ends_with, None
            raise error
        logs = self._failure_logs(release) if failure else self.logs()
        return DeployResult(failure=failure, serving=target.running, logs=logs)

    def _failure(self, release: Release) -> DeployFailure | None:
        if release.commit in self._target.failures:
            code, message = self._target.failures[release.commit]
            return DeployFailure(code=code, message=message)
        if release.commit in self._target.unhealthy:
            return DeployFailure(code="health_check_failed", message="answers 503 instead of 200")
        return None

    def _failure_logs(self, release: Release) -> tuple[ArtifactRef, ...]:
        if self._artifacts is None:
            return ()
        text = f"{release.version}: the database is unreachable\n".encode()
        return (self._artifacts.put(text, f"{self._environment}-candidate.log", private=True),)
