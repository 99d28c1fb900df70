"""Ctrl-C in the middle of a change: nothing is torn, and nobody waits longer than needed."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType

_active: set[Interrupts] = set()
_lock = threading.Lock()

_Before = Callable[[int, FrameType | None], object] | int | None


def interrupt_rollouts() -> int:
    """Cancel every rollout that works in this process; how many.

    For an interface whose rollouts run in other threads than the one that receives Ctrl-C.
    """
    with _lock:
        rollouts = list(_active)
    for each in rollouts:
        each.requested = True
    return len(rollouts)


class Interrupts:
    """Notes a Ctrl-C instead of raising it anywhere; it is raised only inside :meth:`allowed`.

    Only the main thread receives signals: elsewhere :func:`interrupt_rollouts` sets ``requested``. A handler
    that somebody installed before is called too.
    """

    def __init__(self) -> None:
        self.requested = False
        self._raising = False
        self._before: dict[signal.Signals, _Before] = {}

    def __enter__(self) -> Interrupts:
        with _lock:
            _active.add(self)
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                before = signal.getsignal(number)
                # An untouched SIGTERM ends us at once, which is safe at every moment.
                if callable(before):
                    self._before[number] = before
                    signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        with _lock:
            _active.discard(self)

    @contextlib.contextmanager
    def allowed(self) -> Iterator[None]:
        """Inside, a Ctrl-C raises ``KeyboardInterrupt`` where it happens; an earlier one does at once."""
        self.check()
        self._raising = True
        try:
            yield
        finally:
            self._raising = False
        self.check()

    def check(self) -> None:
        """Raise ``KeyboardInterrupt`` when one was asked for."""
        if self.requested:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        before = self._before[signal.Signals(number)]
        if callable(before) and before is not signal.default_int_handler:
            with contextlib.suppress(KeyboardInterrupt):
                before(number, frame)
        if self._raising:
            # Once: what cleans up after it must not be torn by the next one.
            self._raising = False
            raise KeyboardInterrupt
