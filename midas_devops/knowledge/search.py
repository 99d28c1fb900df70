"""Several rankings → one answer: reciprocal rank fusion, then near-duplicates out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from midas_devops.knowledge.words import words
from midas_devops.ports.knowledge import Hit

RANK_CONSTANT = 60
"""The k of reciprocal rank fusion (Cormack, Clarke & Büttcher, SIGIR 2009)."""
SAME = 0.9
"""Share of common word pairs from which two texts say the same."""


def fuse(rankings: Iterable[tuple[Sequence[str], float]]) -> list[tuple[str, float]]:
    """(id, score), best first: a ranking gives weight / (60 + rank). Equal scores are ordered by id."""
    scores: dict[str, float] = {}
    for ranking, weight in rankings:
        for rank, name in enumerate(ranking, start=1):
            scores[name] = scores.get(name, 0.0) + weight / (RANK_CONSTANT + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def distinct(hits: Iterable[Hit], count: int) -> list[Hit]:
    """The first ``count`` hits that say something new: of near-duplicates the best placed one stays."""
    kept: list[Hit] = []
    seen: list[frozenset[tuple[str, str]]] = []
    for hit in hits:
        if len(kept) >= count:
            break
        pairs = _pairs(hit.text)
        if not any(_alike(pairs, other) for other in seen):
            kept.append(hit)
            seen.append(pairs)
    return kept


def _pairs(text: str) -> frozenset[tuple[str, str]]:
    return frozenset(pairwise(["", *words(text)]))


def _alike(one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]]) -> bool:
    if not one or not other:
        return one == other
    common = len(one & other)
    return common >= SAME * (len(one) + len(other) - common)
