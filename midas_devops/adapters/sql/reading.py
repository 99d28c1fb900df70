"""Reading the ledger. Needs no SQLAlchemy for SQLite, so that looking something up is quick."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from midas_devops.adapters.sql import queries, rows
from midas_devops.adapters.sql.address import Address, newer_schema, parse_address, storage_failure
from midas_devops.adapters.sql.rows import NO_HASH, Row
from midas_devops.errors import StorageError
from midas_devops.ports.ledger import (
    AuditEntry,
    BlockedVersion,
    Deployment,
    Effect,
    InfraApply,
    Lease,
    Message,
    MessageState,
    RunRow,
)
from midas_devops.safety.processes import is_dead

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from midas_devops.domain.approval import Approval

LAPSE = timedelta(seconds=30)
"""Without a beat for so long, a lease is free."""
SCHEMA_VERSION = 2
_SHORTEST_PREFIX = 6
_PAGE = 500

Select = Callable[[str, Mapping[str, Any]], Sequence[Row]]
Value = TypeVar("Value")


def utc_now() -> datetime:
    return datetime.now(UTC)


class LedgerReads:
    """Everything that can be asked of a ledger. ``select`` runs one query of :mod:`.queries`."""

    def __init__(self, address: Address, select: Select, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._address = address
        self._select = select
        self._clock = clock

    def run(self, run_id: str) -> RunRow | None:
        """By id, or by a unique prefix of at least 6 characters."""
        found = self._all(rows.run_of, queries.RUN, run_id=run_id)
        if not found and len(run_id) >= _SHORTEST_PREFIX:
            found = self._all(rows.run_of, queries.RUNS_BY_PREFIX, prefix=run_id, length=len(run_id))
        return found[0] if len(found) == 1 else None

    def runs(self, *, environment: str = "", limit: int = 50) -> list[RunRow]:
        """Newest first."""
        return self._all(rows.run_of, queries.RUNS, environment=environment, limit=limit)

    def effects(self, run_id: str) -> list[Effect]:
        """In the order in which they were begun."""
        return self._all(rows.effect_of, queries.EFFECTS, run_id=run_id)

    def approvals(self, run_id: str, digest: str) -> list[Approval]:
        """Recorded for exactly this run and digest, and not consumed."""
        found = self._select(queries.APPROVALS, {"run_id": run_id, "digest": digest})
        return self._values(rows.approval_of, (row for row in found if not row["consumed_at"]))

    def lease(self, resource: str) -> Lease | None:
        """The live lease, or None when it is free, has lapsed or its holder is dead."""
        held = [row for row in self._select(queries.LEASE, {"resource": resource}) if row["held"]]
        for lease in self._values(rows.lease_of, held):
            if not is_free(lease, self._clock(), LAPSE):
                return lease
        return None

    def last_verified(self, environment: str, *, other_than: str = "") -> Deployment | None:
        """The newest deployment that is verified and whose commit is neither blocked nor ``other_than``."""
        return self._first(
            rows.deployment_of, queries.LAST_VERIFIED, environment=environment, other_than=other_than
        )

    def deployments(self, environment: str = "", limit: int = 50) -> list[Deployment]:
        """Newest first."""
        return self._all(rows.deployment_of, queries.DEPLOYMENTS, environment=environment, limit=limit)

    def blocked_versions(self, environment: str) -> list[BlockedVersion]:
        """Blocked now, newest first."""
        return self._all(rows.blocked_of, queries.BLOCKED_VERSIONS, environment=environment)

    def last_good_apply(self, environment: str, config: str) -> InfraApply | None:
        """Newest successful apply of a configuration, also of one without a commit."""
        return self._first(rows.apply_of, queries.LAST_GOOD_APPLY, environment=environment, config=config)

    def messages(self, state: MessageState = "waiting", limit: int = 200) -> list[Message]:
        """Of one state, in the order in which they were queued."""
        return self._all(rows.message_of, queries.MESSAGES, state=state, limit=limit)

    def message(self, key: str) -> Message | None:
        """By its key."""
        return self._first(rows.message_of, queries.MESSAGE, message_key=key)

    def audited(self, event: str, limit: int = 50) -> list[AuditEntry]:
        """Entries of one event, newest first."""
        return self._all(rows.audit_of, queries.AUDITED, event=event, limit=limit)

    def audit_trail(self, run_id: str = "") -> Iterator[AuditEntry]:
        """In order, of one run or of all."""
        for page in self._audit_pages(run_id):
            yield from self._values(rows.audit_of, page)

    def verify_audit(self) -> int:
        """Number of entries when the chain holds. Raises ``StorageError`` naming the first broken one."""
        count, previous = 0, NO_HASH
        for page in self._audit_pages(""):
            for row in page:
                count += 1
                if row["sequence"] != count:
                    raise self._broken(count, f"entry {count} is missing")
                if row["previous_hash"] != previous or rows.audit_hash(row) != row["hash"]:
                    raise self._broken(count, f"entry {count} was changed after it was written")
                previous = row["hash"]
        head = self._select(queries.AUDIT_HEAD, {})
        if head and head[0]["value"] != f"{count}:{previous}":
            raise self._broken(count + 1, f"entry {count + 1} is missing: the end was cut off")
        return count

    def close(self) -> None:
        """Nothing is held open between two reads."""

    def _broken(self, number: int, seen: str) -> StorageError:
        return StorageError(
            f"the audit trail does not hold: {seen}",
            hint=f"trust nothing from entry {number} on; compare with a backup",
            location=self._address.shown,
        )

    def _audit_pages(self, run_id: str) -> Iterator[Sequence[Row]]:
        after = 0
        while page := self._select(queries.AUDIT_PAGE, {"after": after, "run_id": run_id, "limit": _PAGE}):
            yield page
            after = page[-1]["sequence"]

    def _first(self, of: Callable[[Row], Value], sql: str, **parameters: Any) -> Value | None:
        found = self._all(of, sql, **parameters)
        return found[0] if found else None

    def _all(self, of: Callable[[Row], Value], sql: str, **parameters: Any) -> list[Value]:
        return self._values(of, self._select(sql, parameters))

    def _values(self, of: Callable[[Row], Value], found: Iterable[Row]) -> list[Value]:
        try:
            return [of(row) for row in found]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise storage_failure("understand what the ledger holds", self._address, error) from error


def is_free(lease: Lease, now: datetime, lapse: timedelta) -> bool:
    """Whether a held lease may be taken all the same.

    A clock that was set back makes the last beat lie in the future; that is no reason to take it.
    """
    return now - lease.beat_at > lapse or is_dead(lease.holder)


def open_ledger_for_reading(url: str, root: Path) -> LedgerReads:
    """A ledger that only answers. One that does not exist yet is empty, and is not created.

    Raises ``ConfigError`` for a URL that is none, ``StorageError`` for a ledger that cannot be read.
    """
    address = parse_address(url, root)
    if address.path is not None:
        return LedgerReads(address, _SqliteFile(address, address.path).select)
    from midas_devops.adapters.sql.engine import connect, select_from

    engine = connect(address, keep_open=False)
    return LedgerReads(address, _existing(address, engine, select_from(engine, address)))


class _SqliteFile:
    """Queries against one SQLite file by the standard library, each on a connection of its own."""

    def __init__(self, address: Address, path: Path) -> None:
        self._address = address
        self._path = path
        self._version = 0

    def select(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[Row]:
        if not self._path.exists():
            return []
        try:
            with closing(self._connect()) as connection:
                if self._version < SCHEMA_VERSION:
                    self._version = self._stored_version(connection)
                if self._version < queries.needs_version(sql):
                    return []
                return [dict(row) for row in connection.execute(sql, dict(parameters))]
        except sqlite3.Error as error:
            raise storage_failure("read the ledger", self._address, error) from error

    def _connect(self) -> sqlite3.Connection:
        try:
            return self._connect_as("mode=ro")
        except sqlite3.OperationalError as error:
            refused = "unable to open" in str(error) or "readonly" in str(error)
            log = self._path.with_name(f"{self._path.name}-wal")
            if not refused or log.exists():
                raise
            # A folder that cannot be written has no place for the write-ahead log; without a log nobody
            # is writing, and the file can be read as it is.
            return self._connect_as("mode=ro&immutable=1")

    def _connect_as(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(f"{self._path.absolute().as_uri()}?{mode}", uri=True, timeout=10)
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _stored_version(self, connection: sqlite3.Connection) -> int:
        """0 for tables that are not there yet. Raises ``StorageError`` for those of a later version."""
        named = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'midas_meta'"
        if connection.execute(named).fetchone() is None:
            return 0
        row = connection.execute(queries.SCHEMA_VERSION).fetchone()
        return _known(self._address, int(row[0]) if row else 0)


def _known(address: Address, found: int) -> int:
    if found > SCHEMA_VERSION:
        raise newer_schema(address, found, SCHEMA_VERSION)
    return found


def _existing(address: Address, engine: Engine, select: Select) -> Select:
    """A select that finds nothing as long as the database has no tables of ours."""
    from midas_devops.adapters.sql.engine import stored_version

    found = 0

    def select_if_there(sql: str, parameters: Mapping[str, Any]) -> Sequence[Row]:
        nonlocal found
        if found < SCHEMA_VERSION:
            found = _known(address, stored_version(engine, address))
        return select(sql, parameters) if found >= queries.needs_version(sql) else []

    return select_if_there
