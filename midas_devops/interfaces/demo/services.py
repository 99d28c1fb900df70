"""Find and stop the services that a demo has started: those, and no other process."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

_SECONDS = 5.0


def services_of(folder: Path) -> Iterator[psutil.Process]:
    """Processes that keep their orders in this demo's own data folder."""
    import psutil

    data = ("--data", str(folder.resolve() / "data"))
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if data in pairwise(words):
            yield process


def stop_services(folder: Path) -> int:
    """Ask each to end, then insist. How many there were."""
    import psutil

    found = list(services_of(folder))
    for process in found:
        _signal(process, insist=False)
    _, left = psutil.wait_procs(found, timeout=_SECONDS)
    for process in left:
        _signal(process, insist=True)
    psutil.wait_procs(left, timeout=_SECONDS)
    return len(found)


def _signal(process: psutil.Process, *, insist: bool) -> None:
    import psutil

    try:
        process.kill() if insist else process.terminate()
    except psutil.NoSuchProcess:
        return
