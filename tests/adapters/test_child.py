"""Real children: they outlive us, end gracefully when asked to, and leave nobody behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from midas_devops.adapters.child import Ended, interrupt_running, run_to_file
from midas_devops.errors import StorageError, ToolError

STUBBORN = ["sh", "-c", "trap '' INT; echo ready; sleep 60 & wait; sleep 60"]
GRACEFUL = ["sh", "-c", "trap 'echo bye; exit 3' INT; echo ready; while :; do sleep 0.05; done"]


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """A test run that was started in the background ignores Ctrl-C, and so would everything in it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def run(argv: list[str], tmp_path: Path, **options: object) -> Ended:
    return run_to_file(argv, cwd=tmp_path, env=os.environ, log=tmp_path / "log", **options)  # type: ignore[arg-type]


class InterruptOn:
    """Presses Ctrl-C when a line appears."""

    def __init__(self, wanted: str, times: int = 1) -> None:
        self.wanted = wanted
        self.times = times

    def __call__(self, line: str) -> None:
        if line == self.wanted:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)


class TestOutput:
    def test_both_outputs_go_to_one_private_file(self, tmp_path: Path) -> None:
        ended = run(python("import sys; print('out', flush=True); print('err', file=sys.stderr)"), tmp_path)
        assert ended == Ended(0)
        assert (tmp_path / "log").read_text() == "out\nerr\n"
        assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600

    def test_errors_can_go_to_a_file_of_their_own(self, tmp_path: Path) -> None:
        errors = tmp_path / "errors"
        run(python("import sys; print('out'); print('err', file=sys.stderr)"), tmp_path, errors=errors)
        assert (tmp_path / "log").read_text() == "out\n"
        assert errors.read_text() == "err\n"
        assert errors.stat().st_mode & 0o777 == 0o600

    def test_an_older_log_is_replaced_and_made_private(self, tmp_path: Path) -> None:
        (tmp_path / "log").write_text("older and much longer")
        (tmp_path / "log").chmod(0o644)
        run(["echo", "new"], tmp_path)
        assert (tmp_path / "log").read_text() == "new\n"
        assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600

    def test_lines_are_handed_on_complete_and_in_order(self, tmp_path: Path) -> None:
        lines: list[str] = []
        code = """
import sys, time
for part in ("a", "b\\n", "\\xe9\\n", "last"):
    sys.stdout.write(part)
    sys.stdout.flush()
    time.sleep(0.15)
"""
        run(python(code), tmp_path, on_line=lines.append)
        assert lines == ["ab", "é", "last"]

    def test_output_that_is_no_text_does_not_stop_it(self, tmp_path: Path) -> None:
        lines: list[str] = []
        run(python("import os; os.write(1, b'\\xff\\xfe\\n')"), tmp_path, on_line=lines.append)
        assert lines == ["��"]

    def test_standard_input_is_empty(self, tmp_path: Path) -> None:
        assert run(python("import sys; sys.exit(len(sys.stdin.read()))"), tmp_path) == Ended(0)

    def test_the_exit_code_is_the_childs(self, tmp_path: Path) -> None:
        assert run(python("raise SystemExit(7)"), tmp_path).returncode == 7

    def test_a_receiver_that_fails_is_told_of_after_the_child_has_ended(self, tmp_path: Path) -> None:
        def fail(line: str) -> None:
            raise ValueError(line)

        with pytest.raises(ValueError, match="ready"):
            run(["sh", "-c", "echo ready; sleep 0.3; touch done"], tmp_path, on_line=fail)
        assert (tmp_path / "done").exists()


class TestNotStarted:
    def test_a_missing_program_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ToolError, match="no-such-program"):
            run(["no-such-program"], tmp_path)

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ToolError, match="folder is not there"):
            run_to_file(["true"], cwd=tmp_path / "gone", env=os.environ, log=tmp_path / "log")

    def test_a_file_that_is_no_program_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_text("x")
        with pytest.raises(ToolError, match="cannot be started"):
            run([str(tmp_path / "data")], tmp_path)

    def test_a_log_that_cannot_be_written_stops_it_before(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StorageError):
            run_to_file(["touch", "started"], cwd=tmp_path, env=os.environ, log=tmp_path / "file" / "log")
        assert not (tmp_path / "started").exists()

    def test_an_error_at_the_start_ends_the_child(self, tmp_path: Path) -> None:
        pids: list[int] = []

        def refuse(pid: int) -> None:
            pids.append(pid)
            raise StorageError("the disk is full")

        with pytest.raises(StorageError):
            run(["sleep", "60"], tmp_path, on_start=refuse)
        assert not psutil.pid_exists(pids[0])


class TestEnd:
    def test_a_child_that_takes_too_long_is_asked_to_end(self, tmp_path: Path) -> None:
        ended = run(GRACEFUL, tmp_path, timeout=0.5)
        assert ended == Ended(3, timed_out=True)
        assert (tmp_path / "log").read_text() == "ready\nbye\n"

    def test_one_that_does_not_listen_is_killed_with_all_it_started(self, tmp_path: Path) -> None:
        pids: list[int] = []
        ended = run(STUBBORN, tmp_path, timeout=0.3, grace=0.3, on_start=pids.append)
        assert ended.timed_out
        assert ended.returncode in (-signal.SIGTERM, -signal.SIGKILL)
        assert eventually(lambda: not group(pids[0]))

    def test_what_a_graceful_child_leaves_in_its_group_is_ended(self, tmp_path: Path) -> None:
        pids: list[int] = []
        leaves = ["sh", "-c", "sleep 60 & trap 'exit 0' INT; echo ready; while :; do sleep 0.05; done"]
        run(leaves, tmp_path, timeout=0.3, on_start=pids.append)
        assert eventually(lambda: not group(pids[0]))

    def test_what_a_finished_child_leaves_running_stays(self, tmp_path: Path) -> None:
        pids: list[int] = []
        run(["sh", "-c", "sleep 60 > /dev/null 2>&1 &"], tmp_path, on_start=pids.append)
        left = group(pids[0])
        assert len(left) == 1
        left[0].kill()

    def test_ctrl_c_is_passed_on_once_and_the_end_awaited(self, tmp_path: Path) -> None:
        ended = run(GRACEFUL, tmp_path, on_line=InterruptOn("ready"))
        assert ended == Ended(3, cancelled=True)
        assert (tmp_path / "log").read_text() == "ready\nbye\n"

    def test_a_second_ctrl_c_kills_and_is_raised(self, tmp_path: Path) -> None:
        pids: list[int] = []
        pressed = threading.Event()

        def press_twice() -> None:
            pressed.wait(20)
            os.kill(os.getpid(), signal.SIGINT)
            eventually(lambda: stopping(pids[0]), 1.0)
            os.kill(os.getpid(), signal.SIGINT)

        def ready(line: str) -> None:
            pressed.set()

        presser = threading.Thread(target=press_twice)
        presser.start()
        with pytest.raises(KeyboardInterrupt):
            run(STUBBORN, tmp_path, on_line=ready, on_start=pids.append)
        presser.join()
        assert eventually(lambda: not group(pids[0]))

    def test_children_of_other_threads_can_be_interrupted_too(self, tmp_path: Path) -> None:
        results: list[Ended] = []
        waiting = threading.Thread(target=lambda: results.append(run(GRACEFUL, tmp_path)))
        waiting.start()
        log = tmp_path / "log"
        assert eventually(lambda: log.exists() and log.read_text() == "ready\n")
        assert interrupt_running() == 1
        waiting.join(20)
        assert results == [Ended(3, cancelled=True)]
        assert interrupt_running() == 0


class TestSurvival:
    def test_the_child_goes_on_when_we_are_killed(self, tmp_path: Path) -> None:
        code = (
            "import os; from pathlib import Path; from midas_devops.adapters.child import run_to_file\n"
            "run_to_file(['sh', '-c', 'echo begun; while [ ! -e go ]; do sleep 0.05; done; echo ended'],"
            " cwd=Path.cwd(), env=os.environ, log=Path('log'))"
        )
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        log = tmp_path / "log"
        with subprocess.Popen(python(code), cwd=tmp_path, env=env) as parent:
            assert eventually(lambda: log.exists() and log.read_text() == "begun\n")
            parent.kill()
        (tmp_path / "go").touch()
        assert eventually(lambda: log.read_text() == "begun\nended\n")


def group(leader: int) -> list[psutil.Process]:
    """Living processes of a process group."""
    members = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return members


def stopping(pid: int) -> bool:
    """Never true for a child that ignores SIGINT: it only paces the second press."""
    return not psutil.pid_exists(pid)


def test_ctrl_c_while_the_child_is_being_started_does_not_lose_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    real = subprocess.Popen

    def popen_and_ctrl_c(*arguments: Any, **options: Any) -> Any:
        process = real(*arguments, **options)
        started.append(process.pid)
        signal.raise_signal(signal.SIGINT)
        return process

    monkeypatch.setattr(subprocess, "Popen", popen_and_ctrl_c)
    ended = run_to_file(["sleep", "60"], cwd=tmp_path, env=dict(os.environ), log=tmp_path / "log")
    assert ended.cancelled
    assert not psutil.pid_exists(started[0])
