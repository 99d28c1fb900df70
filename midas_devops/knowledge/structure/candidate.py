"""What a reader proposes as the failure, before the candidates are weighed against each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from midas_devops.domain.evidence import Category
from midas_devops.knowledge.structure.lines import Line


@dataclass(slots=True)
class Candidate:
    """One possible failing line. ``score`` is on a scale where 70 is a tool's own, precise error."""

    anchor: int
    text: str
    kind: str
    score: float
    category: Category
    cause: str = ""
    hint: Category = Category.UNKNOWN
    """What the line's form suggests, where neither the structure, the catalogue nor its words tell more."""
    before: int = 2
    """Lines of context wished for before the anchor."""
    after: int = 6
    matching: str = ""
    """Text for the catalogue where the message runs over several lines; empty: ``text``."""
    in_test: bool = False
    is_wrapper: bool = False
    is_warning: bool = False
    is_consequence: bool = False
    fixed_category: bool = False
    """The structure settles the category whatever words the message uses."""
    step: int = 0
    entry_id: str = ""
    remedies: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    retryable: bool | None = None
    first: int = 0
    last: int = 0
    quoted: tuple[str, ...] = ()
    count: int = 1
    last_seen: int = 0
    in_epilogue: bool = False


Emit = Callable[[Candidate], None]


class Reader(Protocol):
    """Reads one family of tools. Fed the lines that may matter, and every line while ``open``."""

    @property
    def open(self) -> bool: ...

    def feed(self, line: Line, emit: Emit) -> None: ...

    def end(self, emit: Emit) -> None: ...
