"""What is stored stays: through kills, tampering, threads and secrets."""

from __future__ import annotations

import itertools
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from midas_devops.adapters.sql.ledger import SqlLedger, open_ledger
from midas_devops.domain.approval import Approval
from midas_devops.errors import ApprovalRefusedError, LeaseTakenError, StorageError
from midas_devops.ports.ledger import Holder
from midas_devops.safety.redaction import Redactor
from midas_devops.testing.ledger_values import DIGEST, ELSEWHERE, approval, block, run_row
from tests.adapters.sql.conftest import Place

URL = "sqlite:///.midas/midas.db"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
NUMBERS = itertools.count()


def test_folder_and_files_are_for_their_owner_only(tmp_path: Path) -> None:
    with closing(open_ledger(URL, tmp_path)) as ledger:
        ledger.open_run(run_row())
        folder = tmp_path / ".midas"
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
        assert folder.stat().st_mode & 0o777 == 0o700
        assert modes["midas.db"] == modes["midas.db-wal"] == modes["midas.db-shm"] == 0o600
        assert (folder / ".gitignore").read_text() == "*\n"


def test_a_ledger_outside_our_folder_leaves_that_folder_s_mode_alone(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir(mode=0o755)
    with closing(open_ledger("sqlite:///shared/midas.db", tmp_path)):
        assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o755
        assert (tmp_path / "shared" / "midas.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("statement", ["UPDATE midas_audit SET actor = 'eve'", "DELETE FROM midas_audit"])
def test_the_database_itself_refuses_to_change_the_audit(
    open_ledger: Callable[[], SqlLedger], statement: str
) -> None:
    ledger = open_ledger()
    ledger.audit("run-1", "ana", "requested")
    with pytest.raises(Exception, match="append-only"), ledger._engine.begin() as connection:
        connection.execute(text(statement))
    assert ledger.verify_audit() == 1


TAMPERING = {
    "actor": "UPDATE midas_audit SET actor = 'eve' WHERE sequence = 2",
    "data": "UPDATE midas_audit SET data = '{}' WHERE sequence = 2",
    "time": "UPDATE midas_audit SET at = '2026-01-01T00:00:00.000000+00:00' WHERE sequence = 2",
    "hash": "UPDATE midas_audit SET hash = previous_hash WHERE sequence = 2",
    "gone": "DELETE FROM midas_audit WHERE sequence = 2",
    "cut off": "DELETE FROM midas_audit WHERE sequence = 4",
}
BROKEN_AT = {"hash": 2, "cut off": 4}


@pytest.mark.parametrize("change", TAMPERING)
def test_tampering_behind_our_back_is_found_and_named(tmp_path: Path, change: str) -> None:
    with closing(open_ledger(URL, tmp_path)) as ledger:
        for number in range(4):
            ledger.audit("run-1", "ana", "counted", data={"number": number})
        with closing(sqlite3.connect(tmp_path / ".midas" / "midas.db")) as connection, connection:
            connection.execute("DROP TRIGGER midas_audit_no_update")
            connection.execute("DROP TRIGGER midas_audit_no_delete")
            connection.execute(TAMPERING[change])
        with pytest.raises(StorageError, match=f"entry {BROKEN_AT.get(change, 2)} ") as caught:
            ledger.verify_audit()
        assert "trust nothing from entry" in caught.value.hint


def test_a_long_trail_is_read_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("midas_devops.adapters.sql.reading._PAGE", 3)
    with closing(open_ledger(URL, tmp_path)) as ledger:
        for number in range(10):
            ledger.audit(f"run-{number % 2}", "ana", str(number))
        assert [entry.event for entry in ledger.audit_trail()] == [str(number) for number in range(10)]
        assert [entry.event for entry in ledger.audit_trail("run-1")] == ["1", "3", "5", "7", "9"]
        assert ledger.verify_audit() == 10


def test_threads_share_a_ledger(open_ledger: Callable[[], SqlLedger]) -> None:
    ledger = open_ledger()
    states: list[str] = []

    def work(number: int) -> None:
        states.append(ledger.begin("run-1", "one-key", "apply").state)
        for _ in range(5):
            ledger.audit(f"run-{number}", "ana", "worked")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(states) == ["in_doubt"] * 7 + ["not_begun"]
    assert ledger.verify_audit() == 40


def test_a_block_that_fails_stores_nothing(open_ledger: Callable[[], SqlLedger]) -> None:
    ledger = open_ledger()
    ledger.open_run(run_row())
    with pytest.raises(TypeError):
        ledger.save_run(run_row().run_id, "failed", {"not json": object()}, ended=True)
    assert ledger.run(run_row().run_id) == run_row()


def test_no_secret_reaches_the_file(tmp_path: Path) -> None:
    redactor = Redactor()
    redactor.learn(["open-sesame"])
    with closing(open_ledger(URL, tmp_path, redactor=redactor)) as ledger:
        ledger.open_run(run_row(record={"log": "with open-sesame", "token": 7}))
        ledger.begin("run-1", "k", "apply with open-sesame")
        ledger.complete("k", {"password": "another-one"})
        ledger.audit("run-1", "ana", "said", data={"text": "open-sesame"})
        ledger.audit("run-1", "eve of open-sesame", "said")
        ledger.open_run(run_row("run-2", requested_by="ana with open-sesame"))
        ledger.record_approval(approval("ben with open-sesame", reason="open-sesame"))
        ledger.block_version(block("aaa"))
        ledger.lift_block("staging", "aaa", "cleo with open-sesame", "open-sesame")
        holder = ELSEWHERE.model_copy(update={"who": "deploy by open-sesame"})
        ledger.acquire("env:staging", "run-1", holder, NOW, timedelta(seconds=30))
        assert ledger.verify_audit() == 2
        assert [row.requested_by for row in ledger.runs()] == ["ana with [redacted:value]", "ana"]
        assert [entry.actor for entry in ledger.audit_trail()] == ["ana", "eve of [redacted:value]"]
        record = ledger.runs()[1].record
    content = b"".join(path.read_bytes() for path in (tmp_path / ".midas").iterdir())
    assert b"open-sesame" not in content
    assert b"another-one" not in content
    assert record == {"log": "with [redacted:value]", "token": 7}


def test_a_name_that_holds_a_secret_is_one_person_however_often_it_approves(tmp_path: Path) -> None:
    redactor = Redactor()
    redactor.learn(["open-sesame"])
    with closing(open_ledger(URL, tmp_path, redactor=redactor)) as ledger:
        for _ in range(2):
            ledger.record_approval(approval("ben open-sesame"))
        assert [given.by for given in ledger.approvals("run-1", DIGEST)] == ["ben [redacted:value]"]
        with pytest.raises(ApprovalRefusedError, match="1 of 2 people"):
            ledger.consume_approvals("run-1", DIGEST, 2, NOW)
        ledger.record_approval(approval("cleo open-sesame"))
        used = ledger.consume_approvals("run-1", DIGEST, 2, NOW)
    assert [given.by for given in used] == ["ben [redacted:value]", "cleo [redacted:value]"]


def test_a_person_stays_one_when_the_secret_in_the_name_is_learned_later(tmp_path: Path) -> None:
    redactor = Redactor()
    with closing(open_ledger(URL, tmp_path, redactor=redactor)) as ledger:
        ledger.record_approval(approval("ben open-sesame"))
        ledger.record_approval(approval("BEN open-sesame"))
        redactor.learn(["open-sesame"])
        ledger.record_approval(approval("Ben open-sesame"))
        with pytest.raises(ApprovalRefusedError, match="1 of 2 people"):
            ledger.consume_approvals("run-1", DIGEST, 2, NOW)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(st.characters())),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(st.characters()), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=st.dictionaries(st.text(st.characters()), json_values, max_size=3))
def test_any_record_comes_back_as_it_was(
    open_ledger: Callable[[], SqlLedger], record: dict[str, Any]
) -> None:
    ledger = open_ledger()
    ledger.open_run(run_row())
    ledger.save_run(run_row().run_id, "running", record, ended=False)
    found = ledger.run(run_row().run_id)
    assert found is not None
    assert found.record == record
    ledger.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters()))
def test_any_text_can_be_stored(open_ledger: Callable[[], SqlLedger], name: str) -> None:
    ledger = open_ledger()
    ledger.audit("run-1", name, "named")
    assert ledger.verify_audit() > 0
    ledger.close()


PEOPLE = ["ana", "Ana", "ben", "cleo"]
DIGESTS = ["a" * 64, "b" * 64]
steps = st.one_of(
    st.tuples(st.just("approve"), st.sampled_from(PEOPLE), st.sampled_from(DIGESTS), st.integers(1, 100)),
    st.tuples(st.just("consume"), st.integers(1, 3), st.sampled_from(DIGESTS), st.integers(0, 120)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, max_size=12))
def test_no_order_of_events_uses_an_approval_twice_or_late(tmp_path: Path, events: list[Any]) -> None:
    """Against a model: per digest, who approved until when, and whether it was used."""
    with closing(open_ledger(f"sqlite:///{next(NUMBERS)}.db", tmp_path)) as ledger:
        until: dict[str, dict[str, int]] = {digest: {} for digest in DIGESTS}
        used: set[str] = set()
        for event in events:
            if event[0] == "approve":
                _, by, digest, expiry = event
                given_by = Approval(
                    run_id="run-1",
                    digest=digest,
                    by=by,
                    reason="ok",
                    given_at=NOW,
                    expires_at=NOW + timedelta(seconds=expiry),
                )
                if digest in used:
                    with pytest.raises(ApprovalRefusedError):
                        ledger.record_approval(given_by)
                else:
                    ledger.record_approval(given_by)
                    until[digest][by] = expiry
            else:
                _, needed, digest, moment = event
                people = {by.casefold() for by, expiry in until[digest].items() if expiry > moment}
                now = NOW + timedelta(seconds=moment)
                if digest in used or len(people) < needed:
                    with pytest.raises(ApprovalRefusedError):
                        ledger.consume_approvals("run-1", digest, needed, now)
                else:
                    taken = ledger.consume_approvals("run-1", digest, needed, now)
                    assert len({one.by.casefold() for one in taken}) == needed
                    assert all(one.expires_at > now for one in taken)
                    used.add(digest)
    for path in tmp_path.glob("*.db*"):
        path.unlink()


lease_steps = st.lists(
    st.tuples(st.sampled_from(["acquire", "beat", "release"]), st.integers(0, 2), st.integers(-100, 100)),
    max_size=15,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lease_steps)
def test_whatever_the_clocks_do_tokens_grow_and_one_holder_is_current(
    tmp_path: Path, events: list[tuple[str, int, int]]
) -> None:
    lapse = timedelta(seconds=30)
    with closing(open_ledger("sqlite:///leases.db", tmp_path)) as ledger:
        resource = f"env:{next(NUMBERS)}"
        holders = [Holder(host=f"host-{n}", boot_id="b", pid=n + 1, started=1.0) for n in range(3)]
        leases: dict[int, Any] = {}
        newest, last_beat, held = 0, NOW, False
        for action, who, moment in events:
            now = NOW + timedelta(seconds=moment)
            if action == "acquire":
                free = not held or now - last_beat > lapse
                mine = held and leases.get(who) is not None and leases[who].token == newest
                if free or mine:
                    leases[who] = ledger.acquire(resource, f"run-{who}", holders[who], now, lapse)
                    assert leases[who].token == (newest if mine else newest + 1)
                    last_beat = max(last_beat, now) if mine else now
                    newest, held = leases[who].token, True
                else:
                    with pytest.raises(LeaseTakenError):
                        ledger.acquire(resource, f"run-{who}", holders[who], now, lapse)
            elif who in leases:
                current = held and leases[who].token == newest
                if action == "beat":
                    assert ledger.beat(leases[who], now) == current
                    last_beat = max(last_beat, now) if current else last_beat
                else:
                    ledger.release(leases[who])
                    held = held and not current


def test_many_writers_of_many_runs_lose_nothing(place: Place, open_ledger: Callable[[], SqlLedger]) -> None:
    ledgers = [open_ledger() for _ in range(3)]

    def write(number: int) -> None:
        for count in range(10):
            ledgers[number].open_run(run_row(f"run-{number}-{count}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledgers[0].runs(limit=100)) == 30
