"""Run the real command line in processes of its own, live on the screen."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic

from midas_devops.errors import MidasError
from midas_devops.interfaces.demo.project import DemoProject, tool_environment
from midas_devops.interfaces.demo.screen import Screen

_PROGRAM = [sys.executable, "-c", "from midas_devops.interfaces.cli.main import main; main()"]
_MOST_SECONDS = 180.0
_REMEMBERED = 15


class DemoFailedError(MidasError):
    """Something in the demo did not go as it has to."""

    code = "demo_failed"


@dataclass(frozen=True)
class Finished:
    """One command that ended."""

    line: str
    code: int
    seconds: float
    pid: int
    document: Mapping[str, object]
    """What ``--json`` printed; empty for other programs."""
    tail: tuple[str, ...]
    """The last lines of its live output."""


@dataclass
class Shell:
    """Runs commands on the demo's project, one at a time."""

    project: DemoProject
    screen: Screen
    finished: list[Finished] = field(default_factory=list)

    def devops(self, *words: str, expect: Sequence[int]) -> Finished:
        """``midas-devops … --json``. Raises :class:`DemoFailedError` on another exit code than expected."""
        arguments = ["--project", str(self.project), *words, "--json"]
        ended = self._run(f"midas-devops {shlex.join(arguments)}", [*_PROGRAM, *arguments], as_json=True)
        return self._expect(ended, expect)

    def tool(self, module: str, *words: str, folder: Path) -> Finished:
        """``python -m module …`` in a folder; it has to succeed."""
        line = f"python -m {module} {shlex.join(words)}"
        ended = self._run(line, [sys.executable, "-m", module, *words], folder)
        return self._expect(ended, (0,))

    def _expect(self, ended: Finished, expect: Sequence[int]) -> Finished:
        self.finished.append(ended)
        if ended.code not in expect:
            wanted = " or ".join(str(code) for code in expect)
            seen = json.dumps(ended.document.get("error") or ended.document.get("reason") or "")
            raise DemoFailedError(
                f"'{ended.line}' ended with exit code {ended.code}, and {wanted} was expected"
                + (f": {seen}" if ended.document else ""),
                hint="its last lines: " + " | ".join(ended.tail) if ended.tail else "",
                location=str(self.project.folder),
            )
        return ended

    def _run(
        self, line: str, argv: list[str], folder: Path | None = None, *, as_json: bool = False
    ) -> Finished:
        self.screen.command(line)
        began = monotonic()
        tail: deque[str] = deque(maxlen=_REMEMBERED)
        late = threading.Event()
        with (
            TemporaryFile("w+", encoding="utf-8") as printed,
            subprocess.Popen(
                argv,
                cwd=folder,
                env=tool_environment(),
                stdin=subprocess.DEVNULL,
                stdout=printed if as_json else subprocess.PIPE,
                stderr=subprocess.PIPE if as_json else subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process,
            _ended(process, late),
        ):
            for text in (process.stderr if as_json else process.stdout) or ():
                if text.strip():
                    tail.append(text.rstrip())
                    self.screen.live(text.rstrip())
            code = process.wait()
            printed.seek(0)
            document = printed.read()
        if late.is_set():
            raise DemoFailedError(f"'{line}' has not ended within {_MOST_SECONDS:.0f} s, and was stopped")
        seconds = monotonic() - began
        shown = _document(line, document) if as_json else {}
        return Finished(line, code, seconds, process.pid, shown, tuple(tail))


@contextmanager
def _ended(process: subprocess.Popen[str], late: threading.Event) -> Iterator[None]:
    """Whatever happens, the process has ended afterwards; ``late`` is set when it took too long."""

    def stop() -> None:
        late.set()
        process.terminate()

    timer = threading.Timer(_MOST_SECONDS, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Nothing for one that has ended; else let it clean up, then insist."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _document(line: str, text: str) -> Mapping[str, object]:
    try:
        document = json.loads(text)
    except ValueError:
        raise DemoFailedError(f"'{line}' printed no JSON document: {text[:200]!r}") from None
    if not isinstance(document, dict):
        raise DemoFailedError(f"'{line}' printed no JSON object")
    return document
