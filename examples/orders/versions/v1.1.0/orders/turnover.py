"""Turnover by currency, added up when orders change and not when somebody looks."""

from __future__ import annotations

import sqlite3

from orders.logs import event, log
from orders.storage import Storage


class Turnover:
    """The totals as of the last refresh."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._totals: dict[str, int] | None = None

    def refresh(self) -> None:
        """Add up again. A failure is logged, and the totals are missing until the next refresh."""
        try:
            self._totals = self._storage.turnover()
        except sqlite3.Error:
            log.exception(event("turnover_refresh_failed", file=self._storage.path.name))
            self._totals = None

    def by_currency(self) -> dict[str, int]:
        return dict(self._totals or {})

    def check(self) -> str:
        """Raises ``LookupError`` while there are no totals."""
        if self._totals is None:
            raise LookupError("turnover is not loaded")
        return f"{len(self._totals)} currencies"
