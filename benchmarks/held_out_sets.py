"""The held-out sets: real failures and error messages, labelled before anybody looked at an answer.

``held_out/<set>/labels.json``: per log the failing line, lines as good, the category, categories as good.
``held_out/<set>/messages.json``: single error messages with their categories.
``held_out/incidents.json``: the same failure told twice, in different words.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("held_out")
LOG_SETS = ("first", "second")
MESSAGE_SETS = ("first", "second", "third", "fourth")


@dataclass(frozen=True)
class Log:
    """A log by its path, and what a good diagnosis says of it."""

    name: str
    path: Path
    line: int
    as_good: tuple[int, ...]
    category: str
    as_good_categories: tuple[str, ...]


@dataclass(frozen=True)
class Message:
    """One error message, and the categories that fit it, the best first."""

    text: str
    categories: tuple[str, ...]


@dataclass(frozen=True)
class Told:
    """A failure as it was recorded as an incident, and as it comes again."""

    first: str
    again: str
    category: str


def logs(name: str) -> list[Log]:
    """The logs of one set."""
    folder = FOLDER / name
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    return [
        Log(
            log,
            folder / f"{log}.log",
            label["line"],
            tuple(label["as_good"]),
            label["category"],
            tuple(label["as_good_categories"]),
        )
        for log, label in labels.items()
    ]


def messages(name: str) -> list[Message]:
    """The messages of one set."""
    rows = json.loads((FOLDER / name / "messages.json").read_text(encoding="utf-8"))
    return [Message(row["message"], (row["category"], *row["as_good_categories"])) for row in rows]


def incidents() -> list[Told]:
    """Failures told twice."""
    return [Told(**row) for row in json.loads((FOLDER / "incidents.json").read_text(encoding="utf-8"))]
