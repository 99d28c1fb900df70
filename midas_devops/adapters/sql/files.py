"""The SQLite file that ledger and checkpoints share."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from midas_devops.safety.private import FOLDER, private_folder, project_folder, storage_error

WAIT_SECONDS = 30
"""How long a writer waits for the one before it."""


def make_private_file(path: Path, root: Path) -> None:
    """The file 0600 from its first moment; SQLite gives its log files the same mode."""
    if path.is_relative_to(root / FOLDER):
        project_folder(root)
    if not path.parent.is_dir():
        private_folder(path.parent)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        # A file that can only be read still can be read: the first write says what is wrong.
        if not path.is_file():
            raise storage_error("create the ledger", path, error) from error


def use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Readers then never wait for the writer. The switch, once per file, does not wait by itself."""
    deadline = time.monotonic() + WAIT_SECONDS
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    while mode != "wal":
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                return  # a file system without shared memory: the old journal serves as well, only slower
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
