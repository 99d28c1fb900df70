"""The program ``midas-devops``, also as ``python -m midas_devops``."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from typing import NoReturn

_STOPPED = 130
_OBJECTS = 100_000


def main() -> NoReturn:
    """Entry point of the installed program: a Ctrl-C ends it without a traceback, however early or late."""
    _fill_closed_streams()
    # What modules create stays: the collector would walk it dozens of times, and find nothing.
    gc.set_threshold(_OBJECTS)
    try:
        before = signal.getsignal(signal.SIGINT)
        if before is not signal.SIG_IGN:
            # Nothing has begun while the modules load: the quiet end that the system gives is the right one.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            # Registered first, so it runs last: when Python takes itself down, the exit code stands.
            atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
        from midas_devops.interfaces.cli.main import main as carry_out

        signal.signal(signal.SIGINT, before)
        carry_out()
    except SystemExit as ended:
        if _needs_no_end():
            # Both streams are flushed. Taking every module down would take as long as loading it.
            os._exit(ended.code if isinstance(ended.code, int) else 0)
        raise
    except KeyboardInterrupt:
        os._exit(_STOPPED)


def _fill_closed_streams() -> None:
    """Where stdin, stdout or stderr is closed, a file that is opened next would be taken for it."""
    for name, flags, mode in (
        ("stdin", os.O_RDONLY, "r"),
        ("stdout", os.O_WRONLY, "w"),
        ("stderr", os.O_WRONLY, "w"),
    ):
        if getattr(sys, name) is None:
            # The lowest free number is given: the one that is missing.
            setattr(sys, name, os.fdopen(os.open(os.devnull, flags), mode, encoding="utf-8"))


def _needs_no_end() -> bool:
    """Whether nothing can be open: an agent or a store has connections, threads or children."""
    return not any(name in sys.modules for name in ("midas_devops.agent", "chromadb", "sqlalchemy"))


if __name__ == "__main__":
    main()
