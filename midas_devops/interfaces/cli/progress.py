"""Live progress of a run on stderr: a status line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from midas_devops.interfaces.cli.output import console, note
from midas_devops.interfaces.wording import plain

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from midas_devops.interfaces.cli.session import Session
    from midas_devops.ports.bundle import RunEvent

_NODE_WIDTH = 14


class Listener(Protocol):
    """Receives the events of a run."""

    def __call__(self, event: RunEvent) -> None: ...


@contextmanager
def live_progress(session: Session) -> Iterator[Listener]:
    """A listener that shows what happens, and remembers the run for what a person may want to do next."""
    shown: AbstractContextManager[Listener]
    if session.quiet:
        shown = nullcontext(_ignore)
    elif sys.stderr.isatty() and not session.json:
        shown = _status_line()
    else:
        shown = nullcontext(_PlainLines())
    with shown as show:

        def listen(event: RunEvent) -> None:
            if event.run_id and event.run_id not in session.run_ids:
                session.run_ids.append(event.run_id)
            # A terminal that went away must not break the run in the middle of an effect.
            with suppress(OSError):
                show(event)

        yield listen


def _ignore(event: RunEvent) -> None:
    del event


class _PlainLines:
    """One line an event, with the seconds since the first."""

    def __init__(self) -> None:
        self._began = monotonic()
        self._last = ""

    def __call__(self, event: RunEvent) -> None:
        if event.kind == "started":
            return
        line = f"{event.node.replace('_', ' '):<{_NODE_WIDTH}} {plain(event.text)}"
        if line != self._last:
            note(f"{monotonic() - self._began:6.1f}s  {line}")
        self._last = line


@contextmanager
def _status_line() -> Iterator[Listener]:
    from rich.progress import (
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    with Progress(
        SpinnerColumn(style="cyan"),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=console(sys.stderr),
        transient=True,
    ) as progress:
        yield _StatusLine(progress, progress.add_task("starting", total=None))


class _StatusLine:
    """The node at work with its latest line; a finished node leaves a line above."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task
        self._began = monotonic()

    def __call__(self, event: RunEvent) -> None:
        from rich.text import Text

        node, text = event.node.replace("_", " "), plain(event.text)
        if event.kind == "finished":
            seconds = monotonic() - self._began
            self._progress.console.print(
                Text.assemble(
                    ("  ✔ ", "green"),
                    (f"{node:<{_NODE_WIDTH}}", "bold"),
                    f" {text} ",
                    (f"{seconds:.1f} s", "dim"),
                )
            )
            return
        if event.kind == "started":
            self._began = monotonic()
            self._progress.reset(self._task)
            text = ""
        self._progress.update(self._task, description=f"{node:<{_NODE_WIDTH}} {text[:90]}")
