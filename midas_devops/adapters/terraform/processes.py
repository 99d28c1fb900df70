"""Finds the engine process of an apply whose own process of ours has died."""

from __future__ import annotations

import os

from midas_devops.adapters.terraform.workspace import EffectRecord
from midas_devops.ports.iac import InFlight

_CLOCK_TOLERANCE = 2.0
"""Seconds that two readings of one process's start may differ (the boot time is adjusted by NTP)."""


def start_time(pid: int) -> float:
    """When a process began, seconds since the epoch; 0 when it is gone already."""
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0


def find_engine(record: EffectRecord) -> InFlight:
    """The recorded process; or, when we died before recording it, the one that was given this saved plan."""
    return find_process(str(record.plan), record.pid, record.started)


def find_process(argument: str, pid: int, started: float) -> InFlight:
    """A process with ``argument`` on its command line: of this id and start, or any when the id is 0."""
    import psutil

    candidates = [pid] if pid else [each for each in psutil.pids() if each != os.getpid()]
    for each in candidates:
        try:
            process = psutil.Process(each)
            if process.status() == psutil.STATUS_ZOMBIE or argument not in process.cmdline():
                continue
            if pid and abs(process.create_time() - started) > _CLOCK_TOLERANCE:
                continue
        except psutil.Error:
            continue
        return InFlight(alive=True, pid=each)
    return InFlight(alive=False)
