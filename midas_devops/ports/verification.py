"""Verifier: what has to hold for a release to count as verified, on top of the deployer's health check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.verification_rule import CheckOutcome
from midas_devops.ports.deployer import Release
from midas_devops.ports.iac import Progress

ReadLogs = Callable[[], tuple[ArtifactRef, ...]]


class Verifier(Protocol):
    """Bound to one environment. Changes nothing there."""

    def check(
        self, release: Release, url: str, logs: ReadLogs, progress: Progress, *, deployed_now: bool
    ) -> tuple[CheckOutcome, ...]:
        """Every configured check, in order. What cannot be looked at is an outcome, not an exception.

        ``deployed_now`` is False when what runs already is looked at again: then only what is logged from
        now on counts. Raises ``StorageError``.
        """
        ...
