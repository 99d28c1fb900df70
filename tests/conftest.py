"""Every test: no process left behind, no telemetry."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

os.environ.setdefault("LANGSMITH_TRACING", "false")
os.environ.setdefault("CHECKPOINT_DISABLE", "1")


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """A test run that was started in the background ignores Ctrl-C, and so would every process it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def no_services_left(tmp_path: Path) -> Iterator[None]:
    """Stop every process that still works below this test's folder, and fail no test for a stopped one."""
    yield
    for process in psutil.process_iter(["cwd", "pid"]):
        if (process.info["cwd"] or "").startswith(str(tmp_path)) and process.pid != os.getpid():
            process.send_signal(signal.SIGKILL)
            process.wait(10)
