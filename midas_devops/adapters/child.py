"""Run an outside program so that it survives us, and end it gracefully when it must end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from midas_devops.errors import StorageError, ToolError

_TICK = 0.1
"""Seconds between two looks at the log while the child works."""
_SWEEP = 2.0
"""Seconds that what is left of a process group gets between SIGTERM and SIGKILL."""


@dataclass(frozen=True)
class Ended:
    """How a child ended. ``returncode`` is negative for a signal, None when its end could not be seen."""

    returncode: int | None
    timed_out: bool = False
    cancelled: bool = False

    @property
    def ok(self) -> bool:
        return self.returncode == 0 and not self.timed_out and not self.cancelled


def run_to_file(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    errors: Path | None = None,
    timeout: float | None = None,
    grace: float = 30.0,
    on_line: Callable[[str], None] | None = None,
    on_start: Callable[[int], None] | None = None,
) -> Ended:
    """Run ``argv`` in its own session, both outputs appended to the fresh file ``log`` (0600), stdin empty.

    With ``errors``, standard error goes to that file instead.
    The child holds no pipe to us: a Terraform whose reader dies is killed in the middle of its work, one that
    writes to a file goes on. ``timeout`` and ``grace`` are seconds. When the time is over, or on Ctrl-C, the
    child gets one SIGINT and ``grace`` to end; then its process group is killed. A second Ctrl-C kills at
    once and is raised. ``on_line`` receives each complete line of output, ``on_start`` the process id.

    Raises ``ToolError`` when the program cannot be started, ``StorageError`` when the log cannot be written.
    """
    with _HeldSignals() as held, _Tail(log, on_line) as tail:
        running = _start(argv, cwd, env, log, errors)
        tail.open()
        try:
            held.deliver()
            with _listed(running):
                if on_start is not None:
                    on_start(running.pid)
                running.wait(timeout, tail)
                if not running.ended.is_set():
                    running.end(grace, tail)
        except KeyboardInterrupt:
            if running.killed:
                raise
            running.cancelled = True
            running.end(grace, tail)
        except BaseException:
            running.end(grace)
            raise
        if running.cancelled or running.timed_out:
            _sweep(running.pid)
        tail.finish()
    return Ended(running.returncode, running.timed_out, running.cancelled)


def interrupt_running() -> int:
    """Ask every child that runs in this process to end gracefully; asked again, kill them. Returns how many.

    For an interface whose children are awaited by other threads than the one that receives Ctrl-C.
    """
    with _lock:
        children = list(_running)
    for child in children:
        if child.cancelled:
            _signal_group(child.pid, signal.SIGKILL)
        child.cancelled = True
        child.interrupt()
        child.wake.set()
    return len(children)


class _Running:
    """One started child and what is known of its end."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self.timed_out = False
        self.cancelled = False
        self.killed = False
        self.ended = threading.Event()
        self.wake = threading.Event()
        self._process = process
        self._interrupted = False
        # A blocking wait in a thread sees the end at once; polling would cost up to 50 ms per child.
        threading.Thread(target=self._reap, name=f"wait-{process.pid}", daemon=True).start()

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    def _reap(self) -> None:
        self._process.wait()
        self.ended.set()
        self.wake.set()

    def wait(self, timeout: float | None, tail: _Tail) -> None:
        """Until the child ended, was cancelled, or ``timeout`` seconds are over."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.ended.is_set() and not self.cancelled:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                self.timed_out = True
                return
            if not tail.wanted:
                self.wake.wait(left)
                continue
            self.wake.wait(_TICK if left is None else min(_TICK, left))
            tail.read()

    def interrupt(self) -> None:
        # Once only: a second SIGINT makes Terraform exit without saving what it did.
        if not self._interrupted and not self.ended.is_set():
            self._interrupted = True
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGINT)

    def end(self, grace: float, tail: _Tail | None = None) -> None:
        """One SIGINT, ``grace`` seconds, then the whole group is killed. A Ctrl-C meanwhile kills at once."""
        self.interrupt()
        try:
            deadline = time.monotonic() + grace
            while not self.ended.wait(min(_TICK, max(0.0, deadline - time.monotonic()))):
                if tail is not None:
                    tail.read()
                if time.monotonic() >= deadline:
                    break
        except KeyboardInterrupt:
            self.killed = True
            _signal_group(self.pid, signal.SIGKILL)
            self.ended.wait()
            raise
        if not self.ended.is_set():
            _signal_group(self.pid, signal.SIGTERM)
            if not self.ended.wait(_SWEEP):
                _signal_group(self.pid, signal.SIGKILL)
                self.ended.wait()


class _HeldSignals:
    """A signal between a child's start and our noting it waits; else the child would be forgotten."""

    def __init__(self) -> None:
        self._before: dict[int, Callable[[int, FrameType | None], object]] = {}
        self._noted: list[int] = []

    def __enter__(self) -> _HeldSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                before = signal.getsignal(number)
                if callable(before):
                    self._before[number] = before
                    signal.signal(number, lambda number, _: self._noted.append(number))
        return self

    def deliver(self) -> None:
        """Give the handlers back, and hand on what came meanwhile."""
        handlers, self._before = self._before, {}
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in self._noted:
            handlers[number](number, None)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


_running: set[_Running] = set()
_lock = threading.Lock()


@contextlib.contextmanager
def _listed(child: _Running) -> Iterator[None]:
    with _lock:
        _running.add(child)
    try:
        yield
    finally:
        with _lock:
            _running.discard(child)


class _Tail:
    """Follows a growing log and hands complete lines on. An error of the receiver never stops the child."""

    def __init__(self, log: Path, on_line: Callable[[str], None] | None) -> None:
        self._log = log
        self._on_line = on_line
        self._file: BinaryIO | None = None
        self._rest = b""
        self._error: Exception | None = None

    def __enter__(self) -> _Tail:
        return self

    def open(self) -> None:
        """Begin to follow; the log has to be there."""
        if self._on_line is not None:
            self._file = self._log.open("rb")

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def wanted(self) -> bool:
        return self._file is not None and self._error is None

    def read(self) -> None:
        if self._file is None or self._error is not None:
            return
        while block := self._file.read(1 << 20):
            *lines, self._rest = (self._rest + block).split(b"\n")
            for line in lines:
                self._give(line)

    def _give(self, line: bytes) -> None:
        if self._on_line is None or self._error is not None:
            return
        try:
            self._on_line(line.decode("utf-8", "replace").rstrip("\r"))
        except Exception as error:  # noqa: BLE001 - kept and raised by finish(), when the child has ended
            self._error = error

    def finish(self) -> None:
        """Hand on what is left; raise what the receiver raised on the way."""
        self.read()
        if self._rest:
            self._give(self._rest)
            self._rest = b""
        if self._error is not None:
            raise self._error


def _start(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path, errors: Path | None
) -> _Running:
    with contextlib.ExitStack() as ours:
        output = ours.enter_context(_fresh(log, argv[0]))
        error_output = ours.enter_context(_fresh(errors, argv[0])) if errors else subprocess.STDOUT
        try:
            process = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=error_output,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise _not_started(argv, cwd, error) from error
    return _Running(process)


@contextlib.contextmanager
def _fresh(path: Path, program: str) -> Iterator[int]:
    """An empty file (0600) that is only appended to, so that its readers never see a line change."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    except OSError as error:
        raise StorageError(
            f"the output of {program} cannot be written: {error.strerror or error}",
            hint="make room or correct the permissions of the folder, and try again",
            location=str(path),
        ) from error
    try:
        os.fchmod(descriptor, 0o600)
        yield descriptor
    finally:
        os.close(descriptor)


def _not_started(argv: Sequence[str], cwd: Path, error: OSError | ValueError) -> ToolError:
    if not cwd.is_dir():
        return ToolError(
            f"{argv[0]} cannot run in {cwd}: the folder is not there",
            hint="check the path",
            location=str(cwd),
        )
    if isinstance(error, FileNotFoundError):
        return ToolError(
            f"{argv[0]} cannot be started: no such program on PATH",
            hint=f"install {argv[0]}, or correct its name in midas.toml",
        )
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return ToolError(
        f"{argv[0]} cannot be started: {reason}",
        hint="check that the file is executable and made for this machine",
    )


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _sweep(pid: int) -> None:
    """End what an interrupted child left in its process group. What has a session of its own stays."""
    _signal_group(pid, signal.SIGTERM)
    deadline = time.monotonic() + _SWEEP
    while time.monotonic() < deadline:
        try:
            os.killpg(pid, 0)
        except (ProcessLookupError, PermissionError):
            return
        time.sleep(0.02)
    _signal_group(pid, signal.SIGKILL)
