"""Text → words for retrieval: identifiers taken apart, Snowball stems, DevOps synonyms as concepts.

One analysis serves BM25 and the lexical embedder, so that ``maxUnavailable``, ``max_unavailable`` and
"max unavailable" meet.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from functools import cache, lru_cache

from midas_devops.knowledge.synonyms import GROUPS

_TOKEN = re.compile(r"[^\W_]+(?:[_.\-][^\W_]+)*")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LONGEST = 64
"""Longer runs are hashes, keys and encoded data: nobody asks for them by heart."""
_SHORTEST_STEMMED = 4
"""What is shorter may be an abbreviation: "aws" is no plural."""
_MOST_WORDS_OF_A_CONCEPT = 3
_SYNONYM = 0.75
"""What a synonym counts for beside the word itself. From 0.6 to 0.9 it changes hardly any fused answer."""
_RULES = 1
"""Raise it with any change of the code below that gives a chunk other terms."""

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


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """A word without its English endings, by Snowball: deploys, deployed, deploying, deployment → deploy."""
    from Stemmer import Stemmer  # type: ignore[import-not-found]

    if len(word) < _SHORTEST_STEMMED or not word.isalpha() or not word.isascii():
        return word
    # One for each word, which is cheap: none may serve two threads.
    return str(Stemmer("english", 0).stemWord(word))


def terms(text: str) -> list[str]:
    """The words of a text and the concepts they touch: what BM25 counts in a chunk."""
    found = words(text)
    return [*found, *concepts(found)]


def alternatives(text: str) -> list[tuple[tuple[str, float], ...]]:
    """For each word of a question the terms that may stand for it, and what they count for.

    A synonym stands in a word's place, for less, and never adds to it: a word of many groups would outweigh
    the rare one beside it. The words of a phrase share what its concept counts for.
    """
    found = words(text)
    standing = [{word: 1.0} for word in found]
    for at, length, marks in _mentions(found):
        for place in range(at, at + length):
            for mark in marks:
                standing[place][mark] = max(standing[place].get(mark, 0.0), _SYNONYM / length)
    return [tuple(one.items()) for one in standing]


def concepts(found: list[str]) -> Iterator[str]:
    """The synonym groups that words belong to, one mark for each mention; phrases count too."""
    for _, _, marks in _mentions(found):
        yield from marks


def _mentions(found: list[str]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """(number of the first word, how many words, marks of the groups that hold the phrase)."""
    table = _concepts()
    for at in range(len(found)):
        for length in range(1, _MOST_WORDS_OF_A_CONCEPT + 1):
            phrase = tuple(found[at : at + length])
            if len(phrase) == length and phrase in table:
                yield at, length, table[phrase]


@cache
def analysis() -> str:
    """Names this way of analysing. Terms of two ways never mix: what holds others is built anew."""
    import Stemmer

    data = "\n".join([Stemmer.version(), *GROUPS, *sorted(STOPWORDS)])
    return f"{_RULES}.{zlib.crc32(data.encode()):08x}"


@cache
def _concepts() -> dict[tuple[str, ...], tuple[str, ...]]:
    table: dict[tuple[str, ...], tuple[str, ...]] = {}
    for number, group in enumerate(GROUPS):
        # "lock" and "locked" are one stem, and one mark.
        for stems in dict.fromkeys(map(phrase_stems, group.split(","))):
            table[stems] = (*table.get(stems, ()), f"={number}")
    return table


def phrase_stems(phrase: str) -> tuple[str, ...]:
    """A phrase of a synonym group as it is met in a text."""
    return tuple(stem(word) for word in phrase.split() if word not in STOPWORDS)
