"""Numbers with their noun."""

from __future__ import annotations


def number(count: int, noun: str) -> str:
    """``1 commit``, ``3 commits``; also ``entries`` and ``processes``."""
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{count} {noun[:-1]}ies"
    return f"{count} {noun}{'es' if noun.endswith(('s', 'x', 'ch', 'sh')) else 's'}"
