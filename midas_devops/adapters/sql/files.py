"""The SQLite file that ledger and checkpoints share."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
from pathlib import Path

from midas_devops.safety.private import FOLDER, private_folder, project_folder, storage_error

WAIT_SECONDS = 30
"""How long a writer waits for the one before it."""
_CREATING = threading.Lock()


def make_private_file(path: Path, root: Path) -> None:
    """The file 0600 from its first moment; SQLite gives its log files the same mode.

    A file that exists is not opened: closing any descriptor of it would drop every POSIX lock that this
    process holds on it, those of SQLite's connections too, and two writers would then destroy the database
    (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """
    if path.is_relative_to(root / FOLDER):
        project_folder(root)
    if not path.parent.is_dir():
        private_folder(path.parent)
    try:
        # Another thread connects only after this one has closed the file that it made.
        with _CREATING:
            if not path.is_file():
                _create(path.resolve())
    except OSError as error:
        raise storage_error("create the ledger", path, error) from error


def _create(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        # Another process was first, unless it is no file.
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None


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
