"""Which process is which, across restarts, reused process ids and clocks that are set back."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from midas_devops.ports.ledger import Holder

_START_TOLERANCE = 2.0
"""Seconds. Where the system tells no exact start time, it tells it in steps."""
_STATE, _START_TICKS = 0, 19
"""Fields of ``/proc/<pid>/stat`` behind the name of the program (proc(5): 3 and 22)."""


def this_process(who: str = "") -> Holder:
    """The process that is running this, as the holder of a lease."""
    pid = os.getpid()
    return Holder(
        host=socket.gethostname(),
        boot_id=_boot_id(),
        pid=pid,
        started=_started(pid),
        start_ticks=_start_ticks(pid) or 0,
        who=who,
    )


def same_process(one: Holder, other: Holder) -> bool:
    """Whether two holders are the same process; ``who`` is only for people, and clocks may have moved."""
    if (one.host, one.boot_id, one.pid) != (other.host, other.boot_id, other.pid):
        return False
    if one.start_ticks and other.start_ticks:
        return one.start_ticks == other.start_ticks
    return abs(one.started - other.started) <= _START_TOLERANCE


def is_dead(holder: Holder) -> bool:
    """True only when the holder was a process of this machine and this boot, and is no more.

    Of another machine, an earlier boot or another container nothing can be said: False.
    """
    if (holder.host, holder.boot_id) != (socket.gethostname(), _boot_id()):
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    ticks = _start_ticks(holder.pid)
    if ticks is not None:
        return ticks == 0 or bool(holder.start_ticks and ticks != holder.start_ticks)
    return _is_other_process(holder)


def _is_other_process(holder: Holder) -> bool:
    import psutil

    try:
        process = psutil.Process(holder.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        return abs(process.create_time() - holder.started) > _START_TOLERANCE
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def _start_ticks(pid: int) -> int | None:
    """Start in clock ticks since boot, which no change of the clock moves. 0: a zombie. None: not told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    if fields[_STATE] in (b"Z", b"X", b"x"):
        return 0
    return int(fields[_START_TICKS])


def _started(pid: int) -> float:
    import psutil

    return float(psutil.Process(pid).create_time())


@lru_cache(maxsize=1)
def _boot_id() -> str:
    """This boot of this machine, and which set of process ids: containers of a host have their own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        pass
    if sys.platform == "darwin":
        asked = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"],
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
        if asked.returncode == 0:
            return asked.stdout.strip()
    return ""
