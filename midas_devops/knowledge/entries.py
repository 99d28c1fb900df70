"""What is stored of a source: its chunks with their labels, and how they come back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from midas_devops.knowledge.chunks import chunk_source, environment_of, kind_of, provider_of
from midas_devops.knowledge.lexical import Row
from midas_devops.ports.knowledge import Hit, Incident

Metadata = Mapping[str, str | int | float | bool]

FORMAT = "1"
"""Of what is stored. Part of every source's hash: a new way to cut text makes all sources change."""
_TOLD = ("error", "category", "cause", "remedy", "outcome", "environment")


@dataclass(frozen=True, slots=True)
class Entry:
    """A chunk on its way into the store. ``context`` is indexed with the text, and not quoted."""

    row: Row
    first_line: int
    last_line: int
    text: str
    context: str

    @property
    def indexed(self) -> str:
        return f"{self.context}\n{self.text}"

    @property
    def metadata(self) -> Metadata:
        row = self.row
        return {
            "source": row.source,
            "file": row.file,
            "parts": row.parts,
            "kind": row.kind,
            "environment": row.environment,
            "provider": row.provider,
            "first_line": self.first_line,
            "last_line": self.last_line,
            "context": self.context,
        }

    def hit(self, score: float) -> Hit:
        return hit_of(self.metadata, self.text, score)


def digest(*parts: str | int) -> str:
    text = json.dumps(parts, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def is_complete(rows: list[Row], file: str) -> bool:
    return bool(rows) and all(row.file == file and row.parts == len(rows) for row in rows)


def entries_of(source: str, text: str, file: str, environment: str = "") -> list[Entry]:
    """A source's chunks. An id comes from content and place: the same chunk is never embedded twice."""
    pieces = chunk_source(source, text)
    kind = "incident" if source.startswith("incident:") else kind_of(source)
    environment = environment or environment_of(source)
    seen: dict[tuple[int, str], int] = {}
    entries: list[Entry] = []
    for piece in pieces:
        key = (piece.first_line, piece.text)
        seen[key] = seen.get(key, 0) + 1
        row = Row(
            id=digest(source, piece.first_line, piece.last_line, piece.context, piece.text, seen[key]),
            source=source,
            file=file,
            parts=len(pieces),
            kind=kind,
            environment=environment,
            provider=provider_of(piece.text) if kind == "terraform" else "",
        )
        entries.append(Entry(row, piece.first_line, piece.last_line, piece.text, piece.context))
    return entries


def incident_entries(incident: Incident, redact: Callable[[str], str]) -> tuple[str, list[Entry]]:
    """(source, chunks) of a resolved failure: one line or more for each of its parts, redacted."""
    told = {part: _storable(redact(str(getattr(incident, part)))).strip() for part in _TOLD}
    lines = [f"{part.capitalize()}: {text}" for part, text in told.items() if text]
    source = f"incident:{incident.run_id}"
    return source, entries_of(source, "\n".join(lines), digest(FORMAT, *lines), told["environment"])


def _storable(text: str) -> str:
    """Without half surrogates, which a log read leniently may hold and no store takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def row_of(name: str, metadata: Metadata) -> Row:
    return Row(
        id=name,
        source=str(metadata["source"]),
        file=str(metadata["file"]),
        parts=int(metadata["parts"]),
        kind=str(metadata["kind"]),
        environment=str(metadata["environment"]),
        provider=str(metadata["provider"]),
    )


def hit_of(metadata: Metadata, text: str, score: float) -> Hit:
    return Hit.model_validate(
        {
            "source": metadata["source"],
            "first_line": metadata["first_line"],
            "last_line": metadata["last_line"],
            "kind": metadata["kind"],
            "score": round(score, 6),
            "text": text,
        }
    )
