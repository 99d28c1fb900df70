"""Where the ledger lies, and what its database's complaints mean."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from midas_devops.errors import ConfigError, StorageError

_KEY = "midas.toml: storage.url"
_SQLITE = ("sqlite:///", "sqlite+pysqlite:///")
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")

# What a driver's message holds → what to do next.
_HINTS = (
    ("is not a database", "this file is something else; move it away, or name another in [storage] url"),
    ("malformed", "the file is damaged; move it away and restore a backup, or let a new one begin"),
    ("disk is full", "the disk is full: free some space, then repeat the command"),
    ("no space left", "the disk is full: free some space, then repeat the command"),
    ("readonly", "the file or its folder is read-only: check owner and mode"),
    ("read-only", "the database takes no writes: check what it is, and the rights of its user"),
    ("unable to open", "check that the folder exists, belongs to this user and can be written"),
    ("database is locked", "another process holds it for long: see which, let it finish, then repeat"),
    ("lock timeout", "another process holds it for long: see which, let it finish, then repeat"),
    ("disk i/o error", "the disk failed or is full: check it, then repeat the command"),
    ("append-only", "audit entries are never changed; write a new one"),
    ("authentication failed", "check user and password in [storage] url"),
    ("does not exist", "create the database, or correct its name in [storage] url"),
    ("connection", "check that the database server runs and can be reached from here"),
)


@dataclass(frozen=True)
class Address:
    """A SQLite file, or the URL of a PostgreSQL database."""

    shown: str
    """For a person: never with a password."""
    path: Path | None = None
    url: str = ""


def parse_address(url: str, root: Path) -> Address:
    """Read ``[storage] url``; a relative SQLite path starts at ``root``. Raises ``ConfigError``."""
    for prefix in _SQLITE:
        if url.startswith(prefix):
            name = url.removeprefix(prefix)
            if not name or name.startswith(":memory:"):
                raise ConfigError(
                    "a ledger in memory forgets every approval and receipt when the process ends",
                    hint="name a file: sqlite:///.midas/midas.db",
                    location=_KEY,
                )
            if "?" in name:
                raise ConfigError(
                    f"{url} has options that this ledger does not know",
                    hint="leave out everything from the question mark on",
                    location=_KEY,
                )
            path = root / name
            return Address(shown=str(path), path=path)
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in _POSTGRESQL:
        raise ConfigError(
            f"'{scheme if separator else url}' is no database that the ledger can live in",
            hint="use sqlite:///.midas/midas.db or postgresql+psycopg://user@host/database",
            location=_KEY,
        )
    try:
        parts = urlsplit(url)
        shown = f"postgresql://{parts.hostname or ''}:{parts.port or 5432}{parts.path}"
    except ValueError as error:
        raise ConfigError(
            f"[storage] url cannot be read: {error}",
            hint="write it as postgresql+psycopg://user:password@host:5432/database",
            location=_KEY,
        ) from None
    return Address(shown=shown, url=f"postgresql+psycopg://{rest}")


def storage_failure(attempted: str, address: Address, seen: BaseException) -> StorageError:
    """A driver's error as ours."""
    # Only the first line: the others repeat the statement, or where in the driver it happened.
    message = str(seen).strip().partition("\n")[0] or type(seen).__name__
    lowered = message.lower()
    hint = next((hint for part, hint in _HINTS if part in lowered), "")
    if not hint and isinstance(seen, sqlite3.DatabaseError):
        hint = "check the file with: sqlite3 FILE 'pragma integrity_check'"
    return StorageError(
        f"could not {attempted}: {message}",
        hint=hint or "check the database, then repeat the command",
        location=address.shown,
    )


def newer_schema(address: Address, found: int, known: int) -> StorageError:
    """The ledger was written by a later version of this program."""
    return StorageError(
        f"the ledger has schema version {found}; this midas-devops knows versions up to {known}",
        hint="upgrade midas-devops: pip install --upgrade midas-devops",
        location=address.shown,
    )
