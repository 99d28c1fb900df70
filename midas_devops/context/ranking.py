"""Which lines of a surveyed log deserve a place, and how much each is worth.

Causes come before consequences, first and last errors before the rest, repetitions after what was said once.
A value is only good for comparing lines of the same log.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from midas_devops.context.reading import CUT_AFTER, CUT_BEFORE, decode
from midas_devops.context.scan import Event, Line, Survey
from midas_devops.context.signals import CAUSE, ERROR, clean

_ASIDE: Final = re.compile(
    r"(?i)\b(?:upload\w*|artifacts?|s?ccache|telemetry|metrics?|codecov|slack|notif\w+"
    r"|webhook delivery|clean(?:ing )?up|orphan|post job|analytics|scribe\w*|sentry|save cache"
    r"|restore cache|cache (?:hit|miss|server))\b"
)
_GENERIC: Final = re.compile(
    r"(?i)process completed|exit (?:code|status)|exited|build fail|finished: "
    r"|container implementation|\[pipeline\]|job failed|errors? generated|^\[error\]|failures?="
)
_RETRY: Final = re.compile(r"(?i)\bretry(?:ing)?\b|\bback(?:ing)? off\b|\btrying again\b|\battempt \d")
_GAVE_UP: Final = re.compile(
    r"(?i)\bgiving up|no more retries|exhausted|after \d+ (?:attempts|retries|tries)|failed after\b"
)
_VOLATILE: Final = re.compile(
    r"0x[0-9a-fA-F]+|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b(?=\w*\d)[0-9a-f]{12,}\b"
    r"|\d+(?:\.\d+)?\s?(?:ms|s|sec|secs|seconds?|min|minutes?|[KMG]i?B)\b|\[\s*\d+%\]|\d\d:\d\d:\d\d(?:[.,]\d+)?"
)
_BLOCK_KINDS: Final = frozenset(
    {"compiler", "terraform", "git", "docker", "lint", "gradle", "kubernetes", "dependency"}
)
_TRACE_KINDS: Final = frozenset({"exception", "assertion", "traceback", "panic"})
_EDGES: Final = (" ", ",", '"', "'", "\t", ";")
EDGE: Final = 200
"""Characters at a cut inside a word that are left out: half a secret would not be recognised as one."""
_DIGITS: Final = b"0123456789"
NEAR: Final = 40
"""Lines within which a wrapper's cause is usually found."""


@dataclass(slots=True)
class Candidate:
    """One line that may be shown."""

    order: int
    number: int
    text: str
    """Cleaned, not redacted, in full (as far as the survey remembers it)."""
    value: float
    cuts: int = 0
    lead: bool = False


@dataclass(slots=True)
class Failure:
    """One distinct statement of failure: the first event that made it, how often it came, and where last."""

    event: Event
    text: str
    value: float
    times: int = 1
    last: Line | None = None
    """Where it was said again for the last time."""


def visible(line: Line) -> str:
    """The text of a line as it is shown; where a segment was cut inside a word, that word is left out."""
    text = clean(decode(line.raw))
    if line.cuts & CUT_AFTER:
        text = text[: max(text.rfind(mark, len(text) - EDGE) for mark in _EDGES) % (len(text) + 1)]
    if line.cuts & CUT_BEFORE:
        at = min((i for mark in _EDGES if (i := text.find(mark, 0, EDGE)) >= 0), default=min(EDGE, len(text)))
        text = text[at:]
    return text


def identity(text: str) -> str:
    """What two statements of the same failure share: all of it but times, sizes and addresses."""
    return _VOLATILE.sub("*", text).strip(" =_-")


def failures(survey: Survey) -> list[Failure]:
    """Distinct failures by line number, with their worth."""
    found: dict[str, Failure] = {}
    for event in survey.events:
        text = visible(event.line)
        if not text.strip():
            continue
        known = found.get(key := identity(text))
        if known is None:
            found[key] = Failure(event, text, 0.0)
        else:
            known.times += 1
            known.last = event.line
    ordered = list(found.values())
    _judge(ordered, survey)
    return ordered


def _judge(ordered: list[Failure], survey: Survey) -> None:
    wrappers = [e.line.order for e in survey.events if e.signal.is_wrapper]
    strong = [f for f in ordered if f.event.signal.strength >= ERROR and not f.event.signal.is_wrapper]
    main = [f for f in strong if not _ASIDE.search(f.text)] or strong
    seen_of_shape: dict[int, int] = {}
    position = 0
    for failure in ordered:
        event = failure.event
        signal = event.signal
        value = 10.0 * signal.strength
        if signal.is_wrapper:
            # one that names what failed helps to place its cause
            value = 22.0 if _GENERIC.search(failure.text) else 43.0
        if signal.kind == "traceback":
            value -= 12
        if _ASIDE.search(failure.text):
            value -= 14
        elif any(_ASIDE.search(decode(line.raw)) for line in event.before[-5:]):
            value -= 5
        if signal.strength < CAUSE:
            value -= min(9.0, 1.5 * math.log2(max(1, event.shape.count)))
        nth = seen_of_shape[id(event.shape)] = seen_of_shape.get(id(event.shape), 0) + 1
        value -= min(12.0, 3.0 * math.log2(nth))
        if not signal.is_wrapper:
            while position < len(wrappers) and wrappers[position] <= event.line.order:
                position += 1
            if position < len(wrappers) and wrappers[position] - event.line.order < NEAR:
                value += 8 * (1 - (wrappers[position] - event.line.order) / NEAR)
            if _retried(failure, survey):
                value -= 8
        failure.value = value
    if main:
        main[0].value += 7
        if main[-1] is not main[0]:
            main[-1].value += 5


def _retried(failure: Failure, survey: Survey) -> bool:
    """Tried again shortly after, and not seen again at the end."""
    following = b" ".join(line.raw for line in failure.event.after[:4]).decode("utf-8", errors="replace")
    if not _RETRY.search(following) or _GAVE_UP.search(following):
        return False
    return failure.last is None or failure.last.number < survey.lines_total - 3 * NEAR


def candidates(survey: Survey, found: list[Failure]) -> dict[int, Candidate]:
    """Every line that may be shown, by order: the failures, what surrounds them, the log's two ends."""
    lines: dict[int, Candidate] = {}

    def offer(line: Line, value: float, *, lead: bool = False) -> None:
        known = lines.get(line.order)
        if known is None or (lead and not known.lead):
            text = visible(line)
            if not text.strip():
                value -= 20 if line.cuts else 6
            value = max(value, known.value) if known else value
            lines[line.order] = Candidate(line.order, line.number, text, value, line.cuts, lead)
        else:
            known.value = max(known.value, value)

    for failure in found:
        event = failure.event
        offer(event.line, failure.value, lead=True)
        if failure.last is not None:
            offer(failure.last, failure.value - 9, lead=True)
    first_wrapper = next((f for f in found if f.event.signal.is_wrapper), None)
    for failure in found:
        event = failure.event
        if event.signal.is_wrapper:
            # whatever stands right before a consequence may be its cause, even when no rule knows it
            top, step_before, step_after = (33.0, 2.2, 6.0) if failure is first_wrapper else (24.0, 2.5, 6.0)
        else:
            top = failure.value - 5
            step_before, step_after = _slopes(event.signal.kind)
        _around(offer, reversed(event.before), top, step_before)
        _around(offer, event.after, top, step_after)
    _around(offer, reversed(survey.tail), 27.0, 2.0)
    for distance, line in enumerate(survey.head[:6]):
        offer(line, 12.0 - 2.0 * distance)
    for line in survey.whole:
        offer(line, 1.0)
    return lines


def _around(offer: Callable[[Line, float], None], lines: Iterable[Line], top: float, step: float) -> None:
    """Lines worth less the farther they are, and still less where they only repeat a shape."""
    seen: set[bytes] = set()
    for distance, line in enumerate(lines, 1):
        shape = line.raw.translate(None, _DIGITS)
        offer(line, top - step * distance - (5 if shape.strip() and shape in seen else 0))
        seen.add(shape)


def _slopes(kind: str) -> tuple[float, float]:
    """How fast interest falls before and after: a trace is read upwards, a compiler's message downwards."""
    if kind in _TRACE_KINDS:
        return 2.0, 3.5
    if kind in _BLOCK_KINDS:
        return 4.0, 1.8
    if kind == "test":
        return 3.0, 2.4
    return 3.0, 2.6
