"""Any log into a token budget, in one streaming pass.

What is kept is quoted as it stands there, without colours and timestamps; overlong lines are cut with ``…``.
What is cut says how much and where. Errors first, causes before consequences, repetitions once.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from midas_devops.context.composing import Composer, Piece
from midas_devops.context.folding import Template, templates
from midas_devops.context.listing import listable
from midas_devops.context.ranking import candidates, failures
from midas_devops.context.reading import blocks, compression
from midas_devops.context.scan import survey
from midas_devops.domain.base import Value
from midas_devops.errors import UnreadableError, UsageError

Redact = Callable[[str], str]
_HEAD = 8
"""Bytes that tell how a file is packed."""


class LineSpan(Value):
    """Lines of the log that the text shows. 1-based, inclusive."""

    first_line: int
    last_line: int


class Condensed(Value):
    """A log within a budget."""

    text: str
    tokens: int
    """By the real tokenizer; never over ``budget``."""
    budget: int
    lines_total: int
    lines_kept: int
    spans: tuple[LineSpan, ...]
    """Every kept line, in order; what is not in a span was cut."""
    templates: tuple[Template, ...] = ()
    """The most frequent shapes of lines, folded; at most 20."""
    failures: int = 0
    """Distinct failures found, whether shown or not."""


def condense_file(path: Path, budget: int, *, redact: Redact | None = None) -> Condensed:
    """Condense a file of any size and encoding into at most ``budget`` tokens.

    ``redact`` is applied to everything that leaves.
    Raises ``UnreadableError``, and ``UsageError`` for a budget below 1.
    """
    try:
        with path.open("rb") as stream:
            if packed := compression(stream.peek(_HEAD)):
                raise UnreadableError(
                    f"condensing {path}: it was packed with {packed}, its bytes are no lines of a log",
                    hint="unpack it first, and condense what comes out",
                    location=str(path),
                )
            return condense_stream(stream, budget, redact=redact)
    except OSError as error:
        raise UnreadableError(
            f"cannot read the log {path}: {error.strerror or error}",
            hint="give the path of a file that you may read",
            location=str(path),
        ) from error


def condense_text(text: str, budget: int, *, redact: Redact | None = None) -> Condensed:
    """Condense a text. As :func:`condense_file`."""
    return condense_stream(io.BytesIO(text.encode("utf-8", errors="replace")), budget, redact=redact)


def condense_stream(stream: BinaryIO, budget: int, *, redact: Redact | None = None) -> Condensed:
    """Condense a binary stream, read once. As :func:`condense_file`."""
    if budget < 1:
        raise UsageError(f"a budget of {budget} tokens holds nothing", hint="give a budget of 1 or more")
    found = survey(blocks(stream, mask_keys=redact is not None))
    hide = redact or _nothing
    failed = failures(found)
    distinct = listable(failed)
    composer = Composer(budget, hide, found.lines_total)
    pieces = composer.choose(candidates(found, composer.list_apart(failed, distinct)))
    text, tokens, shown = composer.render(pieces, templates(found, hide))
    spans = _spans(shown)
    return Condensed(
        text=text,
        tokens=tokens,
        budget=budget,
        lines_total=found.lines_total,
        lines_kept=sum(span.last_line - span.first_line + 1 for span in spans),
        spans=spans,
        templates=templates(found, hide),
        failures=len(distinct),
    )


def _nothing(text: str) -> str:
    return text


def _spans(shown: list[Piece]) -> tuple[LineSpan, ...]:
    spans: list[list[int]] = []
    for number in sorted({piece.number for piece in shown}):
        if spans and number <= spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return tuple(LineSpan(first_line=first, last_line=last) for first, last in spans)
