"""Proposals for one line against each other, and what the catalogue has to say of the best."""

from __future__ import annotations

import re

from midas_devops.knowledge.catalogue import Entry
from midas_devops.knowledge.structure.candidate import Candidate

NUMBERS = re.compile(r"0x[0-9a-f]+|[0-9a-f]{7,}|\d+", re.IGNORECASE)
"""What differs between two messages that say the same."""
_SETTLED_KINDS = frozenset({"test", "pytest", "lint", "compile"})


def better(one: Candidate, other: Candidate) -> Candidate:
    """The stronger proposal. A wrapper stays a wrapper whatever else its words look like."""
    if one.is_wrapper != other.is_wrapper and {one.kind, other.kind} <= {"wrapper", "generic", "exception"}:
        return one if one.is_wrapper else other
    best, rest = (one, other) if one.score >= other.score else (other, one)
    best.is_warning = best.is_warning or (rest.is_warning and rest.kind == "traceback")
    best.in_test = best.in_test or rest.in_test
    return best


def name(candidate: Candidate, entries: list[Entry]) -> None:
    """Let the best entry explain the candidate, unless the structure knows better."""
    if not entries:
        return
    entry = next((entry for entry in entries if entry.settles), entries[0])
    candidate.entry_id = entry.id
    if candidate.fixed_category and candidate.kind in _SETTLED_KINDS and not entry.settles:
        if entry.category is not candidate.category:
            candidate.entry_id = ""
            return
    elif candidate.in_test and not entry.settles:
        candidate.entry_id = ""
        return
    else:
        candidate.category = entry.category
        candidate.score = max(candidate.score, entry.weight) if not candidate.is_wrapper else entry.weight
        candidate.is_wrapper = candidate.is_wrapper and entry.weight < 50  # noqa: PLR2004
    candidate.is_consequence = entry.consequence
    candidate.cause = entry.cause
    candidate.remedies = entry.remedies
    candidate.links = entry.links
    candidate.retryable = entry.retryable


def signature(candidate: Candidate) -> str:
    """What two proposals of the same failure have in common."""
    return f"{candidate.step}|{NUMBERS.sub('#', candidate.text[:160])}"
