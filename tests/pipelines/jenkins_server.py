"""A Jenkins on loopback: jobs in folders, crumbs bound to a session, a queue, builds and growing logs.

It answers as Jenkins' remote API does: ``tree`` selects properties, ``config.xml`` comes back reformatted,
undeclared parameters are dropped without a word, and a write without a crumb is refused.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.pipelines.jenkins_state import Build, Job, reformatted, select

PREFIX = "/jenkins"
USER, TOKEN = "ada", "11aa22bb33cc44dd55ee66ff"
READER, READER_TOKEN = "guest", "99aa88bb77cc66dd55ee44ff"


class JenkinsServer(ThreadingHTTPServer):
    """``fault`` turns answers bad: ``500``, ``403``, ``html``, ``truncated``, ``redirect``, ``hang``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}{PREFIX}/"
        self.root = Job("", jobs={})
        self.queue: dict[int, dict[str, Any]] = {}
        self.crumbs: dict[str, str] = {}
        self.crumbs_wanted = True
        self.busy = False
        """No executor is free: what is queued stays queued."""
        self.keeps_running = False
        self.outcome = "SUCCESS"
        self.writes: list[str] = []
        self.requests: list[str] = []
        self.fault = ""
        self.fault_on = ""
        """Only requests that contain it are answered badly."""
        self.faults_left = 1_000
        self.credentials: tuple[str, ...] = ("deploy-key", "registry")
        self.released = threading.Event()
        self.after_write: Callable[[str], None] = lambda asked: None
        """Called when a write was done and not yet answered."""

    def folder(self, full_name: str) -> Job:
        parent = self._parent(full_name)
        assert parent is not None
        assert parent.jobs is not None
        return parent.jobs.setdefault(full_name.rpartition("/")[2], Job(full_name, jobs={}))

    def job(self, full_name: str, *, parameters: tuple[str, ...] = ()) -> Job:
        declared = "".join(
            f"<hudson.model.StringParameterDefinition><name>{name}</name></hudson.model.StringParameterDefinition>"
            for name in parameters
        )
        parent = self._parent(full_name)
        assert parent is not None
        assert parent.jobs is not None
        made = Job(
            full_name,
            "<flow-definition><description/><properties><hudson.model.ParametersDefinitionProperty>"
            f"<parameterDefinitions>{declared}</parameterDefinitions>"
            "</hudson.model.ParametersDefinitionProperty></properties></flow-definition>",
        )
        parent.jobs[made.name] = made
        return made

    def find(self, path: str) -> Job | None:
        """``job/team/job/orders`` → the job; the parts are encoded once."""
        found: Job | None = self.root
        for part in re.findall(r"job/([^/]+)", path):
            found = found.jobs.get(unquote(part)) if found and found.jobs is not None else None
        return found

    def _parent(self, full_name: str) -> Job | None:
        parent: Job | None = self.root
        for part in full_name.split("/")[:-1]:
            parent = parent.jobs.get(part) if parent and parent.jobs is not None else None
        return parent

    def enqueue(self, job: Job, parameters: dict[str, str]) -> int:
        number = len(self.queue) + 1
        self.queue[number] = {"job": job, "parameters": parameters, "executable": None, "cancelled": False}
        return number

    def start(self, number: int) -> None:
        """An executor takes what is queued."""
        item = self.queue[number]
        job: Job = item["job"]
        if item["executable"] is None and not self.busy and not item["cancelled"]:
            build = Build(len(job.builds) + 1, item["parameters"], queue_id=number)
            build.result = None if self.keeps_running else self.outcome
            job.builds.append(build)
            item["executable"] = {"number": build.number}


class _Handler(BaseHTTPRequestHandler):
    server: JenkinsServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def log_message(self, *_: object) -> None:
        return

    def _route(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        parts = urlsplit(self.path)
        assert parts.path.startswith(PREFIX + "/"), parts.path
        path = parts.path.removeprefix(PREFIX + "/")
        query = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        asked = f"{self.command} {path}"
        self.server.requests.append(asked)
        if self._broken(asked) or not self._known_user(asked):
            return
        if self.command == "POST":
            if not self._has_crumb():
                self._send(403, b"<html>No valid crumb was included in the request</html>", "text/html")
                return
            self.server.writes.append(asked)
            self._post(path, query, body)
        else:
            self._get(path, query)

    def _broken(self, asked: str) -> bool:
        server = self.server
        if not server.fault or server.fault_on not in asked or server.faults_left < 1:
            return False
        server.faults_left -= 1
        if server.fault == "html":
            self._send(200, b"<html><form action='/login'>Sign in</form></html>", "text/html")
        elif server.fault == "redirect":
            self._send(302, b"", "text/html", Location="https://login.example.org/?next=jenkins")
        elif server.fault == "truncated":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("X-Text-Size", "1000")
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"jobs": [')
            self.close_connection = True
        elif server.fault == "hang":
            server.released.wait(60)
            self.close_connection = True
        else:
            self._send(int(server.fault), b"<html>Oops!</html>", "text/html")
        return True

    def _known_user(self, asked: str) -> bool:
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        user = base64.b64decode(given).decode() if given else ""
        if user == f"{USER}:{TOKEN}":
            return True
        if user != f"{READER}:{READER_TOKEN}":
            self._send(401, b"<html>Unauthorized</html>", "text/html")
            return False
        if not asked.startswith("GET") or asked.endswith("config.xml") or "credentials" in asked:
            self._send(403, b"<html>guest is missing a permission</html>", "text/html")
            return False
        return True

    def _session(self) -> str:
        found = re.search(r"JSESSIONID=(\w+)", self.headers.get("Cookie", ""))
        return found[1] if found else ""

    def _has_crumb(self) -> bool:
        if not self.server.crumbs_wanted:
            return True
        expected = self.server.crumbs.get(self._session())
        return expected is not None and self.headers.get("Jenkins-Crumb") == expected

    def _get(self, path: str, query: dict[str, str]) -> None:
        tree = query.get("tree", "")
        if path == "crumbIssuer/api/json":
            self._crumb()
            return
        if path == "api/json":
            self._json(self.server.root.told(), tree)
            return
        if path == "queue/api/json":
            waiting = [
                self._queued(number, item)
                for number, item in self.server.queue.items()
                if item["executable"] is None and not item["cancelled"]
            ]
            self._json({"items": waiting}, tree)
            return
        if found := re.fullmatch(r"queue/item/(\d+)/api/json", path):
            number = int(found[1])
            if number in self.server.queue:
                self.server.start(number)
                self._json(self._queued(number, self.server.queue[number]), tree)
                return
        if re.fullmatch(r"(job/[^/]+/)*credentials/store/\w+/domain/_/api/json", path):
            self._json({"credentials": [{"id": name} for name in self.server.credentials]}, tree)
            return
        job = self.server.find(path)
        below = re.sub(r"^(job/[^/]+/)+", "", path)
        if job is None or not path.startswith("job/"):
            self._send(404, b"<html>Not found</html>", "text/html")
        elif below == "api/json":
            self._json(job.told(), tree)
        elif below == "config.xml":
            self._send(200, job.xml.encode(), "application/xml")
        else:
            self._build(job, below, query, tree)

    def _build(self, job: Job, below: str, query: dict[str, str], tree: str) -> None:
        number, _, rest = below.partition("/")
        build = next((one for one in job.builds if str(one.number) == number), None)
        if build is None:
            self._send(404, b"<html>Not found</html>", "text/html")
        elif rest == "api/json":
            self._json(build.told(), tree)
        elif rest == "logText/progressiveText":
            start = int(query.get("start", "0"))
            more = {"X-More-Data": "true"} if build.result is None else {}
            self._send(200, build.log[start:], "text/plain", **{"X-Text-Size": str(len(build.log))}, **more)
        elif rest == "wfapi/describe/api/json" and build.stages is not None:
            self._json({"stages": build.stages}, tree)
        else:
            self._send(404, b"<html>Not found</html>", "text/html")

    def _post(self, path: str, query: dict[str, str], body: bytes) -> None:
        server = self.server
        job = server.find(path)
        below = re.sub(r"^(job/[^/]+/)+", "", path)
        if job is None:
            self._send(404, b"<html>Not found</html>", "text/html")
        elif below == "createItem":
            name = query["name"]
            if job.jobs is None:
                self._send(404, b"<html>Not found</html>", "text/html")
            elif name in job.jobs:
                said = f"A job already exists with the name '{name}'"
                self._send(400, said.encode(), "text/html", **{"X-Error": said})
            else:
                made = Job(f"{job.full_name}/{name}".strip("/"), reformatted(body.decode()))
                job.jobs[name] = made
                self._send(200, b"", "text/html")
        elif below == "config.xml":
            job.xml = reformatted(body.decode())
            self._send(200, b"", "text/html")
        elif below in ("build", "buildWithParameters"):
            self._start(job, below, body)
        elif below.endswith("/stop"):
            build = next(one for one in job.builds if str(one.number) == below.split("/")[0])
            build.result = build.result or "ABORTED"
            self._send(302, b"", "text/html", Location=server.url + path.removesuffix("stop"))
        else:
            self._send(404, b"<html>Not found</html>", "text/html")

    def _start(self, job: Job, entry: str, body: bytes) -> None:
        declared = job.parameters
        if not job.buildable:
            self._send(409, b"<html>not buildable</html>", "text/html")
            return
        if (entry == "buildWithParameters") != bool(declared):
            self._send(400, b"<html>Nothing is submitted</html>", "text/html")
            return
        given = {key: values[0] for key, values in parse_qs(body.decode(), keep_blank_values=True).items()}
        number = self.server.enqueue(job, {name: given.get(name, "") for name in declared})
        self._send(201, b"", "text/html", Location=f"{self.server.url}queue/item/{number}/")

    def _queued(self, number: int, item: dict[str, Any]) -> dict[str, Any]:
        given = [{"name": key, "value": value} for key, value in item["parameters"].items()]
        job: Job = item["job"]
        told = {
            "_class": "hudson.model.Queue$LeftItem"
            if item["executable"]
            else "hudson.model.Queue$WaitingItem",
            "id": number,
            "cancelled": item["cancelled"],
            "why": None if item["executable"] else "Waiting for next available executor",
            "actions": [{"parameters": given}] if given else [{}],
            "task": {"url": f"{self.server.url}job/{job.name}/", "name": job.name},
        }
        return told | ({"executable": item["executable"]} if item["executable"] else {})

    def _crumb(self) -> None:
        if not self.server.crumbs_wanted:
            self._send(404, b"<html>Not found</html>", "text/html")
            return
        session = self._session() or secrets.token_hex(8)
        self.server.crumbs[session] = secrets.token_hex(16)
        told = {"crumb": self.server.crumbs[session], "crumbRequestField": "Jenkins-Crumb"}
        self._send(
            200,
            json.dumps(told).encode(),
            "application/json",
            **{"Set-Cookie": f"JSESSIONID={session}; Path={PREFIX}; HttpOnly"},
        )

    def _json(self, value: Any, tree: str) -> None:
        told = select(value, tree) if tree else value
        self._send(200, json.dumps(told).encode(), "application/json;charset=utf-8")

    def _send(self, status: int, data: bytes, kind: str, **headers: str) -> None:
        if self.command == "POST":
            self.server.after_write(self.path)
        self.send_response(status)
        self.send_header("X-Jenkins", "2.516.3")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serving() -> Iterator[JenkinsServer]:
    """The server, while the block runs."""
    server = JenkinsServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
