"""Looking something up: quick, and without touching anything."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from midas_devops.adapters.sql import queries, reading, schema
from midas_devops.adapters.sql.ledger import SqlLedger, open_ledger
from midas_devops.adapters.sql.reading import open_ledger_for_reading
from midas_devops.ports.ledger import Deployment
from midas_devops.safety.processes import this_process
from midas_devops.testing.ledger_values import applied, approval, block, deployment, run_row
from tests.adapters.sql.conftest import Place

URL = "sqlite:///.midas/midas.db"


def test_a_ledger_that_does_not_exist_is_empty_and_is_not_created(tmp_path: Path) -> None:
    reader = open_ledger_for_reading(URL, tmp_path)
    assert reader.runs() == []
    assert reader.run("run-0123456789") is None
    assert reader.lease("env:staging") is None
    assert reader.last_verified("staging") is None
    assert reader.verify_audit() == 0
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_our_tables_is_empty_and_stays_so(place: Place) -> None:
    if place.url == URL:
        (place.root / ".midas").mkdir()
        with closing(sqlite3.connect(place.root / ".midas" / "midas.db")) as connection, connection:
            connection.execute("CREATE TABLE checkpoints (thread_id TEXT)")
    for _ in range(2):
        assert open_ledger_for_reading(place.url, place.root).runs() == []


def test_a_reader_sees_what_was_written_before_and_after_it_was_opened(
    place: Place, open_ledger: Callable[[], SqlLedger]
) -> None:
    reader = open_ledger_for_reading(place.url, place.root)
    assert reader.runs() == []
    ledger = open_ledger()
    ledger.open_run(run_row())
    assert reader.runs() == [run_row()]


def test_a_reader_answers_as_the_ledger_does(place: Place, open_ledger: Callable[[], SqlLedger]) -> None:
    ledger = open_ledger()
    ledger.open_run(run_row())
    ledger.begin("run-1", "k", "apply")
    ledger.record_approval(approval())
    ledger.acquire("env:staging", "run-1", this_process(), datetime.now(UTC), timedelta(seconds=30))
    number = ledger.record_deployment(deployment("aaa"))
    ledger.set_verified(number, True, datetime.now(UTC))
    ledger.block_version(block("bbb"))
    ledger.record_apply(applied("aaa"))
    ledger.audit("run-1", "ana", "requested")
    reader = open_ledger_for_reading(place.url, place.root)
    for one in (ledger, reader):
        assert one.run("run-01") == run_row()
    assert reader.runs() == ledger.runs()
    assert reader.effects("run-1") == ledger.effects("run-1") != []
    assert reader.approvals("run-1", "d" * 64) == [approval()]
    assert reader.lease("env:staging") == ledger.lease("env:staging") is not None
    assert reader.deployments() == ledger.deployments() != []
    assert isinstance(reader.last_verified("staging"), Deployment)
    assert reader.blocked_versions("staging") == [block("bbb")]
    assert reader.last_good_apply("staging", "infra/staging") == applied("aaa")
    assert list(reader.audit_trail()) == list(ledger.audit_trail()) != []
    assert reader.verify_audit() == 1


def test_reading_while_somebody_writes_does_not_wait(tmp_path: Path) -> None:
    with closing(open_ledger(URL, tmp_path)) as ledger:
        ledger.open_run(run_row())
        with closing(sqlite3.connect(tmp_path / ".midas" / "midas.db")) as writer:
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("DELETE FROM midas_runs")
            assert open_ledger_for_reading(URL, tmp_path).runs() == [run_row()]


def test_reading_sqlite_loads_neither_sqlalchemy_nor_psutil(tmp_path: Path) -> None:
    with closing(open_ledger(URL, tmp_path)) as ledger:
        ledger.open_run(run_row())
        ledger.acquire("env:staging", "run-1", this_process(), datetime.now(UTC), timedelta(seconds=30))
    code = (
        "import sys; from pathlib import Path\n"
        "from midas_devops.adapters.sql.reading import open_ledger_for_reading\n"
        f"reader = open_ledger_for_reading({URL!r}, Path({str(tmp_path)!r}))\n"
        "print(len(reader.runs()), reader.lease('env:staging'))\n"
        "heavy = {'sqlalchemy', 'psycopg', 'langgraph', 'chromadb', 'openai', 'fsspec', 'psutil'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    counted, heavy = done.stdout.splitlines()
    assert counted.startswith("1 ")
    if sys.platform == "linux":
        assert heavy == "[]"


def test_the_versions_of_reader_and_writer_are_the_same() -> None:
    assert reading.SCHEMA_VERSION == schema.VERSION


def test_every_query_runs_on_both_databases(place: Place, open_ledger: Callable[[], SqlLedger]) -> None:
    open_ledger()
    reader = open_ledger_for_reading(place.url, place.root)
    values = {
        "length": 6,
        "limit": 5,
        "number": 1,
        "after": 0,
    }
    texts = {name: sql for name, sql in vars(queries).items() if name.isupper()}
    assert len(texts) > 10
    for sql in texts.values():
        words = {word.strip(",()") for word in sql.split() if word.startswith(":")}
        reader._select(sql, {word[1:]: values.get(word[1:], "x") for word in words})


@pytest.mark.parametrize("limit", [0, 1, 1000])
def test_limits_are_kept(place: Place, open_ledger: Callable[[], SqlLedger], limit: int) -> None:
    ledger = open_ledger()
    for number in range(3):
        ledger.open_run(run_row(f"run-{number}"))
    assert len(ledger.runs(limit=limit)) == min(3, limit)
