"""Orders in one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

SCHEMA_VERSION = 1
SCHEMA = Path(__file__).with_name("schema.sql")


class StorageError(Exception):
    """The orders cannot be kept or read."""


@dataclass(frozen=True)
class Order:
    """One order as it was placed."""

    id: int
    item: str
    quantity: int
    price_cents: int
    placed_at: str
    """UTC, ISO 8601."""

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


class Storage:
    """One connection per call: safe from any thread, and a lost file is noticed at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Create the file and its tables where they are missing."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._connect(must_exist=False) as connection:
            connection.executescript(SCHEMA.read_text())

    def place(self, item: str, quantity: int, price_cents: int) -> Order:
        placed_at = datetime.now(timezone.utc).isoformat(timespec="seconds")
        with self._connect() as connection:
            cursor = connection.execute(
                "INSERT INTO orders (item, quantity, price_cents, placed_at) VALUES (?, ?, ?, ?)",
                (item, quantity, price_cents, placed_at),
            )
            return Order(int(cursor.lastrowid or 0), item, quantity, price_cents, placed_at)

    def order(self, number: int) -> Order | None:
        with self._connect() as connection:
            row = connection.execute(
                "SELECT id, item, quantity, price_cents, placed_at FROM orders WHERE id = ?", (number,)
            ).fetchone()
        return Order(*row) if row else None

    def newest(self, limit: int) -> list[Order]:
        with self._connect() as connection:
            rows = connection.execute(
                "SELECT id, item, quantity, price_cents, placed_at FROM orders ORDER BY id DESC LIMIT ?",
                (limit,),
            ).fetchall()
        return [Order(*row) for row in rows]

    def count(self) -> int:
        with self._connect() as connection:
            return int(connection.execute("SELECT count(*) FROM orders").fetchone()[0])

    def check(self) -> str:
        """Prove that orders can be read and written. Raises ``StorageError`` when they cannot."""
        try:
            with self._connect() as connection:
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                connection.execute("BEGIN IMMEDIATE")
                orders = connection.execute("SELECT count(*) FROM orders").fetchone()[0]
                connection.rollback()
        except sqlite3.Error as error:
            raise StorageError(f"{self.path.name}: {error}") from error
        if version != SCHEMA_VERSION:
            raise StorageError(f"{self.path.name} has schema {version}, this release needs {SCHEMA_VERSION}")
        return f"schema {version}, {orders} orders"

    @contextmanager
    def _connect(self, *, must_exist: bool = True) -> Iterator[sqlite3.Connection]:
        mode = "rw" if must_exist else "rwc"
        connection = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode={mode}", uri=True, timeout=5)
        try:
            with connection:
                yield connection
        finally:
            connection.close()
