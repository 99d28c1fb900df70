"""The durable note of what serves an environment, written before and after each step of a change."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.domain.base import Value
from midas_devops.errors import BlockedError, StorageError
from midas_devops.ports.iac import Progress
from midas_devops.safety.private import private_folder, storage_error, write_private

_TICK = 0.05
_LONGEST_WAIT = 900.0
"""Seconds to wait for another change of the same environment. The ledger's lease stands before this lock."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Service(Value):
    """One started, or just about to be started, release."""

    mark: str
    """Value of ``MIDAS_SERVICE`` in the environment of the process and all that it starts."""
    role: Literal["candidate", "service"]
    commit: str
    version: str
    port: int
    folder: str
    """Name of the release's folder."""
    log: str
    started_at: str
    """UTC, ISO 8601."""
    pid: int = 0
    """0 until it was started."""
    born: str = ""
    """With ``pid`` and ``boot_id`` it names one process for ever."""
    boot_id: str = ""


class State(Value):
    """What is known of one environment."""

    home: str
    """Folder that this note was written for: a copied one says nothing about its own copy."""
    serving: Service | None = None
    launching: Service | None = None
    """Started or about to be, and not yet found healthy."""
    switching: bool = False
    """True from before ``serving`` is stopped until another one serves: if it is dead now, we did that."""

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing: never deployed here, or the note was lost."""
        return self.serving is None and self.launching is None


class Record:
    """``current.json`` and the lock beside it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._file = home / "current.json"

    def load(self) -> State:
        """The state; an empty one when nothing was ever deployed here. Raises ``StorageError``."""
        empty = State(home=str(self._home))
        try:
            state = State.model_validate_json(self._file.read_bytes())
        except FileNotFoundError:
            return empty
        except OSError as error:
            raise storage_error("read what serves here", self._file, error) from error
        except ValidationError as error:
            raise StorageError(
                "could not read what serves here: the file is damaged, or a later version wrote it",
                hint="stop the service that runs by hand, delete the file and deploy again",
                location=str(self._file),
            ) from error
        return state if state.home == empty.home else empty

    def save(self, state: State) -> State:
        """Raises ``StorageError``; then the former state stands."""
        write_private(self._file, state.model_dump_json(indent=2).encode())
        return state

    @contextlib.contextmanager
    def locked(self, interrupts: Interrupts, progress: Progress) -> Iterator[None]:
        """One change at a time, across processes; the lock falls when its holder dies.

        Raises ``BlockedError`` when another one does not end, ``KeyboardInterrupt``, ``StorageError``.
        """
        private_folder(self._home)
        path = self._home / "lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise storage_error("open the lock of this environment", path, error) from error
        try:
            with interrupts.allowed():
                self._wait(descriptor, interrupts, progress)
            yield
        finally:
            os.close(descriptor)

    def _wait(self, descriptor: int, interrupts: Interrupts, progress: Progress) -> None:
        deadline = time.monotonic() + _LONGEST_WAIT
        told = False
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            if not told:
                progress("waiting for another change of this environment to end")
                told = True
            interrupts.check()
            if time.monotonic() >= deadline:
                raise BlockedError(
                    f"another change of this environment still works after {_LONGEST_WAIT / 60:.0f} minutes",
                    hint="look for another midas-devops process, end it, and try again",
                    location=str(self._home),
                )
            time.sleep(_TICK)


def is_full(error: BaseException | None) -> bool:
    """Whether the disk, a quota or a file size limit was the reason."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__
    return False
