"""Several processes on one ledger: exactly one wins, and nobody's death holds the others up."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from midas_devops.adapters.sql.ledger import SqlLedger
from midas_devops.domain.approval import Approval
from midas_devops.errors import LeaseTakenError
from midas_devops.safety.lease import LeaseKeeper
from midas_devops.safety.processes import this_process
from tests.adapters.sql.conftest import Place

RACERS = 8
LAPSE = timedelta(seconds=30)

Race = Callable[[str, int], list[dict[str, Any]]]


class Contender:
    """A process of its own that acts on the same ledger."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.adapters.sql.contender"],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def order(self, place: Place, action: str, number: int = 0) -> None:
        self.say(json.dumps({"url": place.url, "root": str(place.root), "action": action, "number": number}))

    def outcome(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.hear())
        return found

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


@pytest.fixture(scope="module")
def contenders() -> Iterator[list[Contender]]:
    started = [Contender() for _ in range(RACERS)]
    yield started
    for contender in started:
        contender.end()


@pytest.fixture
def race(contenders: list[Contender], place: Place) -> Race:
    def run(action: str, count: int) -> list[dict[str, Any]]:
        racers = contenders[:count]
        for number, racer in enumerate(racers):
            racer.order(place, action, number)
        assert [racer.hear() for racer in racers] == ["ready\n"] * count
        for racer in racers:
            racer.say("go")
        outcomes = [racer.outcome() for racer in racers]
        for racer in racers:
            racer.say("done")
        return outcomes

    return run


@pytest.fixture
def holder(place: Place) -> Iterator[Contender]:
    """A process that holds the lease on staging, and beats."""
    contender = Contender()
    contender.order(place, "hold")
    assert contender.hear() == "ready\n"
    contender.say("go")
    assert contender.outcome() == {"won": 1}
    yield contender
    contender.end()


def winners(outcomes: list[dict[str, Any]]) -> list[Any]:
    return [outcome["won"] for outcome in outcomes if "won" in outcome]


def test_one_of_eight_processes_gets_the_lease(race: Race) -> None:
    outcomes = race("lease", RACERS)
    assert winners(outcomes) == [1]
    assert [outcome["lost"] for outcome in outcomes if "lost" in outcome] == ["lease_taken"] * (RACERS - 1)


def test_one_of_eight_processes_uses_the_approval(open_ledger: Callable[[], SqlLedger], race: Race) -> None:
    now = datetime.now(UTC)
    open_ledger().record_approval(
        Approval(
            run_id="run-1",
            digest="d" * 64,
            by="ben",
            reason="ok",
            given_at=now,
            expires_at=now + timedelta(hours=1),
        )
    )
    outcomes = race("approval", RACERS)
    assert winners(outcomes) == [1]
    assert {outcome["lost"] for outcome in outcomes if "lost" in outcome} == {"approval_refused"}


def test_of_eight_people_who_approve_at_once_the_last_completes_the_number(race: Race) -> None:
    assert winners(race("approve", RACERS)) == [RACERS]


def test_one_of_eight_processes_begins_the_effect(race: Race) -> None:
    states = sorted(winners(race("effect", RACERS)))
    assert states == ["in_doubt"] * (RACERS - 1) + ["not_begun"]


def test_a_run_stored_by_eight_processes_is_stored_once(race: Race) -> None:
    assert len(set(winners(race("open", RACERS)))) == 1


def test_eight_processes_may_create_the_ledger_at_once(
    race: Race, open_ledger: Callable[[], SqlLedger]
) -> None:
    assert len(winners(race("create", RACERS))) == RACERS
    assert open_ledger().verify_audit() == RACERS


def test_two_processes_that_write_the_audit_keep_one_chain(
    race: Race, open_ledger: Callable[[], SqlLedger]
) -> None:
    assert winners(race("audit", 2)) == [20, 20]
    ledger = open_ledger()
    assert ledger.verify_audit() == 40
    assert [entry.data["count"] for entry in ledger.audit_trail("run-1")] == list(range(20))


def test_a_killed_holder_frees_its_lease_at_once(
    holder: Contender, open_ledger: Callable[[], SqlLedger]
) -> None:
    ledger = open_ledger()
    with pytest.raises(LeaseTakenError, match="deploy v1 by ana"):
        ledger.acquire("env:staging", "run-2", this_process(), datetime.now(UTC), LAPSE)
    lease = ledger.lease("env:staging")
    assert lease is not None

    holder.process.send_signal(signal.SIGKILL)
    # Not yet waited for: a zombie counts as dead. The kernel only needs a moment to make it one.
    deadline = time.monotonic() + 10
    while ledger.lease("env:staging") is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    taken = ledger.acquire("env:staging", "run-2", this_process(), lease.beat_at, LAPSE)
    assert (taken.token, taken.run_id) == (2, "run-2")
    assert not ledger.beat(lease, lease.beat_at)


def test_a_waiting_run_gets_the_lease_when_its_holder_dies(
    holder: Contender, open_ledger: Callable[[], SqlLedger]
) -> None:
    keeper = LeaseKeeper(open_ledger())
    try:
        holder.process.send_signal(signal.SIGKILL)
        lease = keeper.hold("env:staging", "run-2", "deploy v2 by ben", wait=timedelta(seconds=20))
        assert lease.token == 2
        keeper.check(lease)
    finally:
        keeper.close()


def test_a_stopped_holder_finds_out_that_its_lease_went_to_another(
    holder: Contender, open_ledger: Callable[[], SqlLedger]
) -> None:
    holder.process.send_signal(signal.SIGSTOP)
    ledger = open_ledger()
    lease = ledger.lease("env:staging")
    assert lease is not None
    late = lease.beat_at + LAPSE + timedelta(seconds=1)
    assert ledger.acquire("env:staging", "run-2", this_process(), late, LAPSE).token == lease.token + 1
    holder.process.send_signal(signal.SIGCONT)
    assert not ledger.beat(lease, late)
