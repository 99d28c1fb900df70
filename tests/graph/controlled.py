"""A service whose behaviour a test changes while it runs, through a file that it reads at each request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from midas_devops import DevOpsAgent, Run
from tests.projects import commit, free_port, project, write

SERVER = """
import http.server, json, os
VERSION = open("VERSION").read().strip()
CONTROL = {control!r}
count = 0
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global count
        count += 1
        try:
            told = json.load(open(CONTROL)).get(VERSION, {{}})
        except (OSError, ValueError):
            told = {{}}
        bad = told.get("status", 200) != 200 or (told.get("flaps") and count % 2)
        if told.get("log"):
            print(told["log"], flush=True)
        self.send_response(500 if bad else 200)
        self.end_headers()
        self.wfile.write(json.dumps({{"version": VERSION, **told.get("body", {{}})}}).encode())
    def log_message(self, *a):
        pass
print("listening", VERSION, flush=True)
if VERSION.startswith("dies"):
    raise SystemExit(1)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

GATE = """
import sys
sys.exit(int(open({file!r}).read()))
"""
PROMOTION = """
[gates.soaked]
kind = "promotion"
from = "web"
for = "30m"

[environments.shop]
kind = "staging"
gates = ["soaked"]
deploy = { using = "command", deploy = ["touch", "shop"], status = ["git", "rev-parse", "v1"] }
verify = { command = ["true"] }
"""
"""``shop`` takes what was verified on ``web`` for half an hour."""


class Controlled:
    """A project with one environment, ``web``, and its versions v1, v2… as tags."""

    def __init__(
        self,
        root: Path,
        *,
        kind: str = "staging",
        approvals: int = 0,
        tables: str = "",
        environment: str = "",
    ) -> None:
        self.root = root
        self._control = root.parent / f"{root.name}-control.json"
        self.told: dict[str, dict[str, Any]] = {}
        deploy = f"""
{tables}
[environments.web]
kind = "{kind}"
approvals = {approvals}
{environment}

[environments.web.deploy]
using = "local"
start = ["python3", "app.py"]
port = {free_port()}
health = {{ path = "/", status = 200, within = "6s" }}
"""
        files = {
            "app.py": SERVER.format(control=str(self._control)),
            "VERSION": "v1",
            ".gitignore": ".midas/\nreports/\nmidas.toml\n",
            "midas.toml": deploy,
        }
        project(root, files)

    def version(self, name: str, files: dict[str, str] | None = None) -> str:
        """Commit and tag another version."""
        write(self.root, {"VERSION": name, **(files or {})})
        return commit(self.root, name, name)

    def tell(self, version: str, **behaviour: Any) -> None:
        """``status``, ``flaps``, ``log``, ``body`` of one version, from its next request on."""
        self.told[version] = behaviour
        fresh = self._control.with_suffix(".new")
        fresh.write_text(json.dumps(self.told), encoding="utf-8")
        fresh.rename(self._control)

    def configure(self, more: str) -> None:
        """Add lines to midas.toml."""
        toml = self.root / "midas.toml"
        toml.write_text(toml.read_text(encoding="utf-8") + more, encoding="utf-8")


def approved(run: Run, by: str = "ana") -> Run:
    """The run after a person said yes to what it asks."""
    pending = run.pending
    assert pending is not None, run.to_json()
    return run.approve(pending["digest"], by=by, reason="seen")


def runs_now(agent: DevOpsAgent) -> str:
    """The version that really runs."""
    running = agent.ports.deployer("web").status()
    return running.version if running else ""
