"""What resolved failures of the past teach about one that looks like them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from midas_devops.domain.evidence import Category, Diagnosis
from midas_devops.knowledge.structure.advice import DEFAULT_REMEDIES
from midas_devops.knowledge.words import words
from midas_devops.ports.knowledge import Hit

LESSON: Final = "A failure like this one came before"
"""How the remedy begins that is taken from an incident."""
ALIKE: Final = 0.5
"""Share of the failing line's words that an incident must know to be about the same failure."""
ALIKE_IN_KIND: Final = 0.3
"""The same, where it was of the same category."""
_ADOPTED: Final = 0.6
"""Confidence in a category that only an incident names."""
_MOST: Final = 0.97
_ASKED: Final = 400
_SHOWN: Final = 300
_LINE: Final = re.compile(r"\(line (\d+)\)$")
# The end of an incident, in the order in which it is stored: the error above it may quote such words itself.
_PARTS: Final = re.compile(
    r"^"
    + "".join(
        rf"(?:{name}: (?P<{name}>.*)(?:\n|\Z))?"
        for name in ("Category", "Cause", "Remedy", "Outcome", "Environment")
    )
    + r"\Z",
    re.MULTILINE,
)

Redact = Callable[[str], str]


def failing_line(diagnosis: Diagnosis) -> str:
    """The line that the diagnosis is about, as its first span quotes it; empty when it quotes none."""
    if not diagnosis.spans:
        return ""
    span = diagnosis.spans[0]
    lines = span.text.split("\n")
    told = _LINE.search(diagnosis.summary)
    at = int(told[1]) - span.first_line if told else 0
    return lines[at].strip() if 0 <= at < len(lines) else lines[0].strip()


def question(diagnosis: Diagnosis) -> str:
    """What to ask a knowledge base for incidents like this failure; empty when there is nothing to ask."""
    line = failing_line(diagnosis)[:_ASKED]
    return f"{line} {diagnosis.category.replace('_', ' ')}" if line else ""


def nearest_incident(line: str, category: Category, incidents: Sequence[Hit]) -> Hit | None:
    """The incident that shares most of the failing line's words, if that is enough to be about the same."""
    asked = {word for word in words(line) if not word.isdigit()}
    best, share = None, 0.0
    for hit in incidents:
        common = len(asked & set(words(hit.text))) / len(asked) if asked else 0.0
        enough = ALIKE_IN_KIND if _parts(hit).get("Category") == category else ALIKE
        if common >= enough and common > share:
            best, share = hit, common
    return best


def learn_from(diagnosis: Diagnosis, incidents: Sequence[Hit], redact: Redact | None = None) -> Diagnosis:
    """The diagnosis with what followed a failure like it: first among the remedies, and named as a source.

    An incident names the category, and so the remedies, only where the rules know none. It never makes a
    failure retryable.
    """
    lesson = nearest_incident(failing_line(diagnosis), diagnosis.category, incidents)
    if lesson is None or lesson.source in diagnosis.sources:
        return diagnosis
    parts = _parts(lesson)
    told = parts.get("Remedy") or lesson.text
    ended = f", and the run ended {parts['Outcome'].replace('_', ' ')}" if parts.get("Outcome") else ""
    remedy = f"{LESSON} ({lesson.source}){ended}: {_short(told)}"
    confidence = min(_MOST, diagnosis.confidence + 0.03)
    category, remedies = diagnosis.category, diagnosis.remedies
    if category is Category.UNKNOWN and parts.get("Category") in set(Category):
        category = Category(parts["Category"])
        confidence = max(confidence, _ADOPTED)
        if remedies == DEFAULT_REMEDIES[Category.UNKNOWN]:
            remedies = DEFAULT_REMEDIES[category]
    return diagnosis.model_copy(
        update={
            "category": category,
            "confidence": round(confidence, 2),
            "remedies": (redact(remedy) if redact else remedy, *remedies),
            "sources": (*diagnosis.sources, lesson.source),
        }
    )


def _parts(hit: Hit) -> dict[str, str]:
    """The parts of an incident by name, as it was stored; empty for any other text."""
    found = _PARTS.search(hit.text)
    return {name: text.strip() for name, text in found.groupdict().items() if text} if found else {}


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN else flat[: _SHOWN - 1].rstrip() + "…"
