"""Text → words for retrieval: identifiers taken apart, light stemming, DevOps synonyms as concepts.

One analysis serves BM25 and the lexical embedder, so that ``maxUnavailable``, ``max_unavailable`` and
"max unavailable" meet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

from midas_devops.knowledge.synonyms import GROUPS

_TOKEN = re.compile(r"[^\W_]+(?:[_.\-][^\W_]+)*")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LONGEST = 64
"""Longer runs are hashes, keys and encoded data: nobody asks for them by heart."""
_MOST_WORDS_OF_A_CONCEPT = 3

_NOUN_ENDINGS = (("ments", 3), ("ment", 3), ("ions", 4), ("ion", 4), ("ings", 3), ("ing", 3))
_OTHER_ENDINGS = (("ed", 3), ("es", 3), ("ly", 4), ("er", 4), ("s", 3))
"""Ending, and how many letters must stand before it."""
_SHORTEST_STEMMED = 4
_SHORTEST_ROOT = 3

_STOPWORDS = """
a about after all also an and any are as at be because been before being but by can could did do
does doing each for from had has have having he her here him his how i if in into is it its just let
me might more most must my no not now of on one only or other our over own same she should so some
such than that the their them then there these they this those through to too under until us very
was we were what when where which while who whom why will with would you your
"""
STOPWORDS = frozenset(_STOPWORDS.split())


def words(text: str) -> list[str]:
    """The words of a text in order: each part of an identifier, stemmed, and the identifier itself too."""
    found: list[str] = []
    for token in _TOKEN.findall(text):
        found.extend(_analyse(token))
    return found


@lru_cache(maxsize=200_000)
def _analyse(token: str) -> tuple[str, ...]:
    if len(token) > _LONGEST:
        return ()
    parts = [part.lower() for part in _PART.findall(token)] if token.isascii() else [token.lower()]
    stems = [stem(part) for part in parts if part not in STOPWORDS]
    if len(parts) > 1:
        stems.append(token.lower())
    return tuple(stems)


@cache
def stem(word: str) -> str:
    """A word without its commonest English endings: deploys, deployed, deploying, deployment → deploy."""
    if len(word) < _SHORTEST_STEMMED or not word.isalpha() or not word.isascii():
        return word
    for ending, least in _NOUN_ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= least:
            return _plain(word[: -len(ending)])
    if word.endswith(("ies", "ied")) and len(word) > _SHORTEST_STEMMED:
        return word[:-3] + "y"
    for ending, least in _OTHER_ENDINGS:
        if (
            word.endswith(ending)
            and len(word) - len(ending) >= least
            and not word.endswith(("ss", "us", "is"))
        ):
            return _plain(word[: -len(ending)])
    return _plain(word)


def _plain(root: str) -> str:
    if len(root) > _SHORTEST_ROOT and root[-1] == root[-2] and root[-1] not in "lsz":
        return root[:-1]
    return root[:-1] if len(root) > _SHORTEST_ROOT and root.endswith("e") else root


def terms(text: str) -> list[str]:
    """The words of a text and the concepts they touch: what BM25 counts."""
    found = words(text)
    return [*found, *concepts(found)]


def concepts(found: list[str]) -> Iterator[str]:
    """The synonym groups that words belong to, one mark for each mention; phrases count too."""
    table = _concepts()
    for at in range(len(found)):
        for length in range(1, _MOST_WORDS_OF_A_CONCEPT + 1):
            phrase = tuple(found[at : at + length])
            if len(phrase) == length:
                yield from table.get(phrase, ())


@cache
def _concepts() -> dict[tuple[str, ...], tuple[str, ...]]:
    table: dict[tuple[str, ...], tuple[str, ...]] = {}
    for number, group in enumerate(GROUPS):
        for phrase in group.split(","):
            stems = tuple(stem(word) for word in phrase.split() if word not in STOPWORDS)
            if stems:
                table[stems] = (*table.get(stems, ()), f"={number}")
    return table
