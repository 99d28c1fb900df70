"""A GitHub on loopback, the part that runs pipelines: shapes and statuses as its REST description."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.pipelines.actions_routes import NAME, Json, iso, respond

TOKEN = "token-for-tests"
CI = 101


@dataclass
class Fault:
    """What happens instead of an answer, to requests whose line contains ``on``."""

    on: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    times: int = 1_000_000
    cut: bool = False
    """Say more bytes than are sent, and hang up."""
    hang: bool = False
    """Answer nothing until the server ends."""


class ActionsServer(ThreadingHTTPServer):
    """One repository's workflows, runs, jobs, logs, settings and issues, in memory."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.workflows: list[Json] = [self.workflow(CI, "CI", ".github/workflows/ci.yml")]
        self.runs: list[Json] = []
        self.jobs: dict[int, list[Json]] = {}
        self.logs: dict[int, bytes | Callable[[], Iterator[bytes]]] = {}
        self.issues: list[Json] = []
        self.comments: dict[int, list[Json]] = {}
        self.dispatched: list[Json] = []
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self.writes: list[str] = []
        self.not_modified = 0
        self.blob_headers: list[dict[str, str]] = []
        self.settings: dict[str, Any] = {
            "/environments": [],
            "/branches/main": {"name": "main", "protected": False, "protection": {"enabled": False}},
            "/rules/branches/main": [],
            "/actions/secrets": [],
            "/actions/variables": [],
            "/actions/permissions": {
                "enabled": True,
                "allowed_actions": "all",
                "sha_pinning_required": False,
            },
            "/actions/permissions/workflow": {
                "default_workflow_permissions": "read",
                "can_approve_pull_request_reviews": False,
            },
        }
        self.keeps_labels = True
        self.knows_run_details = True
        self.stop = threading.Event()
        self.lock = threading.Lock()

    def at(self, path: str) -> str:
        return f"{self.url}/repos/{NAME}{path}"

    def workflow(self, number: int, name: str, path: str, state: str = "active") -> Json:
        return {
            "id": number,
            "node_id": f"W_{number}",
            "name": name,
            "path": path,
            "state": state,
            "created_at": "2026-01-01T00:00:00.000Z",
            "updated_at": "2026-01-01T00:00:00.000Z",
            "url": f"https://github.example/api/{number}",
            "html_url": f"https://github.example/{NAME}/blob/main/{path}",
            "badge_url": f"https://github.example/{NAME}/badge.svg",
        }

    def run(
        self,
        conclusion: str | None = "success",
        *,
        minutes_ago: float = 10,
        seconds: int = 90,
        commit: str = "",
        branch: str = "main",
        event: str = "push",
        workflow: int = CI,
        attempt: int = 1,
    ) -> Json:
        """A run with its times; no jobs yet."""
        number = len(self.runs) + 1
        created = self.now - timedelta(minutes=minutes_ago)
        of = next(one for one in self.workflows if one["id"] == workflow)
        made = {
            "id": 9_000_000_000 + number,
            "name": of["name"],
            "path": of["path"],
            "workflow_id": workflow,
            "head_branch": branch,
            "head_sha": commit or hashlib.sha256(str(number).encode()).hexdigest()[:40],
            "run_number": number,
            "run_attempt": attempt,
            "event": event,
            "display_title": f"Change {number}",
            "status": "completed" if conclusion else "in_progress",
            "conclusion": conclusion,
            "created_at": iso(created),
            "run_started_at": iso(created),
            "updated_at": iso(created + timedelta(seconds=seconds)),
            "html_url": f"https://github.example/{NAME}/actions/runs/{number}",
        }
        self.runs.append(made)
        self.jobs[made["id"]] = []
        return made

    def job(
        self,
        run: Json,
        name: str = "test",
        conclusion: str | None = "success",
        *,
        attempt: int = 1,
        queued: int = 5,
        log: bytes | Callable[[], Iterator[bytes]] = b"done\n",
    ) -> Json:
        number = 5_000 + sum(map(len, self.jobs.values())) + 1
        created = datetime.fromisoformat(run["created_at"])
        ended = datetime.fromisoformat(run["updated_at"])
        bad = conclusion in ("failure", "timed_out")
        made = {
            "id": number,
            "run_id": run["id"],
            "run_attempt": attempt,
            "head_sha": run["head_sha"],
            "name": name,
            "status": "completed" if conclusion else "in_progress",
            "conclusion": conclusion,
            "created_at": iso(created),
            "started_at": iso(created + timedelta(seconds=queued)),
            "completed_at": iso(ended) if conclusion else None,
            "html_url": f"https://github.example/{NAME}/actions/runs/{run['run_number']}/job/{number}",
            "labels": ["ubuntu-24.04"],
            "runner_name": "hosted",
            "steps": [
                {"name": "Set up job", "status": "completed", "conclusion": "success", "number": 1},
                {
                    "name": "Run tests",
                    "status": "completed" if conclusion else "in_progress",
                    "conclusion": "failure" if bad else conclusion,
                    "number": 2,
                },
            ],
        }
        self.jobs[run["id"]].append(made)
        self.logs[number] = log
        return made

    def issue(self, title: str, body: str, *, labels: tuple[str, ...] = (), by: str = "OWNER") -> Json:
        number = len(self.issues) + 1
        made = {
            "id": number,
            "number": number,
            "state": "open",
            "title": title,
            "body": body,
            "labels": [{"name": label, "url": self.at(f"/labels/{label}")} for label in labels],
            "user": {"id": 1, "login": "octocat", "type": "User", "url": f"{self.url}/users/octocat"},
            "author_association": by,
            "url": self.at(f"/issues/{number}"),
            "html_url": f"https://github.example/{NAME}/issues/{number}",
        }
        self.issues.append(made)
        self.comments[number] = []
        return made

    def hang_up(self) -> None:
        """From now on nobody listens, nor answers on a connection that is open."""
        self.stop.set()
        self.shutdown()
        self.server_close()

    def fault(self, asked: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.on in asked and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    server: ActionsServer
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    """Head and body in one packet: two would wait for each other's acknowledgement."""

    def do_GET(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def do_PATCH(self) -> None:
        self._route()

    def log_message(self, *_: object) -> None:
        return

    def _route(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        path = unquote(parts.path).removeprefix(f"/repos/{NAME}")
        asked = f"{self.command} {path}"
        self.server.asked.append(f"{asked}?{parts.query}" if parts.query else asked)
        if self.server.stop.is_set():  # a connection that was kept open
            self.close_connection = True
            return
        if fault := self.server.fault(self.server.asked[-1]):
            self._fail(fault)
            return
        if path.startswith("/blob/"):
            self.server.blob_headers.append(dict(self.headers))
            self._blob(int(path.rsplit("/", 1)[1]))
            return
        if self.headers.get("Authorization") not in (f"token {TOKEN}", f"Bearer {TOKEN}"):
            self._send(401, {"message": "Bad credentials"})
            return
        if self.command != "GET":
            self.server.writes.append(asked)
        with self.server.lock:
            status, answer, headers = respond(self.server, self.command, path, query, body)
        self._send(status, answer, headers)

    def _send(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        data = b"" if answer is None else json.dumps(answer).encode()
        etag = f'W/"{hashlib.sha256(data).hexdigest()}"'
        if status == 200 and self.command == "GET" and self.headers.get("If-None-Match") == etag:
            self.server.not_modified += 1
            status, data = 304, b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", etag)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def _fail(self, fault: Fault) -> None:
        if fault.hang:
            self.server.stop.wait(60)
            self.close_connection = True
            return
        data = fault.body if fault.body is not None else b'{"message": "as the test wants it"}'
        self.send_response(fault.status or 200)
        for key, value in fault.headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data) + (1000 if fault.cut else 0)))
        self.end_headers()
        self.wfile.write(data)
        if fault.cut:
            self.close_connection = True

    def _blob(self, job: int) -> None:
        log = self.server.logs.get(job)
        if log is None:
            self._send(404, {"message": "BlobNotFound"})
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        if isinstance(log, bytes):
            self.send_header("Content-Length", str(len(log)))
            self.end_headers()
            self.wfile.write(log)
            return
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            for block in log():
                self.wfile.write(block)
        except OSError:  # the reader went away
            return


@contextmanager
def serving() -> Iterator[ActionsServer]:
    """The server, while the block runs."""
    server = ActionsServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.hang_up()
        thread.join()
