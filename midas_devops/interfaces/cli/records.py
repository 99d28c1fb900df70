"""What is on record, for commands that only read: no graph, no agent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from midas_devops.errors import UsageError

if TYPE_CHECKING:
    from midas_devops.interfaces.cli.session import Session
    from midas_devops.ports.artifacts import Artifacts
    from midas_devops.records import Reader


@dataclass(frozen=True)
class Records:
    """The ledger and the artifacts of one project, as the contract's JSON."""

    reader: Reader
    session: Session

    @cached_property
    def artifacts(self) -> Artifacts:
        """Opened when needed: looking at a list creates no folder."""
        from midas_devops.adapters.artifacts import open_artifacts

        return open_artifacts(self.session.settings.storage.artifacts, self.session.root)

    def runs(self, *, environment: str = "", limit: int = 50) -> list[dict[str, Any]]:
        """Summaries, newest first."""
        from midas_devops.records import run_summary

        rows = self.reader.runs(environment=environment, limit=limit)
        return [run_summary(self.reader, row) for row in rows]

    def run(self, run_id: str) -> dict[str, Any]:
        """One run in full. Raises ``UsageError`` with near ids when there is none."""
        from midas_devops.nearest import did_you_mean
        from midas_devops.records import run_json

        row = self.reader.run(run_id)
        if row is None:
            known = [row.run_id for row in self.reader.runs(limit=200)]
            raise UsageError(
                f"looked for run '{run_id}': there is none, or several begin like this",
                hint=did_you_mean(run_id, known) or f"see '{self.session.suggest('runs list')}'",
                location=run_id,
            )
        return run_json(self.reader, self.artifacts, row)

    def environments(self) -> list[dict[str, Any]]:
        """What runs where."""
        from midas_devops.adapters.running import local_services
        from midas_devops.records import environments_json

        services = local_services(self.session.root, self.session.settings)
        return environments_json(self.reader, self.session.settings, services)

    def prune_private(self) -> int:
        """Delete private artifacts; the number of bytes freed."""
        return self.artifacts.prune_private()


@contextmanager
def open_records(session: Session) -> Iterator[Records]:
    """Open the project's records. Raises ``ConfigError`` and ``StorageError``."""
    from midas_devops.adapters.sql.reading import open_ledger_for_reading

    reader = open_ledger_for_reading(session.settings.storage.url, session.root)
    try:
        yield Records(reader, session)
    finally:
        reader.close()
