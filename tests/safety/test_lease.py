"""Leases that are kept while a run works, on a real ledger."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from midas_devops.adapters.sql.ledger import SqlLedger, open_ledger
from midas_devops.errors import BlockedError, LeaseTakenError, StorageError
from midas_devops.ports.ledger import Holder
from midas_devops.safety.lease import LeaseKeeper

ELSEWHERE = Holder(host="another-host", boot_id="another-boot", pid=4711, started=1.0, who="deploy v2 by ben")
LAPSE = timedelta(seconds=30)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    with closing(open_ledger("sqlite:///midas.db", tmp_path)) as opened:
        yield opened


Keep = Callable[..., LeaseKeeper]


@pytest.fixture
def keep(ledger: SqlLedger) -> Iterator[Keep]:
    keepers: list[LeaseKeeper] = []

    def make(**options: float) -> LeaseKeeper:
        keepers.append(LeaseKeeper(ledger, **options))  # type: ignore[arg-type]
        return keepers[-1]

    yield make
    for keeper in keepers:
        keeper.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in 20 s"
        time.sleep(0.005)


def test_a_held_lease_passes_the_check_by_itself_and_by_name(keep: Keep) -> None:
    keeper = keep()
    lease = keeper.hold("env:staging", "run-1", "deploy v1 by ana")
    keeper.check(lease)
    keeper.check("env:staging")
    assert lease.holder.who == "deploy v1 by ana"


def test_the_same_run_may_hold_it_again(keep: Keep) -> None:
    keeper = keep()
    first = keeper.hold("env:staging", "run-1", "ana")
    again = keeper.hold("env:staging", "run-1", "ana")
    assert again.token == first.token
    keeper.check(first)
    keeper.check(again)


def test_another_run_is_refused_at_once_with_the_holder(keep: Keep) -> None:
    keeper = keep()
    keeper.hold("env:staging", "run-1", "deploy v1 by ana")
    with pytest.raises(LeaseTakenError, match=r"deploy v1 by ana.*for \d+ s"):
        keeper.hold("env:staging", "run-2", "ben")


def test_a_run_waits_for_a_lease_that_is_given_back_in_time(keep: Keep) -> None:
    keeper = keep()
    keeper.hold("env:staging", "run-1", "ana")
    tokens: list[int] = []

    def wait() -> None:
        tokens.append(keeper.hold("env:staging", "run-2", "ben", wait=timedelta(seconds=20)).token)

    waiting = threading.Thread(target=wait)
    waiting.start()
    keeper.release_all("run-1")
    waiting.join(20)
    assert tokens == [2]


def test_waiting_ends_when_the_time_is_over(ledger: SqlLedger, keep: Keep) -> None:
    ledger.acquire("env:staging", "run-1", ELSEWHERE, datetime.now(UTC), LAPSE)
    with pytest.raises(LeaseTakenError, match="deploy v2 by ben"):
        keep().hold("env:staging", "run-2", "ana", wait=timedelta(seconds=0.3))


def test_beats_keep_it_alive(ledger: SqlLedger, keep: Keep) -> None:
    lease = keep(beat_every=0.01).hold("env:staging", "run-1", "ana")

    def beaten() -> bool:
        found = ledger.lease("env:staging")
        return found is not None and found.beat_at > lease.beat_at

    until(beaten)


def test_release_all_gives_back_only_that_run_s(ledger: SqlLedger, keep: Keep) -> None:
    keeper = keep()
    keeper.hold("env:staging", "run-1", "ana")
    keeper.hold("run:run-1", "run-1", "ana")
    kept = keeper.hold("env:production", "run-2", "ana")
    keeper.release_all("run-1")
    assert ledger.lease("env:staging") is None
    assert ledger.lease("run:run-1") is None
    keeper.check(kept)
    with pytest.raises(BlockedError):
        keeper.check("env:staging")


def test_a_lost_lease_blocks_the_effect(ledger: SqlLedger, keep: Keep) -> None:
    keeper = keep()
    lease = keeper.hold("env:staging", "run-1", "ana")
    late = datetime.now(UTC) + timedelta(minutes=5)
    taken = ledger.acquire("env:staging", "run-2", ELSEWHERE, late, LAPSE)
    with pytest.raises(BlockedError, match="env:staging was lost") as caught:
        keeper.check(lease)
    assert "runs resume run-1" in caught.value.hint
    with pytest.raises(BlockedError):
        keeper.check("env:staging")
    keeper.release_all("run-1")
    assert ledger.beat(taken, late)


def test_the_thread_notices_a_lost_lease_and_leaves_it_to_the_other(ledger: SqlLedger, keep: Keep) -> None:
    keeper = keep(beat_every=0.01)
    lease = keeper.hold("env:staging", "run-1", "ana")
    late = datetime.now(UTC) + timedelta(minutes=5)
    taken = ledger.acquire("env:staging", "run-2", ELSEWHERE, late, LAPSE)
    until(lambda: "env:staging" not in keeper._held)
    keeper.release(lease)
    found = ledger.lease("env:staging")
    assert found is not None
    assert found.token == taken.token


def test_a_lease_never_held_fails_the_check(ledger: SqlLedger, keep: Keep) -> None:
    foreign = ledger.acquire("env:staging", "run-1", ELSEWHERE, datetime.now(UTC), LAPSE)
    for asked in (foreign, "env:staging", "env:nowhere"):
        with pytest.raises(BlockedError):
            keep().check(asked)


def test_closing_gives_everything_back_and_stops_the_thread(ledger: SqlLedger) -> None:
    keeper = LeaseKeeper(ledger, beat_every=0.01)
    keeper.hold("env:staging", "run-1", "ana")
    keeper.hold("env:production", "run-1", "ana")
    keeper.close()
    keeper.close()
    assert ledger.lease("env:staging") is None
    assert ledger.lease("env:production") is None
    assert "midas-lease" not in {thread.name for thread in threading.enumerate()}


def test_a_store_that_is_away_for_a_moment_does_not_end_the_beats(
    ledger: SqlLedger, keep: Keep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("midas_devops.adapters.sql.engine.WAIT_SECONDS", 0.05)
    with closing(open_ledger("sqlite:///midas.db", tmp_path)) as impatient:
        keeper = LeaseKeeper(impatient, beat_every=0.01)
        lease = keeper.hold("env:staging", "run-1", "ana")
        with closing(sqlite3.connect(tmp_path / "midas.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError, match="locked"):
                keeper.check(lease)
            other.rollback()
        seen = ledger.lease("env:staging")
        assert seen is not None

        def beaten() -> bool:
            found = ledger.lease("env:staging")
            return found is not None and found.beat_at > seen.beat_at

        until(beaten)
        keeper.check(lease)
        keeper.close()
