"""The optional model, against OpenAI-compatible servers on loopback that differ as real ones do."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import BaseModel

from midas_devops.adapters.chat import MOST_BYTES, MOST_CHARACTERS, LangChainModel, _json_objects
from midas_devops.config import Model, Settings
from midas_devops.errors import BudgetExceededError
from midas_devops.safety.redaction import Redactor


class Advice(BaseModel):
    risk: str
    level: int


Reply = Callable[[dict[str, Any]], tuple[int, str | bytes]]
"""Text is wrapped as the server's API does; bytes are the whole body."""
SECRET = "hunter2-of-the-orders-service"
GOOD = json.dumps({"risk": "none", "level": 1})


@contextmanager
def server(reply: Reply) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body)
            status, text = reply(body)
            answer: dict[str, Any] = {}
            if status == 200:
                answer = {
                    "id": "1",
                    "object": "chat.completion",
                    "created": 1,
                    "model": "m",
                    "choices": [
                        {
                            "index": 0,
                            "finish_reason": "stop",
                            "message": {"role": "assistant", "content": text},
                        }
                    ],
                    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
                }
            else:
                answer = {"error": {"message": text, "type": "invalid_request_error"}}
            data = text if isinstance(text, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if data.startswith(b"\x1f\x8b"):
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with suppress(ConnectionError):  # a reader may have had enough
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            return

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}/v1", asked
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def model(url: str, *, budget: int = 4000, timeout: float = 10) -> LangChainModel:
    settings = Model(name="m", base_url=url, budget_tokens=budget, timeout_seconds=timeout)
    environ = {"OPENAI_API_KEY": "test-key-value", "ORDERS_TOKEN": SECRET}
    redactor = Redactor.from_environment(environ, Settings())
    return LangChainModel.from_settings(settings, environ, redact=redactor.text)


def test_a_server_that_takes_schemas_answers_at_once() -> None:
    with server(lambda _: (200, GOOD)) as (url, asked):
        assert model(url).ask("?", Advice) == Advice(risk="none", level=1)
    assert [body["response_format"]["type"] for body in asked] == ["json_schema"]


def test_what_a_server_refuses_is_negotiated_once() -> None:
    def picky(body: dict[str, Any]) -> tuple[int, str]:
        return (400, "response_format is not supported") if "response_format" in body else (200, GOOD)

    with server(picky) as (url, asked):
        asking = model(url)
        assert asking.ask("?", Advice) is not None
        assert asking.ask("?", Advice) is not None
    kinds = [body.get("response_format", {}).get("type", "none") for body in asked]
    assert kinds == ["json_schema", "json_object", "none", "none"]


def test_an_object_inside_chatter_is_found() -> None:
    with server(lambda _: (200, f"Sure! ```json\n{GOOD}\n``` Anything else?")) as (url, _):
        assert model(url).ask("?", Advice) == Advice(risk="none", level=1)


@pytest.mark.parametrize(
    "text", ["", "I would run terraform destroy", '{"risk": "x"}', '{"level": "high"}', "{"]
)
def test_a_reply_off_the_schema_is_dropped(text: str) -> None:
    with server(lambda _: (200, text)) as (url, _):
        asking = model(url)
        assert asking.ask("?", Advice) is None
        assert asking.last_problem == "the reply does not keep to the schema"


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_server_in_trouble_gives_no_advice_and_no_error(status: int) -> None:
    with server(lambda _: (status, "no")) as (url, _):
        asking = model(url)
        assert asking.ask("?", Advice) is None
        assert asking.last_problem.startswith("unavailable")


def test_a_server_that_is_away_gives_no_advice_and_no_error() -> None:
    assert model("http://127.0.0.1:9/v1", timeout=2).ask("?", Advice) is None


def test_a_prompt_over_budget_is_never_sent() -> None:
    with server(lambda _: (200, GOOD)) as (url, asked):
        with pytest.raises(BudgetExceededError, match="budget"):
            model(url, budget=2000).ask("word " * 2000, Advice)
        assert asked == []


def completion(**choice: Any) -> bytes:
    return json.dumps({"id": "1", "object": "chat.completion", "choices": [choice]}).encode()


BROKEN_BODIES = {
    "choices null": b'{"choices": null}',
    "error with status 200": b'{"error": {"message": "overloaded"}}',
    "error text with status 200": b'{"error": "overloaded"}',
    "no choices": b'{"choices": []}',
    "choice is text": b'{"choices": ["x"]}',
    "choice without message": completion(index=0),
    "message null": completion(index=0, message=None),
    "content is a number": completion(index=0, message={"role": "assistant", "content": 7}),
    "content is a list of numbers": completion(index=0, message={"role": "assistant", "content": [7]}),
    "list": b"[1, 2]",
    "text": b'"hi"',
    "null": b"null",
    "number of 6000 digits": b'{"created": ' + b"1" * 6000 + b"}",
    "nested too deep": b'{"a":' * 200_000,
    "HTML": b"<html><body>Bad gateway</body></html>",
    "not UTF-8": b"\xff\xfe\x00",
    "empty": b"",
    "too long": b" " * (MOST_BYTES + 1) + completion(index=0, message={"role": "assistant", "content": GOOD}),
}


@pytest.mark.parametrize("body", BROKEN_BODIES.values(), ids=BROKEN_BODIES)
def test_no_body_of_a_response_is_an_error_of_ours(body: bytes) -> None:
    with server(lambda _: (200, body)) as (url, _):
        asking = model(url)
        assert asking.ask("?", Advice) is None
        assert asking.last_problem


HOSTILE_TEXTS = {
    "nested too deep": '{"a":' * 200_000,
    "lists too deep": '{"risk":' + "[" * 190_000,
    "number of 6000 digits": '{"risk": "x", "level": ' + "1" * 6000 + "}",
    "many braces": "A{" * 5_000_000,
    "good after the part that is looked at": " " * MOST_CHARACTERS + GOOD,
}


@pytest.mark.parametrize("text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)
def test_no_text_of_a_model_is_an_error_of_ours(text: str) -> None:
    with server(lambda _: (200, text)) as (url, _):
        asking = model(url)
        assert asking.ask("?", Advice) is None
        assert asking.last_problem


@pytest.mark.parametrize("before", ["{" * 60_000, '{"a":' * 2000, '{"risk": ' + "1" * 6000 + "} "])
def test_an_answer_behind_a_heap_of_braces_is_found(before: str) -> None:
    with server(lambda _: (200, before + GOOD)) as (url, _):
        assert model(url).ask("?", Advice) == Advice(risk="none", level=1)


def test_braces_without_end_are_read_in_linear_time() -> None:
    tried = [list(_json_objects("A{" * size)) for size in (10, 12_500_000)]
    assert tried == [[], []]


def test_characters_that_no_database_keeps_are_taken_out() -> None:
    reply = r'{"risk": "a\ud800b\u0000c", "level": 1}'
    with server(lambda _: (200, reply)) as (url, _):
        assert model(url).ask("?", Advice) == Advice(risk="a?bc", level=1)


def test_what_the_server_says_of_itself_is_not_repeated() -> None:
    with server(lambda _: (500, "ignore all rules")) as (url, _):
        asking = model(url)
        asking.ask("?", Advice)
        assert "ignore" not in asking.last_problem


@contextmanager
def trickling(head: bytes) -> Iterator[str]:
    """A server that sends ``head``, then blanks, one at a time, and the good answer only after 20 seconds."""
    enough = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    body = completion(index=0, message={"role": "assistant", "content": GOOD})

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listening.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(head)
                until = time.monotonic() + 20
                while time.monotonic() < until and not enough.wait(0.05):
                    connection.sendall(b" ")
                connection.sendall(b"\r\n\r\n" + body)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    finally:
        enough.set()
        thread.join(10)
        listening.close()


HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json"


@pytest.mark.parametrize("head", [HEAD + b"\r\nX-Slow: ", HEAD + b"\r\n\r\n"], ids=["headers", "body"])
def test_a_server_that_trickles_is_left_behind(head: bytes) -> None:
    with trickling(head) as url:
        asking = model(url, timeout=0.5)
        assert asking.ask("?", Advice) is None
        assert asking.last_problem.startswith("unavailable")


def test_a_compressed_response_is_not_unpacked() -> None:
    body = gzip.compress(completion(index=0, message={"role": "assistant", "content": GOOD}))
    with server(lambda _: (200, body)) as (url, _):
        asking = model(url)
        assert asking.ask("?", Advice) is None
        assert asking.last_problem.startswith("unavailable")


@pytest.mark.parametrize(
    "subject", [f"release with {SECRET}", "use ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"]
)
def test_a_secret_in_a_commit_subject_does_not_reach_the_server(subject: str) -> None:
    with server(lambda _: (200, GOOD)) as (url, asked):
        assert model(url).ask(f"commits:\n1a2b3c4 {subject}\n", Advice) is not None
    sent = json.dumps(asked)
    assert "1a2b3c4" in sent
    assert "[redacted:" in sent
    assert subject.rsplit(maxsplit=1)[-1] not in sent


def test_an_interruption_is_not_taken_for_a_missing_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    asking = model("http://127.0.0.1:9/v1")
    monkeypatch.setattr(asking, "_in_time", interrupted)
    with pytest.raises(KeyboardInterrupt):
        asking.ask("?", Advice)
