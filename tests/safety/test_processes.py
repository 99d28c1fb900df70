"""Who is who, and who is dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from midas_devops.ports.ledger import Holder
from midas_devops.safety import processes
from midas_devops.safety.processes import is_dead, same_process, this_process

SAY_WHO = "from midas_devops.safety.processes import this_process; print(this_process().model_dump_json(), flush=True); input()"  # fmt: skip  # noqa: E501


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SAY_WHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()


def who(process: subprocess.Popen[str]) -> Holder:
    assert process.stdout is not None
    return Holder.model_validate_json(process.stdout.readline())


def test_a_process_is_itself_and_alive() -> None:
    assert same_process(this_process("one"), this_process("two"))
    assert not is_dead(this_process())
    assert this_process("ana deploys").who == "ana deploys"


def test_another_process_is_another_and_alive_until_it_ends(child: subprocess.Popen[str]) -> None:
    holder = who(child)
    assert holder.pid == child.pid
    assert holder.boot_id == this_process().boot_id != ""
    assert not same_process(holder, this_process())
    assert not is_dead(holder)
    child.communicate("\n")
    assert is_dead(holder)


def test_a_zombie_is_dead(child: subprocess.Popen[str]) -> None:
    holder = who(child)
    child.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while not is_dead(holder) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert is_dead(holder)
    assert child.returncode is None


def test_a_stopped_process_is_alive(child: subprocess.Popen[str]) -> None:
    holder = who(child)
    child.send_signal(signal.SIGSTOP)
    assert not is_dead(holder)


def test_a_reused_process_id_is_another_process() -> None:
    ours = this_process()
    earlier = ours.model_copy(
        update={"started": ours.started - 100, "start_ticks": max(1, ours.start_ticks - 10_000)}
    )
    assert is_dead(earlier)
    assert not same_process(earlier, ours)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells ticks that no clock moves")
@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_that_jumps_kills_nobody(jump: float) -> None:
    ours = this_process()
    seen_by_another_clock = ours.model_copy(update={"started": ours.started + jump})
    assert not is_dead(seen_by_another_clock)
    assert same_process(ours, seen_by_another_clock)


@pytest.mark.parametrize("other", [{"host": "another"}, {"boot_id": "another"}])
def test_of_another_machine_or_boot_nothing_is_claimed(other: dict[str, str]) -> None:
    gone = this_process().model_copy(update={"pid": 2**22 - 1})
    assert is_dead(gone)
    assert not is_dead(gone.model_copy(update=other))
    assert not same_process(gone, gone.model_copy(update=other))


def test_another_user_s_process_is_alive() -> None:
    first = Holder(
        host=this_process().host,
        boot_id=this_process().boot_id,
        pid=1,
        started=0.0,
        start_ticks=processes._start_ticks(1) or 0,
    )
    if first.start_ticks == 0:
        pytest.skip("the first process of this machine cannot be seen")
    assert not is_dead(first)


def test_without_ticks_the_start_time_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_start_ticks", lambda _pid: None)
    ours = this_process()
    assert ours.start_ticks == 0
    assert not is_dead(ours)
    assert is_dead(ours.model_copy(update={"started": ours.started - 60}))
    assert same_process(ours, this_process())
    assert os.getpid() == ours.pid
