"""Checkpoints of the graph, in the same database as the ledger."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from midas_devops.adapters.sql.address import Address, parse_address, storage_failure
from midas_devops.adapters.sql.files import WAIT_SECONDS, make_private_file, use_write_ahead_log
from midas_devops.errors import MissingExtraError

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from psycopg import Connection
    from psycopg.rows import DictRow

_SETUP_LOCK = 0x6D69646174
"""Number of the advisory lock behind which one process at a time makes PostgreSQL's tables."""
_POLL_SECONDS = 0.05


def open_checkpointer(url: str, root: Path) -> AbstractContextManager[BaseCheckpointSaver[str]]:
    """A saver on the ledger's database, over a connection of its own that closes with the block.

    Every failure of the database arrives as ``StorageError``. Raises ``ConfigError`` for a URL that is none,
    ``MissingExtraError`` where a driver is not installed.
    """
    address = parse_address(url, root)
    if address.path is not None:
        return _sqlite(address, address.path, root)
    return _postgresql(address)


@contextmanager
def _sqlite(address: Address, path: Path, root: Path) -> Iterator[BaseCheckpointSaver[str]]:
    from langgraph.checkpoint.sqlite import SqliteSaver

    class Saver(SqliteSaver):
        """Takes a write back whole when any part of it fails."""

        @contextmanager
        def cursor(self, transaction: bool = True) -> Iterator[sqlite3.Cursor]:
            attempted = "write a checkpoint" if transaction else "read a checkpoint"
            with self.lock, _translated(attempted, address, sqlite3.Error):
                self.setup()
                with closing(self.conn.cursor()) as cursor:
                    try:
                        yield cursor
                        if transaction:
                            self.conn.commit()
                    except BaseException:
                        if transaction:
                            self.conn.rollback()
                        raise

    make_private_file(path, root)
    with _translated("open the checkpoints", address, sqlite3.Error):
        connection = sqlite3.connect(path, timeout=WAIT_SECONDS, check_same_thread=False)
    with closing(connection):
        with _translated("open the checkpoints", address, sqlite3.Error):
            connection.execute("PRAGMA synchronous = FULL")
            use_write_ahead_log(connection)
            saver = Saver(connection)
            saver.setup()
        yield saver


@contextmanager
def _postgresql(address: Address) -> Iterator[BaseCheckpointSaver[str]]:
    try:
        from langgraph.checkpoint.postgres import PostgresSaver
        from psycopg import Connection, Cursor, Error
        from psycopg.rows import dict_row
    except ImportError as error:
        raise MissingExtraError("checkpoints in PostgreSQL", "postgres") from error

    class Saver(PostgresSaver):
        """Tells of the database's failures in our words."""

        @contextmanager
        def _cursor(self, *, pipeline: bool = False) -> Iterator[Cursor[DictRow]]:
            attempted = "write a checkpoint" if pipeline else "read a checkpoint"
            with _translated(attempted, address, Error), super()._cursor(pipeline=pipeline) as cursor:
                yield cursor

    with _translated("open the checkpoints", address, Error):
        connection = Connection.connect(
            address.url.replace("+psycopg", "", 1),
            autocommit=True,
            prepare_threshold=0,
            row_factory=dict_row,
            connect_timeout=10,
        )
    with closing(connection):
        saver = Saver(connection)
        with _translated("open the checkpoints", address, Error), _setting_up(connection):
            saver.setup()
        yield saver


@contextmanager
def _setting_up(connection: Connection[DictRow]) -> Iterator[None]:
    """One process at a time. A waiting query would stand in the way of the indexes, so this one polls."""
    lock = f"SELECT pg_try_advisory_lock({_SETUP_LOCK}) AS taken"
    while not (row := connection.execute(lock).fetchone()) or not row["taken"]:
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        connection.execute(f"SELECT pg_advisory_unlock({_SETUP_LOCK})")


@contextmanager
def _translated(attempted: str, address: Address, kind: type[Exception]) -> Iterator[None]:
    try:
        yield
    except kind as error:
        raise storage_failure(attempted, address, error) from error
