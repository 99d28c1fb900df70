"""A language model behind a schema: any LangChain chat model, OpenAI-compatible servers by configuration."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError

from midas_devops.config import Model
from midas_devops.context.tokens import count
from midas_devops.errors import BudgetExceededError

if TYPE_CHECKING:
    import httpx
    from langchain_core.language_models import BaseChatModel

Schema = TypeVar("Schema", bound=BaseModel)

REPLY_TOKENS = 1024
MOST_BYTES = 2_000_000
"""Of a server's response, with everything around the model's text."""
MOST_CHARACTERS = 200_000
"""Of a reply's text that are looked at."""
MOST_STARTS = 50
"""Opening braces that are tried, from the front of a reply and again from its end."""


class LangChainModel:
    """Implements ``ports.model.ChatModel``.

    Servers differ in what they accept as ``response_format``: a JSON schema is tried first, then a JSON
    object, then plain text; what a server refused is not tried again. Whatever comes back is validated.
    Every prompt goes through ``redact`` (rule 8), and no answer of a server stops a run (rule 12).
    """

    def __init__(
        self,
        chat: BaseChatModel,
        *,
        name: str,
        budget_tokens: int,
        timeout_seconds: float,
        redact: Callable[[str], str],
    ) -> None:
        self._chat = chat
        self._name = name
        self._budget = budget_tokens
        self._seconds = timeout_seconds
        self._redact = redact
        self._refused = 0
        self.last_problem = ""
        """Why the last question had no answer; empty when it had one. Never the server's own words."""

    @classmethod
    def from_settings(
        cls, settings: Model, environ: Mapping[str, str], *, redact: Callable[[str], str]
    ) -> Self:
        """A model behind ``langchain-openai``. A missing key is left to the server to refuse."""
        import httpx
        from langchain_openai import ChatOpenAI

        key = environ.get(settings.api_key_env) or "not-set"
        chat = ChatOpenAI(
            model=settings.name,
            base_url=settings.base_url or None,
            api_key=SecretStr(key),
            timeout=settings.timeout_seconds,
            max_retries=1,
            max_completion_tokens=REPLY_TOKENS,
            temperature=0,
            http_client=httpx.Client(
                follow_redirects=True,
                limits=httpx.Limits(max_keepalive_connections=0),  # few calls: nothing is left open
                headers={"Accept-Encoding": "identity"},
                event_hooks={"response": [_bounded(settings.timeout_seconds)]},
            ),
        )
        return cls(
            chat,
            name=settings.name,
            budget_tokens=settings.budget_tokens,
            timeout_seconds=settings.timeout_seconds,
            redact=redact,
        )

    @property
    def describe(self) -> str:
        return self._name

    def ask(self, prompt: str, schema: type[Schema]) -> Schema | None:
        """The reply in the schema's shape, or None with :attr:`last_problem` set.

        Takes at most the timeout, whatever the server does. Raises ``BudgetExceededError``.
        """
        shape = json.dumps(schema.model_json_schema(), separators=(",", ":"))
        order = "Reply with one JSON object of this schema and nothing else:"
        whole = f"{self._redact(prompt)}\n\n{order}\n{shape}\n"
        tokens = count(whole)
        if tokens + REPLY_TOKENS > self._budget:
            self.last_problem = "the prompt is over the budget"
            raise BudgetExceededError(
                f"a call of {tokens:,} tokens and {REPLY_TOKENS:,} for the reply is over the budget"
                f" of {self._budget:,}",
                hint="Raise model.budget_tokens in midas.toml.",
            )
        self.last_problem = ""
        try:
            text = self._in_time(whole, schema)
            return self._parsed(text, schema) if text is not None else None
        # A reply is anybody's text, and the client library trips over some of it in ways of its own
        # (TypeError, IndexError, RecursionError, …). Advice is optional: no reply may stop a run (rule 12).
        except Exception as broken:  # noqa: BLE001
            self.last_problem = _problem(broken)
            return None

    def _in_time(self, prompt: str, schema: type[BaseModel]) -> str | None:
        """The reply's text. A thread that is late is left behind: the client's own timeouts are per read."""
        replies: list[str | None] = []
        problems: list[Exception] = []

        def talk() -> None:
            try:
                replies.append(self._negotiated(prompt, schema))
            except Exception as broken:  # noqa: BLE001 - raised again in the thread that waits
                problems.append(broken)

        thread = threading.Thread(target=copy_context().run, args=(talk,), name="model", daemon=True)
        thread.start()
        thread.join(min(self._seconds, threading.TIMEOUT_MAX))
        if problems:
            raise problems[0]
        if replies:
            return replies[0]
        self.last_problem = f"unavailable: no reply within {self._seconds:g} s"
        return None

    def _negotiated(self, prompt: str, schema: type[BaseModel]) -> str:
        """The reply in the first format that the server takes. Raises what the client raises."""
        from openai import BadRequestError, UnprocessableEntityError

        for level, extra in enumerate(_formats(schema)):
            if level < self._refused:
                continue
            try:
                return _text(self._chat.invoke(prompt, **extra).content)
            except (BadRequestError, UnprocessableEntityError):
                if not extra:
                    raise
                self._refused = level + 1
        raise AssertionError("plain text is the last format, and is answered or refused")

    def _parsed(self, text: str, schema: type[Schema]) -> Schema | None:
        for candidate in _json_objects(text[:MOST_CHARACTERS]):
            try:
                return schema.model_validate(_storable(candidate))
            except (ValidationError, RecursionError):
                continue
        self.last_problem = "the reply does not keep to the schema"
        return None


def _problem(broken: Exception) -> str:
    from openai import APIError, BadRequestError, UnprocessableEntityError

    if isinstance(broken, BadRequestError | UnprocessableEntityError):
        return f"refused: {type(broken).__name__}"
    if isinstance(broken, APIError | OSError):
        return f"unavailable: {type(broken).__name__}"
    return f"unusable reply: {type(broken).__name__}"


def _bounded(seconds: float) -> Callable[[httpx.Response], None]:
    """A hook of the HTTP client: a response that is too long, too slow or compressed is cut off.

    A late thread ends by it, and memory is bounded; what is compressed has no known length.
    """
    import httpx

    class Bounded(httpx.SyncByteStream):
        def __init__(self, stream: httpx.SyncByteStream) -> None:
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:
            size, until = 0, time.monotonic() + seconds
            for chunk in self._stream:
                size += len(chunk)
                if size > MOST_BYTES or time.monotonic() > until:
                    raise httpx.ReadError("the response is too long or too slow")
                yield chunk

        def close(self) -> None:
            self._stream.close()

    def hook(response: httpx.Response) -> None:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise httpx.DecodingError("the response is compressed")
        if isinstance(response.stream, httpx.SyncByteStream):
            response.stream = Bounded(response.stream)

    return hook


def _formats(schema: type[BaseModel]) -> Sequence[Mapping[str, Any]]:
    return (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": schema.__name__, "schema": schema.model_json_schema()},
            }
        },
        {"response_format": {"type": "json_object"}},
        {},
    )


def _text(content: str | list[Any]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part if isinstance(part, str) else str(part.get("text", "")) for part in content)


def _json_objects(text: str) -> Iterator[Any]:
    """JSON objects in the text, outermost first. Linear: a bounded number of opening braces is tried."""
    decoder = json.JSONDecoder()
    end = 0
    for start in _starts(text):
        if start < end:
            continue
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):  # not JSON, an endless number, or nested too deep
            continue
        yield value


def _starts(text: str) -> list[int]:
    """Where braces open: the first and the last ones, in order. A model often thinks before it answers."""
    starts: set[int] = set()
    front = text.find("{")
    while front != -1 and len(starts) < MOST_STARTS:
        starts.add(front)
        front = text.find("{", front + 1)
    back = text.rfind("{")
    while back not in starts and back != -1 and len(starts) < 2 * MOST_STARTS:
        starts.add(back)
        back = text.rfind("{", 0, back)
    return sorted(starts)


def _storable(value: Any) -> Any:
    """Without what no database keeps and no encoder takes: NUL and lone surrogates."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value
