"""A lock between processes of one machine that ends with its holder, however that ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from midas_devops.errors import StorageError

_TICK_SECONDS = 0.05


@contextmanager
def file_lock(path: Path, wait_seconds: float) -> Iterator[bool]:
    """Whether the lock is ours inside the block. With a time to wait, not getting it is a StorageError."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(
            f"The lock {path} could not be opened: {error.strerror}",
            hint="the folder must be writable",
            location=str(path),
        ) from error
    try:
        taken = _take(descriptor, time.monotonic() + wait_seconds)
        if wait_seconds and not taken:
            raise StorageError(
                f"Another process has held {path} for {wait_seconds:.0f} seconds",
                hint="wait for it or end it, then try again",
                location=str(path),
            )
        yield taken
    finally:
        os.close(descriptor)


def _take(descriptor: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_TICK_SECONDS)
        else:
            return True
