"""InfrastructureRequirements: what the architect asked for.

The seed's ``midas/architect/get_infrastructure_requirements``.
"""

from __future__ import annotations

from typing import Any, Protocol

from midas_devops.domain.base import Value


class RequiredResource(Value):
    """One component that must be there."""

    type: str
    name: str = ""
    attributes: dict[str, Any] = {}
    reason: str = ""


class InfrastructureRequirements(Protocol):
    """Empty when nobody asked for anything."""

    def get_infrastructure_requirements(self, environment: str) -> tuple[RequiredResource, ...]: ...
