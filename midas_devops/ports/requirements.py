"""InfrastructureRequirements: what the architect asked for.

The seed's ``midas/architect/get_infrastructure_requirements``.
"""

from __future__ import annotations

from typing import Protocol

from midas_devops.domain.requirements import RequiredResource

__all__ = ["InfrastructureRequirements", "RequiredResource"]


class InfrastructureRequirements(Protocol):
    """Empty when nobody asked for anything. Raises ``UnreadableError`` for what cannot be understood."""

    def get_infrastructure_requirements(self, environment: str) -> tuple[RequiredResource, ...]: ...
