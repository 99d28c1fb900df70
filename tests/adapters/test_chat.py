"""The optional model, against OpenAI-compatible servers on loopback that differ as real ones do."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import BaseModel

from midas_devops.adapters.chat import LangChainModel
from midas_devops.config import Model
from midas_devops.errors import BudgetExceededError


class Advice(BaseModel):
    risk: str
    level: int


Reply = Callable[[dict[str, Any]], tuple[int, str]]
GOOD = json.dumps({"risk": "none", "level": 1})


@contextmanager
def server(reply: Reply) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body)
            status, text = reply(body)
            if status == 200:
                answer: dict[str, Any] = {
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
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            return

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}/v1", asked
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def model(url: str, *, budget: int = 4000, timeout: float = 10) -> LangChainModel:
    settings = Model(name="m", base_url=url, budget_tokens=budget, timeout_seconds=timeout)
    return LangChainModel.from_settings(settings, {"OPENAI_API_KEY": "test-key-value"})


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
