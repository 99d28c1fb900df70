"""A language model behind a schema: any LangChain chat model, OpenAI-compatible servers by configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError

from midas_devops.config import Model
from midas_devops.context.tokens import count
from midas_devops.errors import BudgetExceededError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

Schema = TypeVar("Schema", bound=BaseModel)

REPLY_TOKENS = 1024


class LangChainModel:
    """Implements ``ports.model.ChatModel``.

    Servers differ in what they accept as ``response_format``: a JSON schema is tried first, then a JSON
    object, then plain text; what a server refused is not tried again. Whatever comes back is validated.
    """

    def __init__(self, chat: BaseChatModel, *, name: str, budget_tokens: int) -> None:
        self._chat = chat
        self._name = name
        self._budget = budget_tokens
        self._refused = 0
        self.last_problem = ""
        """Why the last question had no answer; empty when it had one."""

    @classmethod
    def from_settings(cls, settings: Model, environ: Mapping[str, str]) -> Self:
        """A model behind ``langchain-openai``. A missing key is left to the server to refuse."""
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
        )
        return cls(chat, name=settings.name, budget_tokens=settings.budget_tokens)

    @property
    def describe(self) -> str:
        return self._name

    def ask(self, prompt: str, schema: type[Schema]) -> Schema | None:
        """The reply in the schema's shape, or None with :attr:`last_problem` set.

        Raises ``BudgetExceededError``.
        """
        shape = json.dumps(schema.model_json_schema(), separators=(",", ":"))
        whole = f"{prompt}\n\nReply with one JSON object of this schema and nothing else:\n{shape}\n"
        tokens = count(whole)
        if tokens + REPLY_TOKENS > self._budget:
            raise BudgetExceededError(
                f"a call of {tokens:,} tokens and {REPLY_TOKENS:,} for the reply is over the budget"
                f" of {self._budget:,}",
                hint="Raise model.budget_tokens in midas.toml.",
            )
        self.last_problem = ""
        for level, extra in enumerate(_formats(schema)):
            if level < self._refused:
                continue
            text, refused = self._call(whole, extra)
            if refused:
                self._refused = level + 1
                continue
            return self._parsed(text, schema) if text is not None else None
        return None

    def _call(self, prompt: str, extra: Mapping[str, Any]) -> tuple[str | None, bool]:
        from openai import APIError, BadRequestError, UnprocessableEntityError

        try:
            reply = self._chat.invoke(prompt, **extra)
        except (BadRequestError, UnprocessableEntityError) as refused:
            self.last_problem = f"refused: {type(refused).__name__}"
            return None, bool(extra)
        except (APIError, OSError, ValueError) as away:
            self.last_problem = f"unavailable: {type(away).__name__}"
            return None, False
        return _text(reply.content), False

    def _parsed(self, text: str, schema: type[Schema]) -> Schema | None:
        for candidate in _json_objects(text):
            try:
                return schema.model_validate(candidate)
            except ValidationError:
                continue
        self.last_problem = "the reply does not keep to the schema"
        return None


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


def _json_objects(text: str) -> list[Any]:
    """Every JSON object that begins somewhere in the text, outermost first."""
    decoder = json.JSONDecoder()
    found, position = [], text.find("{")
    while position != -1:
        try:
            value, end = decoder.raw_decode(text, position)
        except json.JSONDecodeError:
            end = position + 1
        else:
            found.append(value)
        position = text.find("{", end)
    return found
