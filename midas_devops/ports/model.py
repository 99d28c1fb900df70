"""ChatModel: optional advice. Rules decide without it (rule 12)."""

from __future__ import annotations

from typing import Protocol, TypeVar

from pydantic import BaseModel

Schema = TypeVar("Schema", bound=BaseModel)


class ChatModel(Protocol):
    """A language model behind a schema. Its reply is parsed or dropped (rule 6)."""

    @property
    def describe(self) -> str: ...

    def ask(self, prompt: str, schema: type[Schema]) -> Schema | None:
        """The reply in the schema's shape; None when the model is away, too slow or off the schema.

        Raises ``BudgetExceededError`` when the prompt is over the call's budget, before anything is sent.
        """
        ...
