"""Is this process able to do its work? Every check really tries."""

from __future__ import annotations

from collections.abc import Callable

Check = Callable[[], str]
"""Says in a few words what it found, or raises."""


class Health:
    """Named checks, run on every request for ``/health``."""

    def __init__(self, checks: dict[str, Check]) -> None:
        self._checks = checks

    def report(self) -> tuple[bool, dict[str, str]]:
        """Whether all is well, and what each check found."""
        found: dict[str, str] = {}
        healthy = True
        for name, check in self._checks.items():
            try:
                found[name] = check()
            except Exception as error:  # a check may fail in any way; the service has to answer all the same
                healthy = False
                found[name] = f"failed: {error}"
        return healthy, found
