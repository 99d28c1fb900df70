"""Repeated lines folded into templates with counts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from midas_devops.context.reading import decode
from midas_devops.context.scan import Shape, Survey
from midas_devops.context.signals import clean
from midas_devops.domain.base import Value

MOST: Final = 20
WIDEST: Final = 160
"""Characters of a template."""
_CONSIDERED: Final = 4000
_VARYING: Final = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b(?=[a-f]*\d)[0-9a-f]{7,}\b|0x[0-9a-fA-F]+|(?:\d[\d.,:]*)?\d"
)
_HOLE: Final = "<*>"


class Template(Value):
    """Lines of one shape. ``<*>`` stands for what differs."""

    template: str
    count: int
    first_line: int
    last_line: int


def templates(survey: Survey, redact: Callable[[str], str]) -> tuple[Template, ...]:
    """The shapes that stand for most lines, most frequent first. Words that differ are folded as well."""
    shapes = [shape for shape in survey.shapes if shape.count]
    shapes.sort(key=lambda shape: -shape.count)
    merged: dict[tuple[object, ...], tuple[list[str], int, int, int]] = {}
    for shape in shapes[:_CONSIDERED]:
        words = _words(shape)
        if not words:
            continue
        # lines with the same number of words that begin alike are one template with holes
        begins = words[1] if len(words) > 4 else ""  # noqa: PLR2004
        key: tuple[object, ...] = (len(words), words[0], begins, shape.signal.strength)
        slot = key
        known = merged.get(key)
        if known is None:
            merged[key] = (words, shape.count, shape.first, shape.last)
        else:
            mixed = [a if a == b else _HOLE for a, b in zip(known[0], words, strict=True)]
            if mixed.count(_HOLE) > len(mixed) // 2 + 1:
                # too different after all: a template of its own
                slot = (*key, *words[:4])
                mixed = words
                known = merged.get(slot, (words, 0, shape.first, shape.last))
            merged[slot] = (
                mixed,
                known[1] + shape.count,
                min(known[2], shape.first),
                max(known[3], shape.last),
            )
    ranked = sorted((entry for entry in merged.values() if entry[1] > 1), key=lambda entry: -entry[1])[:MOST]
    return tuple(
        Template(template=_narrow(redact(" ".join(words))), count=count, first_line=first, last_line=last)
        for words, count, first, last in ranked
    )


def _words(shape: Shape) -> list[str]:
    text = clean(decode(shape.example[: WIDEST * 4]))
    return _VARYING.sub(_HOLE, text).split()


def _narrow(template: str) -> str:
    return template if len(template) <= WIDEST else template[: WIDEST - 1] + "…"
