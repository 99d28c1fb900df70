"""A conversation under its budget, so that a parent graph can use the summarizer on its messages.

Messages are LangChain's (``BaseMessage``) or plain mappings with ``role`` and ``content``; they come back as
what they came in. A tool's answer never loses the call that it answers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from midas_devops.context.summarizer import MARK, Cut, Summarizer
from midas_devops.context.tokens import count
from midas_devops.errors import BudgetExceededError

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    Message = BaseMessage | Mapping[str, object]

OVERHEAD: Final = 4
"""Tokens of a message besides its text, as chat formats count them."""
_HUMAN: Final = frozenset({"human", "user"})
_SYSTEM: Final = frozenset({"system", "developer"})
_TOOL: Final = frozenset({"tool", "function"})


@dataclass(frozen=True, slots=True)
class FittedMessages:
    """Messages within a budget."""

    messages: tuple[Message, ...]
    tokens: int
    budget: int
    cut: tuple[Cut, ...] = ()


def tokens_of(message: Message) -> int:
    """Tokens of one message: text, tool calls and the format's overhead."""
    calls = _field(message, "tool_calls")
    return count(text_of(message)) + (count(json.dumps(calls, default=str)) if calls else 0) + OVERHEAD


def text_of(message: Message) -> str:
    """The message's text; of content in blocks, the text blocks."""
    content = _field(message, "content")
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    texts = [block if isinstance(block, str) else _block_text(block) for block in content]
    return "\n".join(text for text in texts if text)


def fit_messages(
    summarizer: Summarizer, messages: Sequence[Message], pinned: Sequence[str] = ()
) -> FittedMessages:
    """System messages and the newest exchange stay, older messages become one summary.

    A newest exchange that is too long is condensed.
    Raises ``BudgetExceededError`` when system messages and pinned facts leave no room for it.
    """
    budget = summarizer.budget
    total = sum(map(tokens_of, messages))
    if total <= budget and all(any(pin in text_of(m) for m in messages) for pin in pinned):
        return FittedMessages(tuple(messages), total, budget)
    system = [m for m in messages if _role(m) in _SYSTEM]
    turns = _turns([m for m in messages if _role(m) not in _SYSTEM])
    room = budget - sum(map(tokens_of, system))
    kept: list[list[Message]] = []
    used = 0
    for turn in reversed(turns):
        tokens = sum(map(tokens_of, turn))
        if used + tokens > room * 2 // 3:
            break
        kept.insert(0, turn)
        used += tokens
    cuts: list[Cut] = []
    older = turns[: len(turns) - len(kept)]
    if not kept and turns:
        kept = [_condensed(summarizer, older.pop(), room * 2 // 3, cuts)]
        used = sum(map(tokens_of, kept[0]))
    summary: list[Message] = []
    if older or pinned:
        left = room - used - OVERHEAD
        inner = Summarizer(max(0, left), summarizer.artifacts, redact=summarizer.redact, ask=summarizer.ask)
        fitted = inner.fit(pinned, history=[_entry(m) for turn in older for m in turn])
        cuts.extend(fitted.cut)
        summary = [_like(messages[0], fitted.text)]
    result = (*system, *summary, *(message for turn in kept for message in turn))
    tokens = sum(map(tokens_of, result))
    if tokens > budget:
        raise BudgetExceededError(
            f"the messages need {tokens} tokens, the budget is {budget}",
            hint="raise budget_tokens, or shorten the system messages and the pinned facts",
        )
    return FittedMessages(result, tokens, budget, tuple(cuts))


def _turns(messages: list[Message]) -> list[list[Message]]:
    """Messages that must stay together: a call of tools with all its answers."""
    turns: list[list[Message]] = []
    for message in messages:
        if _role(message) in _TOOL and turns:
            turns[-1].append(message)
        else:
            turns.append([message])
    return turns


def _condensed(summarizer: Summarizer, turn: list[Message], room: int, cuts: list[Cut]) -> list[Message]:
    """The newest turn when it is too long as it stands: its texts condensed in proportion."""
    fixed = sum(tokens_of(m) - count(text_of(m)) for m in turn)
    texts = [count(text_of(m)) for m in turn]
    share = max(0, room - fixed)
    shortened = []
    for message, tokens in zip(turn, texts, strict=True):
        part = share * tokens // max(1, sum(texts))
        if tokens <= part:
            shortened.append(message)
            continue
        fitted = Summarizer(part, summarizer.artifacts, redact=summarizer.redact).fit((), [text_of(message)])
        cuts.extend(fitted.cut)
        shortened.append(_with_text(message, fitted.text))
    return shortened


def _entry(message: Message) -> str:
    text = text_of(message)
    # an earlier summary must be recognised as one
    body = text.removeprefix("History:\n")
    return body if MARK.match(body) else f"{_role(message)}: {text}"


def _like(sample: Message, text: str) -> Message:
    if isinstance(sample, Mapping):
        return {"role": "user", "content": text}
    from langchain_core.messages import HumanMessage

    return HumanMessage(content=text)


def _with_text(message: Message, text: str) -> Message:
    if isinstance(message, Mapping):
        return {**message, "content": text}
    return message.model_copy(update={"content": text})


def _role(message: Message) -> str:
    role = _field(message, "role") or _field(message, "type")
    return str(role or "user")


def _field(message: Message, name: str) -> object:
    return message.get(name) if isinstance(message, Mapping) else getattr(message, name, None)


def _block_text(block: object) -> str:
    text = block.get("text") if isinstance(block, Mapping) else None
    return text if isinstance(text, str) else ""
