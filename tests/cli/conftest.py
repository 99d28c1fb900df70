"""A small real project, and two ways to call the command line: in this process, and as a person does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from midas_devops.interfaces.cli.main import run

APP = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"fine")

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

SETTINGS = """
[project]
name = "orders"

[environments.staging]
kind = "staging"

[environments.staging.deploy]
using = "local"
start = [{python}, "app.py"]
port = {staging}
health = {{ path = "/", within = "20s" }}

[environments.production]
kind = "production"
promotes_from = "staging"

[environments.production.deploy]
using = "local"
start = [{python}, "app.py"]
port = {production}
health = {{ path = "/", within = "20s" }}
"""


@dataclass(frozen=True)
class Result:
    """What one call of the command line left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout; fails when there is anything else."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Project:
    """A git repository with one tagged version of a web service."""

    root: Path

    def git(self, *words: str) -> str:
        environ = {
            **os.environ,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "Ana",
            "GIT_AUTHOR_EMAIL": "ana@example.org",
            "GIT_COMMITTER_NAME": "Ana",
            "GIT_COMMITTER_EMAIL": "ana@example.org",
        }
        done = subprocess.run(
            ["git", *words], cwd=self.root, env=environ, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def release(self, tag: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-qm", tag)
        self.git("tag", tag)
        return self.git("rev-parse", "HEAD")


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@pytest.fixture
def project(tmp_path: Path, no_services_left: None, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Staging and production on this machine, and the version v1."""
    made = Project(tmp_path / "orders")
    made.root.mkdir()
    staging, production = free_ports(2)
    (made.root / "app.py").write_text(APP)
    (made.root / "midas.toml").write_text(
        SETTINGS.format(python=json.dumps(sys.executable), staging=staging, production=production)
    )
    made.git("init", "-q", "-b", "main")
    made.release("v1")
    monkeypatch.chdir(made.root)
    return made


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Call it in this process."""

    def call(*words: str) -> Result:
        capsys.readouterr()
        code = run(words)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


PROGRAM = [sys.executable, "-m", "midas_devops"]


@pytest.fixture
def shell() -> Callable[..., Result]:
    """Call it as a program of its own."""

    def call(*words: str, **environ: str) -> Result:
        done = subprocess.run(
            [*PROGRAM, *words],
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return call
