"""The locks that keep processes from destroying the database stay while this process uses it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from midas_devops.adapters.checkpoints import open_checkpointer
from midas_devops.adapters.sql.files import make_private_file
from midas_devops.adapters.sql.ledger import open_ledger
from midas_devops.adapters.sql.reading import open_ledger_for_reading
from midas_devops.testing.ledger_values import run_row

URL = "sqlite:///.midas/midas.db"
WRITERS = 4
ROUNDS = 15
LOCKS = Path("/proc/locks")


def locks_on(path: Path) -> int:
    """Number of the POSIX locks that this process holds on a file."""
    inode = path.stat().st_ino
    fields = [line.split() for line in LOCKS.read_text().splitlines() if "POSIX" in line]
    return sum(str(os.getpid()) in found and any(f.endswith(f":{inode}") for f in found) for found in fields)


@pytest.mark.skipif(not LOCKS.exists(), reason="only Linux tells of locks in /proc/locks")
def test_opening_checkpoints_and_readers_leaves_the_ledger_s_locks_alone(tmp_path: Path) -> None:
    file = tmp_path / ".midas" / "midas.db"
    with closing(open_ledger(URL, tmp_path)) as ledger, ledger._engine.connect() as connection:
        connection.execute(text("SELECT count(*) FROM midas_runs")).scalar()
        shared = file.with_name("midas.db-shm")
        before = locks_on(file), locks_on(shared)
        assert min(before) > 0
        with open_checkpointer(URL, tmp_path):
            assert open_ledger_for_reading(URL, tmp_path).runs() == []
            with closing(open_ledger(URL, tmp_path)) as second:
                second.open_run(run_row())
            assert locks_on(file) >= before[0]
            assert locks_on(shared) >= before[1]
        assert (locks_on(file), locks_on(shared)) == before


@pytest.mark.skipif(not LOCKS.exists(), reason="only Linux tells of locks in /proc/locks")
def test_a_file_that_exists_is_not_opened_to_make_it(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    make_private_file(file, tmp_path)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        before = locks_on(file)
        assert before > 0
        make_private_file(file, tmp_path)
        assert locks_on(file) == before


def test_processes_that_write_at_once_lose_nothing_and_break_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.adapters.sql.writer", URL, str(tmp_path)]
    writers = [
        subprocess.Popen(
            [*command, str(number), str(ROUNDS)],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(WRITERS)
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        errors = [writer.communicate(timeout=300)[1] for writer in writers]
        assert [(writer.returncode, error) for writer, error in zip(writers, errors, strict=True)] == [
            (0, "")
        ] * WRITERS
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()

    runs = {f"run-{number}-{count}" for number in range(WRITERS) for count in range(ROUNDS)}
    with closing(open_ledger(URL, tmp_path)) as ledger:
        assert {row.run_id for row in ledger.runs(limit=1000) if row.status == "succeeded"} == runs
        assert ledger.verify_audit() == 3 * len(runs)
    with closing(sqlite3.connect(tmp_path / ".midas" / "midas.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        stored = connection.execute("SELECT thread_id, count(*) FROM checkpoints GROUP BY thread_id")
        assert dict(stored.fetchall()) == dict.fromkeys(runs, 3)
