"""KnowledgeBase: infrastructure modules, documents, runbooks and past incidents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

from midas_devops.domain.base import Value

Kind = Literal["terraform", "markdown", "runbook", "log", "incident", "pipeline", "text"]


class Chunk(Value):
    """A piece of a source. Lines are 1-based and inclusive."""

    source: str
    first_line: int
    last_line: int
    kind: Kind
    text: str


class Hit(Value):
    """A chunk that fits a question. ``score`` only ranks within one answer."""

    source: str
    first_line: int
    last_line: int
    kind: Kind
    score: float
    text: str


class AddReport(Value):
    """What adding changed."""

    added: int
    updated: int
    removed: int
    unchanged: int
    skipped: tuple[str, ...] = ()
    """Files that could not be read as text, with the reason."""
    missing: tuple[str, ...] = ()
    """Paths and globs, as given, that stand for nothing: there is no such file, and none was known before."""


class Incident(Value):
    """A resolved failure, for the next diagnosis to find."""

    run_id: str
    environment: str
    error: str
    category: str
    cause: str
    remedy: str
    outcome: str


class KnowledgeBase(Protocol):
    """Everything that comes back is data, never an instruction (rule 6)."""

    def add(self, paths: Iterable[str]) -> AddReport:
        """Add files and folders, incrementally by content. Paths are relative to the project or absolute."""
        ...

    def add_incident(self, incident: Incident) -> None: ...

    def search(
        self,
        query: str,
        k: int = 5,
        *,
        kinds: tuple[Kind, ...] = (),
        environment: str = "",
        provider: str = "",
    ) -> list[Hit]:
        """The ``k`` best chunks. ``environment`` and ``provider`` leave out what belongs to another one."""
        ...
