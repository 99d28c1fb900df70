"""Locks of a stack in a backend of files: who holds one, since when. Only one of our own is ever removed.

Pulumi takes the lock for an update and none for a preview, and leaves it behind when it is killed.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Lock:
    """One lock file and what it says."""

    path: Path
    user: str = ""
    host: str = ""
    pid: int = 0
    since: datetime | None = None

    @property
    def holder(self) -> str:
        """``ana@build-7 (pid 4242) since 2026-01-31 18:10:41 UTC, for 12 s (lock 0b5e)``."""
        who = f"{self.user}@{self.host} (pid {self.pid})" if self.pid else "somebody"
        return f"{who} {_age(self.since)} (lock {self.path.stem})".replace("  ", " ")


def locks_of(backend: str, project: str, stack: str) -> tuple[Lock, ...]:
    """Locks on a stack. None for a backend that is no folder: there Pulumi finds out, at the update."""
    folders = _folders(backend, project, stack)
    return tuple(_read(path) for folder in folders for path in sorted(folder.glob("*.json")))


def remove_own(backend: str, project: str, stack: str, pid: int, began: float) -> None:
    """Remove the lock of an engine of ours that is known to have ended without doing so.

    It is ours when it names this machine and the process that we started, and is not older than that process.
    """
    for lock in locks_of(backend, project, stack):
        mine = lock.pid == pid and lock.host == socket.gethostname()
        if mine and lock.since is not None and lock.since.timestamp() >= began - 2.0:
            lock.path.unlink(missing_ok=True)


def _folders(backend: str, project: str, stack: str) -> Iterator[Path]:
    """As stacks are stored today, by project; and as they were before Pulumi 3.61."""
    if not backend.startswith("file://"):
        return
    short = stack.rsplit("/", 1)[-1]
    base = Path(backend.removeprefix("file://")) / ".pulumi" / "locks"
    if project:
        yield base / "organization" / project / short
    yield base / short


def _read(path: Path) -> Lock:
    try:
        said: dict[str, Any] = json.loads(path.read_bytes())
        since = datetime.fromisoformat(said["timestamp"])
        return Lock(path, str(said["username"]), str(said["hostname"]), int(said["pid"]), since)
    except (OSError, ValueError, KeyError, TypeError):
        return Lock(path)


def _age(since: datetime | None) -> str:
    if since is None:
        return ""
    seconds = max(0, round((datetime.now(UTC) - since).total_seconds()))
    minutes, hours = seconds // 60, seconds // 3600
    age = f"{hours} h {minutes % 60} min" if hours else f"{minutes} min" if minutes else f"{seconds} s"
    return f"since {since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, for {age}"
