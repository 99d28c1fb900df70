"""From a log to a diagnosis: the failing lines, a category, a cause and remedies, or plainly nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from midas_devops.domain.counting import number
from midas_devops.domain.evidence import Category, Diagnosis, Span
from midas_devops.domain.outcome import Diagnostic
from midas_devops.errors import UnreadableError
from midas_devops.knowledge.catalogue import load_catalogue
from midas_devops.knowledge.lessons import learn_from
from midas_devops.knowledge.structure.advice import DEFAULT_CAUSES, DEFAULT_REMEDIES, is_retryable
from midas_devops.knowledge.structure.candidate import Candidate
from midas_devops.knowledge.structure.generic import category_of_words, name_by_words, shortened
from midas_devops.knowledge.structure.lines import file_head, is_binary, lines_of_file, lines_of_text
from midas_devops.knowledge.structure.scan import Scan
from midas_devops.knowledge.structure.weigh import ranked
from midas_devops.ports.knowledge import Hit

Redact = Callable[[str], str]

_SPANS = 3
_NAMED = 30
"""How many candidates may come to be shown, or to contest the first."""
_BUILD = 300
"""Lines that the output of one package's build may have."""
_LONG_MESSAGE = 250
_CUT = re.compile(r"\[…\d+ bytes cut\]")
_ENOUGH = 30.0
"""Score below which a candidate says too little to conclude anything."""
_MESSAGE = 3
"""Lines at the end of a text in which a mere mention of failure counts."""
_ENOUGH_UNCONFIRMED = 44.0
"""The same, where nothing else in the log says that anything failed."""


def diagnose_file(
    path: Path,
    *,
    shown_as: str = "",
    redact: Redact | None = None,
    diagnostics: Sequence[Diagnostic] = (),
    incidents: Sequence[Hit] = (),
) -> Diagnosis:
    """Diagnose one log, read once, in memory that does not grow with it. Raises ``UnreadableError``.

    ``shown_as`` is the name that spans carry (default: the path as given). ``diagnostics`` are what the
    engine itself reported, ``incidents`` the nearest past ones.
    """
    name = shown_as or str(path)
    try:
        head = file_head(path)
        if not head:
            return inconclusive("The log is empty: there is nothing to diagnose from.")
        if is_binary(head):
            return inconclusive("The file is not text: there is nothing to diagnose from.")
        return _diagnose(lines_of_file(path), name, redact, diagnostics, incidents)
    except OSError as error:
        raise UnreadableError(
            f"Diagnosing {name}: the log cannot be read ({error.strerror or error})",
            hint="Name an existing, readable text file",
            location=name,
        ) from error


def diagnose_lines(
    lines: Iterable[str],
    *,
    shown_as: str = "",
    redact: Redact | None = None,
    diagnostics: Sequence[Diagnostic] = (),
    incidents: Sequence[Hit] = (),
) -> Diagnosis:
    """As :func:`diagnose_file`, of lines that are at hand, each with or without its ``\\n``."""
    return _diagnose(lines_of_text(lines), shown_as, redact, diagnostics, incidents)


def inconclusive(summary: str) -> Diagnosis:
    """The diagnosis that claims nothing."""
    return Diagnosis(
        category=Category.UNKNOWN, summary=summary, confidence=0.1, retryable=False, verdict="inconclusive"
    )


def _diagnose(
    lines: Iterable[bytes],
    name: str,
    redact: Redact | None,
    diagnostics: Sequence[Diagnostic],
    incidents: Sequence[Hit],
) -> Diagnosis:
    summaries = [one.summary for one in diagnostics if one.severity == "error" and one.summary.strip()]
    scan = Scan(load_catalogue(), watch=summaries)
    found = scan.run(lines)
    if not scan.lines:
        return inconclusive("The log is empty: there is nothing to diagnose from.")
    order = ranked(found, scan.place, scan.lines)
    for one in order[:_NAMED]:
        name_by_words(one)
    if not order and (told := scan.message()):
        name_by_words(told)
        order = [told] if told.category is not Category.UNKNOWN else []
    if not order or _says_too_little(order[0], scan):
        return _nothing(order, scan, name, redact, diagnostics)
    return _conclude(order, name, redact, incidents)


def _says_too_little(top: Candidate, scan: Scan) -> bool:
    """Whether concluding from this candidate would be guessing."""
    place = scan.place
    if place.last_success > max(place.last_failure, top.last_seen) and not place.closed_by_markers:
        return True
    if top.is_wrapper or top.score < _ENOUGH:
        return True
    # A text of a few lines is a message that somebody was given; a log cut off ends with its failure.
    if scan.lines - top.last_seen < _MESSAGE:
        return False
    return not place.failure_points and top.score < _ENOUGH_UNCONFIRMED


def _nothing(
    order: list[Candidate], scan: Scan, name: str, redact: Redact | None, diagnostics: Sequence[Diagnostic]
) -> Diagnosis:
    if diagnostics:
        told = diagnostics[0]
        text = f"{told.summary} {told.detail}"
        entry = load_catalogue().best(text)
        category = entry.category if entry else category_of_words(text)[0]
        return inconclusive(
            _redacted(
                f"The engine reported {shortened(told.summary, 200)!r}, but its log does not show it.", redact
            )
        ).model_copy(update={"category": category, "sources": (entry.id,) if entry else ()})
    place = scan.place
    if place.last_success > place.last_failure:
        return inconclusive(f"The log shows no failure: it ends well at line {place.last_success}.")
    if place.last_failure and order:
        wrapper = order[0]
        diagnosis = inconclusive(f"The log says that something failed (line {wrapper.anchor}), but not why.")
        return diagnosis.model_copy(
            update={"spans": (_span(wrapper, name, redact),), "remedies": DEFAULT_REMEDIES[Category.UNKNOWN]}
        )
    return inconclusive(f"Nothing in the log ({number(scan.lines, 'line')}) says that anything failed.")


def _conclude(
    order: list[Candidate], name: str, redact: Redact | None, incidents: Sequence[Hit]
) -> Diagnosis:
    top = order[0]
    if _within_an_installation(top, order):
        top.category = Category.DEPENDENCY_INSTALL
    shown = _distinct(order)
    category = top.category
    confidence = _confidence(top, order)
    remedies = top.remedies or DEFAULT_REMEDIES[category]
    sources = (*([top.entry_id] if top.entry_id else []), *top.links)
    retryable = is_retryable(category, top.text) if top.retryable is None else top.retryable
    diagnosis = Diagnosis(
        category=category,
        summary=_redacted(f"{_cause(top)}: {shortened(_told(top.text), 220)} (line {top.anchor})", redact),
        confidence=round(confidence, 2),
        retryable=retryable,
        spans=tuple(_span(one, name, redact) for one in shown),
        causes=tuple(_redacted(f"{_cause(one)} (lines {one.first}-{one.last})", redact) for one in shown),
        remedies=tuple(_redacted(remedy, redact) for remedy in remedies),
        sources=sources,
        verdict="conclusive",
    )
    return learn_from(diagnosis, incidents, redact)


def _told(text: str) -> str:
    """A message for a summary: of a cut line, what follows the cut."""
    return _CUT.split(text, 1)[-1] if len(text) > _LONG_MESSAGE else text


def _within_an_installation(top: Candidate, order: list[Candidate]) -> bool:
    """Whether what does not compile is a dependency that was being installed."""
    return top.category is Category.COMPILE_ERROR and any(
        one.entry_id == "pip.build-failed" and one.step == top.step and 0 < one.anchor - top.anchor < _BUILD
        for one in order
    )


def _cause(candidate: Candidate) -> str:
    return candidate.cause or DEFAULT_CAUSES[candidate.category]


def _distinct(order: list[Candidate]) -> list[Candidate]:
    """The best candidates whose spans do not overlap, wrappers left out."""
    chosen = [order[0]]
    for one in order[1:]:
        if len(chosen) == _SPANS:
            break
        apart = all(one.first > other.last or one.last < other.first for other in chosen)
        if apart and not one.is_wrapper and one.score >= _ENOUGH and one.quoted:
            chosen.append(one)
    return chosen


# Score → share of right categories where nothing had been tuned yet (docs/diagnosis.md says on what;
# benchmarks/diagnose.py holds what is said here against labelled sets).
_CALIBRATION = ((85, 0.97), (70, 0.95), (60, 0.9), (44, 0.8), (0, 0.65))


def _confidence(top: Candidate, order: list[Candidate]) -> float:
    confidence = next(share for floor, share in _CALIBRATION if top.score >= floor)
    if top.category is Category.UNKNOWN:
        return min(confidence, 0.4)
    contested = any(
        one.category is not top.category and not one.is_wrapper and one.score >= top.score - 4
        for one in order[1:6]
    )
    return confidence - 0.15 if contested else confidence


def _span(candidate: Candidate, name: str, redact: Redact | None) -> Span:
    text = "\n".join(candidate.quoted)
    return Span(file=name, first_line=candidate.first, last_line=candidate.last, text=_redacted(text, redact))


def _redacted(text: str, redact: Redact | None) -> str:
    return redact(text) if redact else text
