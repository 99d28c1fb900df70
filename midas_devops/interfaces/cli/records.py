"""What is on record, for commands that only read: no graph, no agent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from midas_devops.errors import UsageError

if TYPE_CHECKING:
    from midas_devops.adapters.sql.reading import LedgerReads
    from midas_devops.interfaces.cli.session import Session
    from midas_devops.ports.artifacts import Artifacts


@dataclass(frozen=True)
class Records:
    """The ledger and the artifacts of one project, as the contract's JSON."""

    reader: LedgerReads
    session: Session

    @cached_property
    def artifacts(self) -> Artifacts:
        """Opened when needed: looking at a list creates no folder."""
        from midas_devops.adapters.artifacts import open_artifacts

        return open_artifacts(self.session.settings.storage.artifacts, self.session.root)

    def runs(self, *, environment: str = "", limit: int = 50) -> list[dict[str, Any]]:
        """Summaries, newest first. Raises ``UsageError`` for an environment that nobody knows."""
        from midas_devops.records import run_summary

        rows = self.reader.runs(environment=environment, limit=limit)
        if environment and not rows:
            self.known(environment)
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

    def history(self, environment: str, limit: int) -> list[dict[str, Any]]:
        """What was deployed to one environment, newest first."""
        from midas_devops.use_cases.history import history_json

        return history_json(self.reader, self.known(environment), limit=limit)

    def dora(self, environment: str, days: int) -> list[dict[str, Any]]:
        """DORA's figures of one environment; of every production environment without a name."""
        from datetime import UTC, datetime

        from midas_devops.use_cases.history import dora_json

        settings = self.session.settings
        production = [name for name, known in settings.environments.items() if known.is_production]
        names = [self.known(environment)] if environment else sorted(production)
        now = datetime.now(UTC)
        return [dora_json(self.reader, settings, name, days=days, now=now) for name in names]

    def tracking(self) -> dict[str, Any]:
        """What the tracker has still to be told."""
        from midas_devops.records import tracking_json

        told = tracking_json(self.reader)
        messages = [message for state in ("waiting", "given_up") for message in self.reader.messages(state)]
        shown = ("key", "kind", "run_id", "topic", "state", "attempts", "last_error")
        listed = [
            {key: getattr(message, key) for key in shown} | {"queued_at": message.queued_at.isoformat()}
            for message in messages
        ]
        return {**told, "messages": listed}

    def known(self, environment: str) -> str:
        """The name itself. Raises ``UsageError`` with near names when midas.toml has no such environment."""
        from midas_devops.nearest import did_you_mean

        names = self.session.settings.environments
        if environment in names:
            return environment
        raise UsageError(
            f"there is no environment '{environment}' in midas.toml",
            hint=did_you_mean(environment, names) or "Environments: " + (", ".join(names) or "none"),
            location="midas.toml: environments",
        )

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
