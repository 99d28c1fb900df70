"""Processes that outlive us: started detached, told apart for certain, stopped with all that they started."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from midas_devops.errors import ToolError

_TICK = 0.02
_AFTER_KILL = 10.0
"""Seconds that the system gets to take a killed process away; only a stuck disk needs them."""

Birth = str
"""When a process started, in a form that only compares: with its id and the boot it is unique for ever."""


class Detached(subprocess.Popen[bytes]):
    """A process that may outlive the object, which is its purpose and no leak."""

    def __del__(self, *_: object) -> None:
        return None


def start(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> Detached:
    """Start ``argv`` in a session of its own: stdin empty, both outputs to the file ``log`` (0600).

    When the log cannot be made (a full disk) the output is dropped rather than the service not started.
    Raises ``OSError`` when the program cannot be started.
    """
    output = _output(log)
    try:
        return Detached(
            list(argv),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    finally:
        os.close(output)


def _output(log: Path) -> int:
    try:
        return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


@functools.cache
def boot_id() -> str:
    """Which boot of this machine this is."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    if sys.platform == "darwin":
        asked = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"], capture_output=True, check=False
        )
        if asked.returncode == 0:
            return asked.stdout.decode("ascii").strip()
    return f"since-{psutil.boot_time():.0f}"


def birth(pid: int) -> Birth:
    """When the process started; empty when it is gone, or dead and only not yet reaped."""
    if sys.platform == "linux":
        try:
            # Field 22 counts clock ticks since boot: unlike a time of day it survives a clock that jumps.
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in (b"Z", b"X") else fields[19].decode("ascii")
    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.6f}"
    except psutil.Error:
        return ""


def family(variable: str, fits: Callable[[str], bool], leaders: Iterable[int] = ()) -> dict[int, Birth]:
    """Live processes that belong together, with their births; never ourselves or what we descend from.

    A member carries ``variable`` with a value that ``fits``, or is in the group or session of one of the
    ``leaders`` (whose identity the caller has made sure of), or descends from a member.
    """
    heads = set(leaders)
    children: dict[int, list[int]] = {}
    found: set[int] = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            children.setdefault(process.ppid(), []).append(process.pid)
            grouped = heads and (os.getpgid(process.pid) in heads or os.getsid(process.pid) in heads)
            if grouped or fits(process.environ().get(variable, "")):
                found.add(process.pid)
    waiting = list(found)
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    found -= _ourselves()
    return {pid: born for pid in found if (born := birth(pid))}


def values_of(variable: str, beside: str, fits: Callable[[str], bool]) -> set[str]:
    """What live processes carry in ``variable`` whose value of ``beside`` fits."""
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            environ = process.environ()
            if variable in environ and fits(environ.get(beside, "")):
                found.add(environ[variable])
    return found


def group_leader(pids: Iterable[int]) -> int:
    """The one whose group the others are in, as far as there is one; else the oldest number."""
    ordered = sorted(pids)
    for pid in ordered:
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(pid) == pid:
                return pid
    return ordered[0]


def stop(members: Callable[[], dict[int, Birth]], leader: int, within: float) -> None:
    """SIGTERM to the leader's group and to members outside it; SIGKILL to what is left after ``within`` s.

    ``members`` is asked again until nobody is left: a process may fork while it is being stopped. Raises
    ``ToolError`` when one cannot be stopped.
    """
    deadline = time.monotonic() + within
    known: dict[int, Birth] = {}
    told: dict[int, Birth] = {}
    killing = False
    # Those once seen stay known: a worker may be found only through a leader that is gone by now.
    while known := {pid: born for pid, born in known.items() if birth(pid) == born} | members():
        fresh = {pid: born for pid, born in known.items() if told.get(pid) != born}
        _signal(fresh, leader, signal.SIGKILL if killing else signal.SIGTERM)
        told |= fresh
        if _gone(known, deadline):
            continue
        if killing:
            left = sorted(pid for pid, born in known.items() if birth(pid) == born)
            raise ToolError(
                f"could not stop process {', '.join(map(str, left))}: it is still there after SIGKILL",
                hint="it waits for a device, or belongs to another user: look at it with ps",
            )
        killing, told, deadline = True, {}, time.monotonic() + _AFTER_KILL


def _signal(members: dict[int, Birth], leader: int, number: signal.Signals) -> None:
    if members.get(leader):
        _send(os.killpg, leader, number)
    for pid, born in members.items():
        # A group was told as a whole; telling a member twice would make some programs end at once.
        with contextlib.suppress(ProcessLookupError):
            if (not members.get(leader) or os.getpgid(pid) != leader) and birth(pid) == born:
                _send(os.kill, pid, number)


def _send(kill: Callable[[int, int], None], target: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        kill(target, number)


def _gone(told: dict[int, Birth], deadline: float) -> bool:
    """Wait until all of them ended. Those that are our own children are reaped on the way."""
    while [pid for pid, born in told.items() if lives(pid, born)]:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_TICK)
    return True


def lives(pid: int, born: Birth) -> bool:
    """Whether exactly this process lives. A dead one that is our own child is reaped by asking."""
    if birth(pid) == born:
        return True
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return False


def _ourselves() -> set[int]:
    own = psutil.Process()
    with contextlib.suppress(psutil.Error):
        return {own.pid, *(parent.pid for parent in own.parents())}
    return {own.pid}
