"""Output of services and builds: kept bounded, quoted briefly."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.ports.artifacts import Artifacts
from midas_devops.safety.private import FOLDER

HEAD_BYTES = 1 << 20
TAIL_BYTES = 4 << 20
_HINT_BYTES = 16 << 10
_HINT_LINES = 5
_HINT_CHARACTERS = 800


def private_log_folder(home: Path, environment: str) -> Path:
    """Where raw output is written: it may hold secrets, and rests only where private artifacts do.

    That is ``artifacts/private/services/<environment>`` of the ``.midas`` around ``home``; outside of one,
    ``logs`` in ``home``.
    """
    for folder in home.parents:
        if folder.name == FOLDER:
            return folder / "artifacts" / "private" / "services" / environment
    return home / "logs"


def keep(log: Path, name: str, artifacts: Artifacts) -> ArtifactRef | None:
    """Store a log as a private artifact: whole, or its first 1 MB and last 4 MB. None when it is not there.

    Raises ``StorageError``.
    """
    try:
        with log.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= HEAD_BYTES + TAIL_BYTES:
                return artifacts.put(file.read(HEAD_BYTES + TAIL_BYTES), name, private=True)
            head = file.read(HEAD_BYTES)
            file.seek(size - TAIL_BYTES)
            tail = file.read(TAIL_BYTES)
    except FileNotFoundError:
        return None
    # Whole lines where there are any: a torn one could not be quoted.
    head = head[: head.rfind(b"\n") + 1] or head
    tail = tail[tail.find(b"\n") + 1 :] or tail
    cut = size - len(head) - len(tail)
    gap = f"[midas-devops: {cut} bytes of {size} are cut here; the beginning and the end are kept]\n"
    separator = b"" if head.endswith(b"\n") else b"\n"
    return artifacts.put(head + separator + gap.encode() + tail, name, private=True)


def last_lines(log: Path, redact: Callable[[str], str]) -> str:
    """The last few lines in one, printable, for a message; empty when there are none.

    Redacted before anything is cut: half of a secret would not be known as one.
    """
    try:
        with log.open("rb") as file:
            start = max(0, os.fstat(file.fileno()).st_size - _HINT_BYTES)
            file.seek(start)
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    if start:
        text = text.partition("\n")[2] or text
    text = redact(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()][-_HINT_LINES:]
    printable = "".join(c if c.isprintable() else " " for c in " | ".join(lines))
    return printable[-_HINT_CHARACTERS:]


def prune(folder: Path, keep_newest: int, never: str) -> None:
    """Delete logs but the newest ones and the one that is still written to."""
    files = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for old in files[keep_newest:]:
        if old.name != never:
            old.unlink(missing_ok=True)
