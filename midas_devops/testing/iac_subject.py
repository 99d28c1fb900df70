"""What the conformance suite of IacEngine asks of a test's project, and the steps it takes with one."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from midas_devops.domain.changes import StateIdentity
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.iac import ApplyResult, IacEngine, PlanResult

SECRET = "conformance-hunter2-Zq8"  # noqa: S105 - planted, to be looked for
REPLACE = "replace:"
"""A wanted value that begins so cannot be changed in place."""


class Subject(Protocol):
    """A project with one configuration whose resources have a name and a value, and an engine bound to it."""

    artifacts: Artifacts

    def engine(self) -> IacEngine:
        """A new engine object, as a new process would make it."""
        ...

    def address(self, name: str) -> str:
        """Address of the resource ``name``."""
        ...

    def want(self, resources: dict[str, str], *, failing: tuple[str, ...] = ()) -> None:
        """Make the configuration ask for these. Creating a ``failing`` one fails.

        A resource depends on the one before it. There is an output ``names`` (the names, joined by commas)
        and a sensitive output with the value :data:`SECRET`.
        """
        ...

    def garble(self) -> None:
        """Make the configuration one that no engine can read."""
        ...

    def commit(self) -> str:
        """Commit the project; the full hash."""
        ...

    def locked_by_another(self) -> AbstractContextManager[str]:
        """Hold the state lock from outside; part of what a report of the lock must say."""
        ...


class Watcher:
    """Collects progress lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)


def planned(subject: Subject, *, destroy: bool = False, config_commit: str = "") -> PlanResult:
    """A plan that must succeed."""
    result = subject.engine().plan(Watcher(), destroy=destroy, config_commit=config_commit)
    assert result.failure is None, result.failure
    assert result.saved_plan is not None
    return result


def applied(subject: Subject, plan: PlanResult, effect: str = "run-1:apply") -> ApplyResult:
    """An apply of a plan, however it ends."""
    assert plan.saved_plan is not None
    return subject.engine().apply(plan.saved_plan, Watcher(), effect=effect)


def put(subject: Subject, resources: dict[str, str]) -> StateIdentity:
    """Bring the world to these resources."""
    subject.want(resources)
    result = applied(subject, planned(subject))
    assert result.failure is None, result.failure
    return result.state
