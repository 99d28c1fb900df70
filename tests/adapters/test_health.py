"""Health over HTTP, asked of real servers on loopback."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from midas_devops.adapters.health import wait_until_healthy
from midas_devops.ports.deployer import HealthReading

SHORT = timedelta(milliseconds=600)
LONG = timedelta(seconds=60)

Answer = Callable[[http.server.BaseHTTPRequestHandler, int], None]


@contextmanager
def serving(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """A server whose n-th request is answered by ``answer(request, n)``; its address, and the paths asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            answer(self, len(asked))

        def log_message(self, *_: object) -> None:
            return None

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def reply(
    status: int, body: bytes = b"", **headers: str
) -> Callable[[http.server.BaseHTTPRequestHandler, int], None]:
    def answer(request: http.server.BaseHTTPRequestHandler, _: int) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def closed_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


def test_the_wanted_status_is_healthy() -> None:
    with serving(reply(200, b"fine")) as (url, asked):
        reading = wait_until_healthy(f"{url}/health?deep=1", within=LONG)
    assert reading.healthy is True
    assert reading.attempts == 1
    assert asked == ["/health?deep=1"]


def test_any_status_can_be_the_wanted_one() -> None:
    with serving(reply(204)) as (url, _):
        assert wait_until_healthy(url, status=204, within=LONG).healthy is True


def test_another_status_is_named_with_what_the_service_said() -> None:
    with serving(reply(503, b"database\x1b[31m\nunreachable")) as (url, asked):
        reading = wait_until_healthy(url, within=SHORT)
    assert reading.healthy is False
    assert "answers 503 instead of 200: database [31m unreachable" in reading.detail
    assert reading.attempts == len(asked) > 1


def test_a_refused_connection_is_named() -> None:
    reading = wait_until_healthy(f"http://127.0.0.1:{closed_port()}/", within=SHORT)
    assert reading.healthy is False
    assert "refuses connections" in reading.detail


def test_a_service_that_never_answers_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        reading = wait_until_healthy(f"http://127.0.0.1:{silent.getsockname()[1]}/", within=SHORT)
    assert reading.healthy is False
    assert "gives no answer within" in reading.detail


def test_a_service_that_drips_its_answer_does_not_hold_us_beyond_the_deadline() -> None:
    release = threading.Event()

    def drip(request: http.server.BaseHTTPRequestHandler, _: int) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not release.wait(0.05):
            request.wfile.write(b"X-Drip: 1\r\n")

    with serving(drip) as (url, asked):
        reading = wait_until_healthy(url, within=SHORT)
        assert reading.healthy is False
        assert "gives no answer within" in reading.detail
        assert len(asked) == 1
        release.set()


def test_what_is_no_http_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            link, _ = server.accept()
            with link:
                link.recv(1024)
                link.sendall(b"220 mail.example ESMTP\r\n")

        talking = threading.Thread(target=talk)
        talking.start()
        reading = wait_until_healthy(f"http://127.0.0.1:{server.getsockname()[1]}/", within=SHORT)
        talking.join()
    assert reading.healthy is False


def test_a_service_that_becomes_healthy_in_time_is_healthy() -> None:
    def late(request: http.server.BaseHTTPRequestHandler, number: int) -> None:
        reply(200 if number > 3 else 503)(request, number)

    with serving(late) as (url, _):
        reading = wait_until_healthy(url, within=LONG)
    assert reading.healthy is True
    assert reading.attempts == 4


def test_a_service_that_flaps_never_gets_enough_good_answers_in_a_row() -> None:
    def flap(request: http.server.BaseHTTPRequestHandler, number: int) -> None:
        reply(200 if number % 2 else 503)(request, number)

    with serving(flap) as (url, _):
        assert wait_until_healthy(url, within=LONG, successes=1).healthy is True
        reading = wait_until_healthy(url, within=SHORT, successes=2)
    assert reading.healthy is False
    assert "flaps" in reading.detail
    assert "2 in a row" in reading.detail


def test_waiting_ends_at_once_when_it_is_pointless() -> None:
    reasons = iter(["", "", "the process ended with status 3"])
    last = ""

    def gave_up() -> str:
        nonlocal last
        last = next(reasons, last)
        return last

    reading = wait_until_healthy(
        f"http://127.0.0.1:{closed_port()}/", within=timedelta(hours=1), gave_up=gave_up
    )
    assert reading.healthy is False
    assert reading.detail.startswith("the process ended with status 3")


def test_a_hanging_request_does_not_hide_that_waiting_is_pointless() -> None:
    reasons: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def accept() -> None:
            link, _ = silent.accept()
            with link:
                link.recv(1024)
                reasons.append("the process ended")

        accepting = threading.Thread(target=accept)
        accepting.start()
        reading = wait_until_healthy(
            f"http://127.0.0.1:{silent.getsockname()[1]}/",
            within=timedelta(hours=1),
            gave_up=lambda: "".join(reasons),
        )
        accepting.join()
    assert "the process ended" in reading.detail


def test_a_redirect_is_followed_on_the_same_host() -> None:
    def turn(request: http.server.BaseHTTPRequestHandler, number: int) -> None:
        if request.path == "/":
            reply(302, Location="/health")(request, number)
        else:
            reply(200)(request, number)

    with serving(turn) as (url, asked):
        assert wait_until_healthy(url + "/", within=LONG).healthy is True
    assert asked == ["/", "/health"]


def test_a_redirect_to_another_host_is_not_followed() -> None:
    with serving(reply(200)) as (other, asked_there):
        elsewhere = other.replace("127.0.0.1", "localhost")
        with serving(reply(302, Location=elsewhere)) as (url, _):
            reading = wait_until_healthy(url, within=SHORT)
    assert reading.healthy is False
    assert "redirects to http://localhost" in reading.detail
    assert asked_there == []


def test_a_redirect_that_is_wanted_is_an_answer() -> None:
    with serving(reply(302, Location="/login")) as (url, asked):
        assert wait_until_healthy(url + "/", status=302, within=LONG).healthy is True
    assert asked == ["/"]


def test_a_redirect_that_goes_round_ends() -> None:
    with serving(reply(302, Location="/")) as (url, _):
        assert wait_until_healthy(url + "/", within=SHORT).healthy is False


def test_proxies_of_the_environment_are_not_used_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving(reply(200)) as (url, _):
        assert wait_until_healthy(url, within=LONG).healthy is True


def test_proxies_of_the_environment_are_used_for_other_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(reply(200)) as (proxy, asked):
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert wait_until_healthy("http://orders.invalid/health", within=LONG).healthy is True
    assert asked == ["http://orders.invalid/health"]


@pytest.mark.parametrize(
    "url", ["", "orders.example", "file:///etc/passwd", "ftp://host/", "http://", "http://h:x/"]
)
def test_what_is_no_address_cannot_be_measured(url: str) -> None:
    reading = wait_until_healthy(url, within=LONG)
    assert reading.healthy is None
    assert reading.detail
    assert reading.attempts == 0


def test_a_name_that_cannot_be_resolved_says_nothing_about_the_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    # The resolver is outside of us, and the tests have no network.
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    reading = wait_until_healthy("http://orders.invalid/", within=SHORT)
    assert reading.healthy is None
    assert "cannot be found" in reading.detail


def test_a_password_in_the_address_is_not_repeated() -> None:
    reading = wait_until_healthy(f"http://user:hunter2@127.0.0.1:{closed_port()}/", within=SHORT)
    assert "hunter2" not in reading.model_dump_json()


def test_an_endless_body_is_not_read() -> None:
    stop = threading.Event()

    def pour(request: http.server.BaseHTTPRequestHandler, _: int) -> None:
        request.send_response(500)
        request.end_headers()
        try:
            while not stop.is_set():
                request.wfile.write(b"x" * 65536)
        except OSError:
            return

    with serving(pour) as (url, _):
        reading: HealthReading = wait_until_healthy(url, within=SHORT)
        stop.set()
    assert reading.healthy is False
    assert len(reading.detail) < 600
