"""Connections: one writer at a time on either database, every write on disk before it counts."""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from midas_devops.adapters.sql import schema
from midas_devops.adapters.sql.address import Address, newer_schema, storage_failure
from midas_devops.adapters.sql.files import WAIT_SECONDS, make_private_file, use_write_ahead_log
from midas_devops.adapters.sql.rows import Row
from midas_devops.errors import ConfigError, MissingExtraError

_WRITERS_LOCK = 0x6D69646173
"""Number of the advisory lock that PostgreSQL's writers take in turn."""
_WRITE = "midas_write"


def connect(address: Address, *, keep_open: bool = True) -> Engine:
    """An engine for an address; nothing is created, and nothing connected yet.

    With ``keep_open`` it keeps connections for the next transaction, and has to be disposed of.
    Raises ``MissingExtraError`` where the driver is not installed.
    """
    if address.path is not None:
        engine = create_engine(
            f"sqlite:///{address.path}", connect_args={"timeout": WAIT_SECONDS, "check_same_thread": False}
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        try:
            engine = create_engine(
                address.url,
                poolclass=QueuePool if keep_open else NullPool,
                pool_pre_ping=keep_open,
                connect_args={"connect_timeout": 10},
            )
        except ModuleNotFoundError as error:
            raise MissingExtraError("a ledger in PostgreSQL", "postgres") from error
        except SQLAlchemyError as error:
            raise ConfigError(
                f"[storage] url cannot be read: {error}",
                hint="write it as postgresql+psycopg://user:password@host:5432/database",
                location="midas.toml: storage.url",
            ) from None
    if hasattr(os, "register_at_fork"):
        # A forked child must not talk over its parent's connections.
        known = weakref.ref(engine)
        os.register_at_fork(after_in_child=lambda: _forget_connections(known()))
    return engine


def _forget_connections(engine: Engine | None) -> None:
    if engine is not None:
        engine.dispose(close=False)


def prepare(address: Address, engine: Engine, root: Path) -> None:
    """Make file and tables where there are none. Raises ``StorageError``, also for tables too new."""
    if address.path is not None:
        make_private_file(address.path, root)
    if stored_version(engine, address) == 0:
        with writing(engine, address, "create the ledger") as connection:
            # Looked at again behind the lock: of several processes that begin at once, one creates.
            if schema.stored_version(connection) == 0:
                schema.create(connection)
    found = stored_version(engine, address)
    if found < schema.VERSION:
        with writing(engine, address, "bring the ledger up to date") as connection:
            found = schema.stored_version(connection)
            if found < schema.VERSION:
                schema.migrate(connection, found)
    if found > schema.VERSION:
        raise newer_schema(address, found, schema.VERSION)


def stored_version(engine: Engine, address: Address) -> int:
    """Version of the tables; 0 when there are none."""
    with _translated(address, "open the ledger"), engine.connect() as connection:
        return schema.stored_version(connection)


def select_from(engine: Engine, address: Address) -> Callable[[str, Mapping[str, Any]], Sequence[Row]]:
    """A reader of single queries, each in a transaction of its own."""

    def select(sql: str, parameters: Mapping[str, Any]) -> Sequence[Row]:
        with _translated(address, "read the ledger"), engine.connect() as connection:
            return select_on(connection, sql, parameters)

    return select


def select_on(connection: Connection, sql: str, parameters: Mapping[str, Any]) -> Sequence[Row]:
    """One query within the transaction at hand."""
    return [dict(row) for row in connection.execute(text(sql), dict(parameters)).mappings()]


@contextmanager
def writing(engine: Engine, address: Address, attempted: str) -> Iterator[Connection]:
    """One transaction that no other writer's can come between; committed when the block ends."""
    with (
        _translated(address, attempted),
        engine.connect() as raw,
        raw.execution_options(**{_WRITE: True}) as connection,
        connection.begin(),
    ):
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")
        yield connection


@contextmanager
def _translated(address: Address, attempted: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise storage_failure(attempted, address, getattr(error, "orig", None) or error) from error
    except sqlite3.Error as error:
        raise storage_failure(attempted, address, error) from error


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # Transactions begin where we say, not where the driver guesses.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    use_write_ahead_log(connection)


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes then would fail instead of waiting, if another wrote between.
    immediate = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
