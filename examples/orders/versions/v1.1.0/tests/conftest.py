"""A real server on a free port, with a storage of its own for every test."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from orders.storage import Storage
from orders.turnover import Turnover
from orders.web import Release, Server


class Client:
    """Speaks JSON to one server."""

    def __init__(self, port: int) -> None:
        self._port = port

    def get(self, path: str) -> tuple[int, dict]:
        return self.send("GET", path)

    def post(self, path: str, body: object) -> tuple[int, dict]:
        return self.send("POST", path, json.dumps(body).encode())

    def send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, dict]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    storage = Storage(tmp_path / "orders.sqlite3")
    storage.create()
    return storage


@pytest.fixture
def client(storage: Storage) -> Iterator[Client]:
    turnover = Turnover(storage)
    turnover.refresh()
    server = Server(0, storage, turnover, Release("v0", "c0ffee", "test"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Client(server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()
