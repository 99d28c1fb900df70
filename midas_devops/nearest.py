"""Near misses for error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(given: str, known: Iterable[str], *, most: int = 3) -> str:
    """``Did you mean 'a' or 'b'?``; empty when nothing known is near."""
    near = difflib.get_close_matches(given, list(known), n=most, cutoff=0.6)
    return f"Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
