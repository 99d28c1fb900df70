"""A ledger that cannot be used says what is wrong and what to do, in words and not in a traceback."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from midas_devops.adapters.sql.ledger import SqlLedger, open_ledger
from midas_devops.adapters.sql.reading import open_ledger_for_reading
from midas_devops.errors import ConfigError, StorageError
from midas_devops.ports.ledger import RunRow
from tests.adapters.sql.conftest import PASSWORD, Server

URL = "sqlite:///.midas/midas.db"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def row(run_id: str = "run-0123456789") -> RunRow:
    return RunRow(
        run_id=run_id,
        operation="deploy_release",
        environment="staging",
        status="running",
        started_at=NOW,
        requested_by="ana",
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a ledger with one run in it."""
    with closing(open_ledger(URL, tmp_path)) as ledger:
        ledger.open_run(row())
        ledger.audit("run-0123456789", "ana", "requested")
    return tmp_path / ".midas" / "midas.db"


@pytest.mark.parametrize("opener", [open_ledger, open_ledger_for_reading])
def test_a_file_that_is_no_database_is_named(
    tmp_path: Path, opener: Callable[[str, Path], SqlLedger]
) -> None:
    content = b"this is no database, but somebody's notes\n" * 50
    (tmp_path / ".midas").mkdir()
    file = tmp_path / ".midas" / "midas.db"
    file.write_bytes(content)
    with pytest.raises(StorageError, match="not a database") as caught:
        opener(URL, tmp_path).runs()
    assert caught.value.location == str(file)
    assert "name another in [storage] url" in caught.value.hint
    assert file.read_bytes() == content


@pytest.mark.parametrize("opener", [open_ledger, open_ledger_for_reading])
def test_a_damaged_file_is_said_to_be_damaged(file: Path, opener: Callable[[str, Path], SqlLedger]) -> None:
    content = bytearray(file.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    file.write_bytes(content)
    with pytest.raises(StorageError, match="malformed") as caught:
        opener(URL, file.parents[1]).runs()
    assert "restore a backup" in caught.value.hint


@pytest.mark.parametrize("opener", [open_ledger, open_ledger_for_reading])
def test_a_ledger_of_a_later_version_asks_for_an_upgrade(
    file: Path, opener: Callable[[str, Path], SqlLedger]
) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE midas_meta SET value = '99' WHERE name = 'schema_version'")
    with pytest.raises(StorageError, match="schema version 99") as caught:
        opener(URL, file.parents[1]).runs()
    assert "upgrade midas-devops" in caught.value.hint


def test_a_record_that_was_tampered_with_is_an_error_not_a_traceback(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE midas_runs SET record = '{not json'")
    with pytest.raises(StorageError, match="understand what the ledger holds"):
        open_ledger_for_reading(URL, file.parents[1]).runs()


def test_a_database_that_stays_locked_says_so(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("midas_devops.adapters.sql.engine.WAIT_SECONDS", 0.2)
    with closing(open_ledger(URL, file.parents[1])) as ledger, closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="locked") as caught:
            ledger.audit("run-1", "ana", "waits")
        assert "another process" in caught.value.hint
        assert [found.run_id for found in ledger.runs()] == ["run-0123456789"]


def test_a_writer_waits_for_the_one_before_it(file: Path) -> None:
    with closing(open_ledger(URL, file.parents[1])) as ledger:
        other = sqlite3.connect(file, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        done = threading.Event()

        def write() -> None:
            ledger.audit("run-1", "ana", "waited")
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        assert not done.wait(0.2)
        other.rollback()
        other.close()
        assert done.wait(30)
        writer.join()


@pytest.fixture
def as_nobody() -> Iterator[list[str]]:
    """How to run a command that a mode of a file can stop."""
    if os.geteuid() != 0:
        yield []
        return
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root may write anywhere, and setpriv is not installed: apt-get install util-linux")
    yield [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, timeout=30, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here: needs root, and mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=30)


def test_a_full_disk_says_so_and_keeps_what_was_stored(tiny_disk: Path) -> None:
    with closing(open_ledger(URL, tiny_disk)) as ledger:
        stored: list[int] = []

        def fill() -> None:
            for number in range(10_000):
                ledger.audit("run-1", "ana", "filled", data={"text": "x" * 4000})
                stored.append(number)

        with pytest.raises(StorageError) as caught:
            fill()
        assert "disk is full" in caught.value.hint
        assert len(stored) > 0
        assert ledger.verify_audit() == len(stored)


_READ_ONLY = """
    import sys
    from pathlib import Path
    from midas_devops.adapters.sql.ledger import open_ledger
    from midas_devops.adapters.sql.reading import open_ledger_for_reading
    from midas_devops.errors import StorageError
    root = Path(sys.argv[1])
    print([row.run_id for row in open_ledger_for_reading("sqlite:///midas.db", root).runs()])
    try:
        open_ledger("sqlite:///midas.db", root).audit("run-1", "ana", "writes")
    except StorageError as error:
        print(error.message, "|", error.hint)
"""


def test_a_ledger_that_may_only_be_read_can_be_read_and_refuses_writes(
    file: Path, as_nobody: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(file, folder / "midas.db")
        (folder / "midas.db").chmod(0o444)
        folder.chmod(0o555)
        source = Path(__file__).parents[3]
        done = subprocess.run(
            [*as_nobody, sys.executable, "-c", textwrap.dedent(_READ_ONLY), name],
            cwd=source,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        folder.chmod(0o755)
    if "PermissionError" in done.stderr or "ModuleNotFoundError" in done.stderr:
        pytest.skip("another user of this machine cannot read this source")
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first == "['run-0123456789']"
    assert "readonly" in second or "unable to open" in second


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("sqlite://", "no database"),
        ("sqlite:///", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///x.db?mode=ro", "options"),
        ("mysql://u@h/d", "'mysql' is no database"),
        ("just words", "'just words' is no database"),
        ("", "no database"),
        ("postgresql://h:notaport/d", "cannot be read"),
    ],
)
def test_a_url_that_cannot_be_used_is_a_configuration_error(tmp_path: Path, url: str, seen: str) -> None:
    for opener in (open_ledger, open_ledger_for_reading):
        with pytest.raises(ConfigError, match=seen) as caught:
            opener(url, tmp_path)
        assert caught.value.location == "midas.toml: storage.url"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_where_the_file_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "midas.db").mkdir()
    with pytest.raises(StorageError) as caught:
        open_ledger("sqlite:///midas.db", tmp_path)
    assert caught.value.location == str(tmp_path / "midas.db")


def test_a_server_that_is_not_there_is_named_without_the_password(tmp_path: Path) -> None:
    url = "postgresql+psycopg://midas:open-sesame@127.0.0.1:1/midas"
    with pytest.raises(StorageError) as caught:
        open_ledger(url, tmp_path)
    error = caught.value
    assert error.location == "postgresql://127.0.0.1:1/midas"
    assert "the database server runs" in error.hint
    assert "open-sesame" not in "".join(error.as_dict().values())


def test_a_wrong_password_is_said_to_be_wrong_and_not_repeated(postgresql: Server, tmp_path: Path) -> None:
    wrong = postgresql.url("postgres").replace(PASSWORD, "open-sesame")
    with pytest.raises(StorageError, match="authentication failed") as caught:
        open_ledger(wrong, tmp_path)
    assert "check user and password" in caught.value.hint
    assert "open-sesame" not in "".join(caught.value.as_dict().values())


def test_a_database_that_does_not_exist_is_named(postgresql: Server, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="does not exist") as caught:
        open_ledger(postgresql.url("nowhere"), tmp_path)
    assert "create the database" in caught.value.hint


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_way_to_write_a_postgresql_url_is_understood(
    database: str, tmp_path: Path, scheme: str
) -> None:
    url = database.replace("postgresql+psycopg", scheme)
    with closing(open_ledger(url, tmp_path)) as ledger:
        ledger.open_run(row())
    assert [found.run_id for found in open_ledger_for_reading(url, tmp_path).runs()] == ["run-0123456789"]
