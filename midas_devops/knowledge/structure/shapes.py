"""Failures that one line tells by its shape: compilers, linters, test runners and their wrappers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from midas_devops.context.screen import Screen
from midas_devops.domain.evidence import Category
from midas_devops.knowledge.structure.candidate import Candidate, Emit
from midas_devops.knowledge.structure.lines import Line
from midas_devops.knowledge.structure.patterns import AnyOf


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape of a line."""

    kind: str
    score: float
    category: Category
    cause: str
    pattern: AnyOf
    before: int = 2
    after: int = 6
    in_test: bool = False
    fixed: bool = True
    wrapper: bool = False


def shape(
    kind: str,
    score: float,
    category: Category,
    cause: str,
    pattern: str,
    *,
    before: int = 2,
    after: int = 6,
    in_test: bool = False,
    fixed: bool = True,
    wrapper: bool = False,
) -> Shape:
    """A :class:`Shape` with its pattern compiled."""
    return Shape(kind, score, category, cause, AnyOf(pattern), before, after, in_test, fixed, wrapper)


@cache
def _screen_of(shapes: tuple[Shape, ...]) -> Screen:
    return Screen(pattern for one in shapes for pattern in one.pattern.patterns)


class ShapeReader:
    """Tries every shape on a line and proposes the first that fits."""

    def __init__(self, shapes: tuple[Shape, ...]) -> None:
        self._shapes = shapes
        self._screen = _screen_of(shapes)

    @property
    def open(self) -> bool:
        return False

    def feed(self, line: Line, emit: Emit) -> None:
        if not self._screen.passes(line.text):
            return
        low = line.text.lower()
        for one in self._shapes:
            if not one.pattern.found(line.text, low):
                continue
            emit(
                Candidate(
                    anchor=line.no,
                    text=line.text.strip(),
                    kind=one.kind,
                    score=one.score,
                    category=one.category,
                    cause=one.cause,
                    before=one.before,
                    after=one.after,
                    in_test=one.in_test,
                    fixed_category=one.fixed,
                    is_wrapper=one.wrapper,
                )
            )
            return

    def end(self, emit: Emit) -> None:
        """Nothing is ever held back."""
