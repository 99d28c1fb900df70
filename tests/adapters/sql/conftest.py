"""Both databases that the ledger lives in, real ones."""

from __future__ import annotations

import getpass
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from midas_devops.adapters.sql.ledger import SqlLedger, open_ledger
from midas_devops.adapters.sql.reading import utc_now

PASSWORD = "only-for-this-test"


@dataclass(frozen=True)
class Place:
    """Where a ledger is to be."""

    url: str
    root: Path


@dataclass(frozen=True)
class Server:
    """A PostgreSQL of our own on a port of loopback."""

    port: int

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://midas:{PASSWORD}@127.0.0.1:{self.port}/{database}"


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        found = next((str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install postgresql")
    return found


def _unprivileged() -> str:
    """PostgreSQL refuses to run as root; then it runs as another user of this machine."""
    if os.geteuid() != 0:
        return getpass.getuser()
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody: useradd postgres")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'midas-devops[postgres]'")
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    user = _unprivileged()
    identity = pwd.getpwnam(user)
    folder = Path(tempfile.mkdtemp(prefix="midas-pg-"))
    (folder / "password").write_text(PASSWORD)
    for path in (folder, folder / "password"):
        os.chown(path, identity.pw_uid, identity.pw_gid)
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"

    def run(*arguments: str) -> None:
        other: dict[str, Any] = (
            {} if os.geteuid() != 0 else {"user": user, "group": identity.pw_gid, "extra_groups": []}
        )
        with (folder / "output").open("ab") as output:
            done = subprocess.run(
                arguments,
                **other,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=120,
                check=False,
            )
        assert done.returncode == 0, (folder / "output").read_text()

    try:
        run(initdb, "-D", str(data), "-U", "midas", "-A", "scram-sha-256", "--no-sync",
            f"--pwfile={folder / 'password'}", "-E", "UTF8", "--locale=C")  # fmt: skip
        run(pg_ctl, "-D", str(data), "-o", options, "-l", str(data / "log"), "-w", "start")
        yield Server(port)
        run(pg_ctl, "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(postgresql: Server) -> str:
    """The URL of a database of its own."""
    import psycopg

    name = f"midas_{secrets.token_hex(6)}"
    admin = postgresql.url("postgres").replace("+psycopg", "")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return postgresql.url(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place("sqlite:///.midas/midas.db", tmp_path)
    return Place(request.getfixturevalue("database"), tmp_path)


@pytest.fixture(name="open_ledger")
def _open_ledger(place: Place) -> Iterator[Callable[..., SqlLedger]]:
    opened: list[SqlLedger] = []

    def open_one(clock: Callable[[], datetime] | None = None) -> SqlLedger:
        opened.append(open_ledger(place.url, place.root, clock=clock or utc_now))
        return opened[-1]

    yield open_one
    for ledger in opened:
        ledger.close()
