"""A GitHub on loopback that remembers: issues, deployments, statuses, dispatched workflows.

It answers as GitHub's published REST description says (``test_openapi.py`` beside it), and fails on demand.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from tests.github import shapes
from tests.github.answers import ROUTES, Answers, RefusedError
from tests.github.shapes import REPOSITORY, Json

TOKEN = "ghp_" + "t0kenForTheLoopbackServerOnly0000000"
BOT = "midas-bot"
_DEFAULT_PAGE, _LARGEST_PAGE = 30, 100


@dataclass
class Fault:
    """What happens to requests whose ``METHOD /path`` the pattern matches, ``times`` often (-1: always)."""

    pattern: str
    status: int = 502
    body: str = '{"message": "Bad Gateway"}'
    headers: tuple[tuple[str, str], ...] = ()
    times: int = -1
    after: bool = False
    """The request is carried out first; only its answer is lost."""
    drop: bool = False
    """The connection is closed without an answer."""


Execute = Callable[[dict[str, str]], tuple[str, str]]
"""(inputs) → (conclusion, log)"""


class GitHub(ThreadingHTTPServer):
    """Change its public attributes between requests; ``asked`` holds every request in order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        port = self.server_address[1]
        self.url = f"http://127.0.0.1:{port}"
        self.storage_url = f"http://localhost:{port}/_storage"
        self.tokens = {TOKEN: BOT}
        self.roles = {BOT: "write", "ana": "write", "ben": "maintain", "eve": "read", "root": "admin"}
        self.kinds = {BOT: "User"}
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.issues: dict[int, Json] = {7: shapes.issue(self.url, 7, "ana", self.stamp())}
        self.comments: list[Json] = []
        self.commits: set[str] | None = None
        """Known commits; None: every one."""
        self.deployments: list[Json] = []
        self.deployment_statuses: dict[int, list[Json]] = {}
        self.commit_statuses: list[Json] = []
        self.workflows: list[Json] = [shapes.workflow(self.url, 11, "deploy.yml", self.stamp())]
        self.run_name = "Deploy ${{ inputs.marker }}"
        self.execute: Execute = lambda _: ("success", "deployed\n")
        self.runs: list[Json] = []
        self.inputs: dict[int, dict[str, str]] = {}
        self.logs: dict[int, str] = {}
        self.hidden_for = 0
        """For so many looks at the list, a new run is not in it yet."""
        self.looks_to_finish = 2
        """So many looks at a run until it has ended."""
        self.looks: dict[int, int] = {}
        self.remaining = 5000
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self.lock = threading.RLock()

    def stamp(self) -> str:
        return f"{self.now:%Y-%m-%dT%H:%M:%SZ}"

    def tick(self, seconds: float = 1) -> None:
        """Time passes here only when this is called."""
        self.now += timedelta(seconds=seconds)

    def count(self, pattern: str) -> int:
        """How many requests so far match."""
        return sum(re.search(pattern, asked) is not None for asked in self.asked)

    def say(self, login: str, body: str, *, on: int = 7, kind: str = "User") -> Json:
        """A person comments."""
        with self.lock:
            self.tick()
            author = shapes.user(self.url, login, kind)
            number = max([9000, *(made["id"] for made in self.comments)]) + 1
            made = shapes.comment(self.url, number, on, author, body, self.stamp())
            self.comments.append(made)
            return made

    def edit(self, comment: Json, body: str) -> None:
        with self.lock:
            self.tick()
            comment.update(body=body, updated_at=self.stamp())

    def texts(self, *, by: str = BOT, on: int = 7) -> list[str]:
        """What an account has said on an issue."""
        issue = f"{self.url}/repos/{REPOSITORY}/issues/{on}"
        return [c["body"] for c in self.comments if c["user"]["login"] == by and c["issue_url"] == issue]

    def start(self, inputs: dict[str, str], branch: str = "main") -> Json:
        """A run of the workflow begins, dispatched by whoever."""
        title = self.run_name
        for name, value in inputs.items():
            title = title.replace(f"${{{{ inputs.{name} }}}}", value)
        number = 501 + len(self.runs)
        run = shapes.workflow_run(self.url, number, self.workflows[0], title, branch, "f" * 40, self.stamp())
        self.runs.append(run)
        self.inputs[number] = inputs
        self.looks[number] = 0
        return run

    def look(self, run: Json) -> Json:
        """A run goes on with every look at it."""
        number = run["id"]
        self.looks[number] += 1
        if run["status"] == "completed":
            return run
        if self.looks[number] < self.looks_to_finish:
            run["status"] = "in_progress"
            return run
        conclusion, self.logs[number] = self.execute(self.inputs[number])
        self.tick()
        run.update(status="completed", conclusion=conclusion, updated_at=self.stamp())
        return run


class _Handler(Answers, BaseHTTPRequestHandler):
    server: GitHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def log_message(self, *_: object) -> None:
        return

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path).removeprefix(f"/repos/{REPOSITORY}")
        self.query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        self.body = json.loads(self.rfile.read(length)) if length else {}
        asked = f"{self.command} {path}"
        with self.server.lock:
            self.server.asked.append(asked)
            fault = next((f for f in self.server.faults if f.times and re.search(f.pattern, asked)), None)
            if fault is not None:
                fault.times -= 1
                if fault.after:
                    self._route(asked)
                if fault.drop:
                    self.close_connection = True
                    return
                self._send(fault.status, fault.body.encode(), fault.headers)
                return
            status, value, headers = self._route(asked)
        data = b"" if value is None else value if isinstance(value, bytes) else json.dumps(value).encode()
        self._send(status, data, headers)

    def _send(self, status: int, data: bytes, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.send_response(status)
        server = self.server
        limits = {"Limit": 5000, "Remaining": server.remaining, "Used": 5000 - server.remaining}
        kind = "text/html" if data.startswith(b"<") else "application/json; charset=utf-8"
        told = {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            "X-RateLimit-Reset": str(int(datetime.now(UTC).timestamp()) + 600),
            **{f"X-RateLimit-{name}": str(value) for name, value in limits.items()},
            **dict(headers),
        }
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _route(self, asked: str) -> tuple[int, Any, tuple[tuple[str, str], ...]]:
        server = self.server
        if asked.startswith("GET /_storage/"):
            if "Authorization" in self.headers:
                return 400, {"message": "a token does not belong here"}, ()
            return 200, server.logs[int(asked.rsplit("/", 1)[1])].encode(), ()
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        self.login = server.tokens.get(token, "") if scheme.lower() in ("token", "bearer") else ""
        if not self.login:
            return 401, {"message": "Bad credentials", "documentation_url": shapes.WEB, "status": "401"}, ()
        if server.remaining <= 0:
            return 403, {"message": "API rate limit exceeded for user ID 1."}, ()
        server.remaining -= 1
        for pattern, respond in ROUTES:
            found = re.fullmatch(pattern, asked)
            if found:
                try:
                    answered = respond(self, *found.groups())
                except RefusedError as refused:
                    about = {"message": refused.message, "documentation_url": shapes.WEB}
                    return refused.status, {**about, "status": str(refused.status)}, ()
                return self._paged(*answered)
        return 404, {"message": "Not Found", "documentation_url": shapes.WEB, "status": "404"}, ()

    def _paged(self, status: int, value: Any, key: str = "") -> tuple[int, Any, tuple[tuple[str, str], ...]]:
        if isinstance(value, str):
            return status, None, (("Location", value),)
        if not isinstance(value, list):
            return status, value, ()
        size = min(int(self.query.get("per_page", _DEFAULT_PAGE)), _LARGEST_PAGE)
        page = int(self.query.get("page", 1))
        shown = value[(page - 1) * size : page * size]
        headers: tuple[tuple[str, str], ...] = ()
        if page * size < len(value):
            base = self.server.url + urlsplit(self.path).path
            following = urlencode({**self.query, "page": page + 1, "per_page": size})
            headers = (("Link", f'<{base}?{following}>; rel="next"'),)
        return status, {"total_count": len(value), key: shown} if key else shown, headers


@contextmanager
def serving() -> Iterator[GitHub]:
    """The server, while the block runs."""
    server = GitHub()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
