"""Known failures: patterns with their cause and remedy, kept as data, matched in one pass."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from midas_devops.context.screen import Screen
from midas_devops.domain.base import Value
from midas_devops.domain.evidence import Category
from midas_devops.errors import UnreadableError

_FOLDER = Path(__file__).parent / "catalogue"


class Entry(Value):
    """One known failure. ``words``: lower case; a line that holds none of them is never matched."""

    id: str
    provider: str
    category: Category
    words: tuple[str, ...]
    pattern: str
    cause: str
    remedies: tuple[str, ...]
    retryable: bool
    links: tuple[str, ...]
    weight: float = 70
    """How precise this is: 70 is a tool's own error, above 75 leaves no doubt."""
    consequence: bool = False
    """True when it only follows from something else: any other failure in the log explains more."""
    settles: bool = False
    """True when it names the category even inside a test report or an installation: the machine's failure."""
    examples: tuple[str, ...]
    near_misses: tuple[str, ...]


class Catalogue:
    """All entries, ready to match. Immutable; share one."""

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries
        self.by_id = {entry.id: entry for entry in entries}
        self._compiled = [(entry.words, re.compile(entry.pattern), entry) for entry in entries]
        self.may_match = Screen(entry.pattern for entry in entries).passes
        self.words = tuple(sorted({word for entry in entries for word in entry.words}))

    def matches(self, text: str) -> list[Entry]:
        """Entries whose pattern is in ``text``, the heaviest first; among equals the longer pattern."""
        if not self.may_match(text):
            return []
        low = text.lower()
        found = [
            entry
            for words, pattern, entry in self._compiled
            if any(word in low for word in words) and pattern.search(text)
        ]
        return sorted(found, key=lambda entry: (-entry.weight, -len(entry.pattern)))

    def best(self, text: str) -> Entry | None:
        """The entry that fits best, or None."""
        found = self.matches(text)
        return found[0] if found else None


def read_entries(folder: Path) -> Iterator[Entry]:
    """Entries of every ``*.toml`` in ``folder``. Raises ``UnreadableError`` naming file and entry."""
    for path in sorted(folder.glob("*.toml")):
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise UnreadableError(
                f"The catalogue file {path.name} cannot be read: {error}",
                hint="Each file holds [[entry]] tables; see docs/diagnosis.md",
                location=str(path),
            ) from error
        for raw in table.get("entry", []):
            try:
                yield Entry.model_validate({"provider": path.stem, **raw})
            except ValueError as error:
                raise UnreadableError(
                    f"Entry {raw.get('id', '?')!r} of {path.name} is not complete: {error}",
                    location=str(path),
                ) from error


@cache
def load_catalogue() -> Catalogue:
    """The catalogue that comes with the package, read once per process."""
    return Catalogue(tuple(read_entries(_FOLDER)))
