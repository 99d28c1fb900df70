"""The program ``midas-devops``, also as ``python -m midas_devops``."""

from __future__ import annotations

import atexit
import os
import signal
from typing import NoReturn

_STOPPED = 130


def main() -> NoReturn:
    """Entry point of the installed program: a Ctrl-C ends it without a traceback, however early or late."""
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
    except KeyboardInterrupt:
        os._exit(_STOPPED)


if __name__ == "__main__":
    main()
