"""Policies: a team's own rules about a plan of infrastructure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from midas_devops.domain.base import Value
from midas_devops.ports.results import ReadFailure


class PolicyReading(Value):
    """What the policies decided about one plan."""

    failure: ReadFailure | None = None
    packages: tuple[str, ...] = ()
    """Packages with a rule that decides."""
    denied: tuple[str, ...] = ()
    """Messages of ``deny`` (and ``violation``) rules, each with its package."""
    warned: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    """The policy files, relative to the project."""
    sha256: str = ""
    """Hash of the policies and of what they decided."""


class Policies(Protocol):
    """Reads a plan and the facts about its environment; changes nothing."""

    def read(self, plan_json: bytes, facts: Mapping[str, object]) -> PolicyReading: ...
