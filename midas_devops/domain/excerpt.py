"""The beginning of a text that is shown before anybody redacts it."""

from __future__ import annotations

import re

_LAST_WORD = re.compile(r"[^\s,\"'`]*\Z")
"""What passwords are made of belongs to a word: brackets, semicolons, bars."""


def excerpt(text: str, most: int) -> str:
    """At most ``most`` characters, and no word that is cut: half of a secret is not known as one.

    A cut is told by ``…``, which comes on top.
    """
    if len(text) <= most:
        return text
    # One character more: a word that ends exactly there is whole.
    kept = _LAST_WORD.sub("", text[: most + 1])[:most].rstrip()
    # Beside the last line of a private key it would make one that nobody knows as such.
    return f"{kept}\n…" if "\n" in text[len(kept) : most + 1] else f"{kept}…"
