"""The ledger's conformance suite on a real SQLite file and a real PostgreSQL."""

from __future__ import annotations

from midas_devops.testing.ledger import LedgerConformance


class TestSqlLedger(LedgerConformance):
    """SQLite and PostgreSQL by the same tests."""
