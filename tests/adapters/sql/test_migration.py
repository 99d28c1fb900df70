"""A ledger that an earlier version wrote goes on working, and loses nothing."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from midas_devops.adapters.sql import schema
from midas_devops.adapters.sql.ledger import SqlLedger, open_ledger
from midas_devops.adapters.sql.reading import open_ledger_for_reading
from midas_devops.testing.ledger_values import (
    approval,
    block,
    deployment,
    message,
    run_row,
)
from tests.adapters.sql.conftest import Place

URL = "sqlite:///.midas/midas.db"
DUMP = Path(__file__).parents[2] / "fixtures" / "ledger" / "version-1.sql"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose ledger is of schema version 1, as a released version left it."""
    (tmp_path / ".midas").mkdir(mode=0o700)
    with closing(sqlite3.connect(tmp_path / ".midas" / "midas.db")) as connection:
        connection.executescript(DUMP.read_text())
    return tmp_path


def stored_version(root: Path) -> str:
    with closing(sqlite3.connect(root / ".midas" / "midas.db")) as connection:
        named = "SELECT value FROM midas_meta WHERE name = 'schema_version'"
        return str(connection.execute(named).fetchone()[0])


def test_what_an_earlier_version_wrote_is_all_there(root: Path) -> None:
    with closing(open_ledger(URL, root)) as ledger:
        found = ledger.run(run_row().run_id)
        assert found is not None
        assert found.record == {"url": "x"}
        (deployed,) = ledger.deployments("staging")
        assert (deployed.commit, deployed.verified, deployed.committed_at) == ("a" * 40, True, None)
        assert ledger.approvals("run-1", approval().digest) == [approval()]
        assert ledger.blocked_versions("staging") == [block("bbb")]
        assert ledger.effects("run-1")[0].receipt == {"serial": 4}
        assert ledger.verify_audit() == 2
    assert stored_version(root) == str(schema.VERSION)


def test_what_this_version_adds_works_in_it(root: Path) -> None:
    with closing(open_ledger(URL, root)) as ledger:
        assert ledger.queue_message(message())
        when = run_row().started_at
        ledger.record_deployment(deployment("b" * 40, committed_at=when))
        assert ledger.deployments("staging")[0].committed_at == when
        assert ledger.message(message().key) is not None
        ledger.audit("run-1", "ana", "goes on")
        assert ledger.verify_audit() == 3


def test_looking_something_up_changes_nothing_and_finds_no_messages(root: Path) -> None:
    with closing(open_ledger_for_reading(URL, root)) as reader:
        assert reader.messages() == []
        assert reader.message("x") is None
        assert len(reader.deployments()) == 1
        assert stored_version(root) == "1"
        with closing(open_ledger(URL, root)) as ledger:
            ledger.queue_message(message())
        assert [waiting.key for waiting in reader.messages()] == [message().key]


def test_opening_it_again_changes_nothing(root: Path) -> None:
    for _ in range(2):
        with closing(open_ledger(URL, root)) as ledger:
            ledger.queue_message(message())
    with closing(open_ledger(URL, root)) as ledger:
        assert len(ledger.messages()) == 1


def _open(root: Path) -> int:
    with closing(open_ledger(URL, root)) as ledger:
        return len(ledger.deployments())


def test_several_processes_bring_it_up_to_date_once(root: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert pool.map(_open, [root] * 4) == [1] * 4


def test_a_migration_that_is_cut_off_leaves_the_earlier_version(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr(schema, "update", _power_cut)
        with pytest.raises(RuntimeError, match="power cut"):
            open_ledger(URL, root)
    assert stored_version(root) == "1"
    with closing(open_ledger(URL, root)) as ledger:
        assert ledger.queue_message(message())


def _power_cut(*_: object) -> None:
    raise RuntimeError("power cut")


def test_both_databases_are_brought_up_to_date(place: Place, open_ledger: Callable[[], SqlLedger]) -> None:
    open_ledger().record_deployment(deployment("a" * 40))
    address = place.url if "postgresql" in place.url else f"sqlite:///{place.root}/.midas/midas.db"
    engine = create_engine(address)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE midas_outbox"))
        connection.execute(text("ALTER TABLE midas_deployments DROP COLUMN committed_at"))
        connection.execute(text("UPDATE midas_meta SET value = '1' WHERE name = 'schema_version'"))
    engine.dispose()
    ledger = open_ledger()
    assert ledger.queue_message(message())
    assert ledger.deployments()[0].committed_at is None
