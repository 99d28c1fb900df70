"""Commands that change the world and outlive us: noted while they work, and never started twice."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from midas_devops.adapters.child import Ended, run_to_file
from midas_devops.adapters.local import processes
from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.errors import ToolError
from midas_devops.ports.iac import Progress
from midas_devops.safety.private import private_folder, write_private

_GRACE = 10.0
_TICK = 0.1


class AtWork:
    """One command at a time, with its raw output in ``log``; ``note`` names its process meanwhile."""

    def __init__(self, note: Path, log: Path, within: timedelta) -> None:
        self._note = note
        self.log = log
        self._within = within

    def run(
        self,
        what: str,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        on_line: Callable[[str], None] | None = None,
        errors: Path | None = None,
    ) -> Ended:
        """Run it to its end. Raises ``ToolError`` when it cannot be started, ``StorageError``."""
        private_folder(self.log.parent)
        private_folder(self._note.parent)

        def note(pid: int) -> None:
            # A command outlives us when we are killed. The next call must not start another one beside it.
            at_work = {"pid": pid, "born": processes.birth(pid), "boot_id": processes.boot_id(), "what": what}
            write_private(self._note, json.dumps(at_work).encode())

        ended = run_to_file(
            argv,
            cwd=cwd,
            env=env,
            log=self.log,
            errors=errors,
            timeout=self._within.total_seconds(),
            grace=_GRACE,
            on_line=on_line,
            on_start=note,
        )
        self._note.unlink(missing_ok=True)
        return ended

    def wait_for_other(self, interrupts: Interrupts, progress: Progress) -> None:
        """Until a command that an interrupted call of ours started has ended. Raises ``ToolError``."""
        try:
            noted = json.loads(self._note.read_bytes())
            pid, born = int(noted["pid"]), str(noted["born"])
            if noted["boot_id"] != processes.boot_id():
                return
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ToolError(
                f"could not read whether a command is still at work: {error}",
                hint="look for one with ps, then delete the file",
                location=str(self._note),
            ) from error
        deadline = time.monotonic() + self._within.total_seconds()
        told = False
        while born and processes.lives(pid, born):
            interrupts.check()
            if not told:
                progress(f"waiting for process {pid}, the {noted['what']} command of an interrupted call")
                told = True
            if time.monotonic() >= deadline:
                raise ToolError(
                    f"process {pid}, the {noted['what']} command of an interrupted call, does not end",
                    hint="look at it with ps, end it, then try again",
                )
            time.sleep(_TICK)
