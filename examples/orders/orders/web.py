"""The HTTP interface: JSON in, JSON out."""

from __future__ import annotations

import json
import re
import socketserver
import sqlite3
import time
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from orders.health import Health
from orders.logs import event, log
from orders.storage import Storage

MAX_BODY = 64 * 1024
MAX_LISTED = 100
Reply = tuple[HTTPStatus, object]


@dataclass(frozen=True)
class Release:
    """What runs here."""

    version: str
    commit: str
    environment: str


class Refused(Exception):
    """The request cannot be served; the client is told why."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Server(ThreadingHTTPServer):
    """Answers each request in its own thread, on loopback."""

    daemon_threads = True

    def __init__(self, port: int, storage: Storage, health: Health, release: Release) -> None:
        self.storage = storage
        self.health = health
        self.release = release
        super().__init__(("127.0.0.1", port), Handler)

    def server_bind(self) -> None:
        # HTTPServer would look its own name up, which takes seconds on a machine without DNS.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _get(self, path: str, query: dict[str, list[str]]) -> Reply:
        if path == "/":
            return HTTPStatus.OK, {"service": "orders", "see": ["/orders", "/health", "/version"]}
        if path == "/health":
            healthy, checks = self.server.health.report()
            status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
            return status, {"status": "ok" if healthy else "unavailable", "checks": checks}
        if path == "/version":
            return HTTPStatus.OK, asdict(self.server.release)
        if path == "/orders":
            orders = self.server.storage.newest(_limit(query))
            return HTTPStatus.OK, {"orders": [order.as_dict() for order in orders]}
        if match := re.fullmatch(r"/orders/([0-9]{1,15})", path):
            order = self.server.storage.order(int(match[1]))
            if order is None:
                raise Refused(HTTPStatus.NOT_FOUND, f"there is no order {match[1]}")
            return HTTPStatus.OK, order.as_dict()
        raise Refused(HTTPStatus.NOT_FOUND, f"there is nothing at {path}")

    def _post(self, path: str, _query: dict[str, list[str]]) -> Reply:
        body = self._body()
        if path != "/orders":
            raise Refused(HTTPStatus.NOT_FOUND, f"nothing can be posted to {path}")
        order = self.server.storage.place(
            _text(body, "item"), _count(body, "quantity", least=1), _count(body, "price_cents", least=0)
        )
        return HTTPStatus.CREATED, order.as_dict()

    def _body(self) -> dict[str, object]:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "a body with a Content-Length is needed")
        if int(length) > MAX_BODY:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MAX_BODY} bytes are taken")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise Refused(HTTPStatus.BAD_REQUEST, "the body is not JSON") from None
        if not isinstance(body, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "the body is not a JSON object")
        return body

    def _answer(self, route) -> None:
        started = time.monotonic()
        url = urlsplit(self.path)
        try:
            status, body = route(url.path, parse_qs(url.query))
        except Refused as refused:
            status, body = refused.status, {"error": str(refused)}
            # Whatever is left of a refused body would be read as the next request.
            self.close_connection = True
        except sqlite3.Error:
            log.exception(event("request_failed", method=self.command, path=url.path))
            status, body = HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "the order book cannot be reached"}
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        level = log.warning if status >= HTTPStatus.INTERNAL_SERVER_ERROR else log.info
        millis = round((time.monotonic() - started) * 1000)
        level(event("request", method=self.command, path=url.path, status=int(status), ms=millis))

    def log_message(self, format: str, *args: object) -> None:
        """Requests are logged once, by ``_answer``."""


def _limit(query: dict[str, list[str]]) -> int:
    text = query.get("limit", ["20"])[0]
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= MAX_LISTED:
        raise Refused(HTTPStatus.BAD_REQUEST, f"limit is a number from 1 to {MAX_LISTED}")
    return int(text)


def _text(body: dict[str, object], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value.strip():
        raise Refused(HTTPStatus.BAD_REQUEST, f"'{key}' is missing or no text")
    return value.strip()


def _count(body: dict[str, object], key: str, *, least: int) -> int:
    value = body.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 1_000_000_000:
        raise Refused(HTTPStatus.BAD_REQUEST, f"'{key}' has to be a whole number from {least}")
    return value
