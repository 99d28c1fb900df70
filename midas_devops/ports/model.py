"""ChatModel: optional advice. Rules decide without it (rule 12)."""

from __future__ import annotations

from typing import Protocol, TypeVar

from pydantic import BaseModel

Schema = TypeVar("Schema", bound=BaseModel)


class ChatModel(Protocol):
    """A language model behind a schema. Its reply is parsed or dropped (rule 6)."""

    @property
    def describe(self) -> str: ...

    @property
    def last_problem(self) -> str:
        """Why the last question had no answer, in words of our own; empty when it had one."""
        ...

    def ask(self, prompt: str, schema: type[Schema]) -> Schema | None:
        """The reply in the schema's shape; None when the model is away, too slow or off the schema.

        Raises ``BudgetExceededError`` when the prompt is over the call's budget, before anything is sent.
        """
        ...
