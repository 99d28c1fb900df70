# ruff: noqa: E501 (the patterns are the data)
"""Candidates against each other: causes before consequences, the failing step before the rest of the job."""

from __future__ import annotations

import math
import re

from midas_devops.knowledge.structure.candidate import Candidate
from midas_devops.knowledge.structure.steps import Place

_NEAR = 6.0
"""Points within which two candidates count as equally strong, so that the earlier one is the cause."""
_CLUSTER = 25
"""Lines without an error that end a cluster of generic ones."""
_SPECIFIC = 60.0
_SUBSTANTIAL = 50.0
_CONSEQUENCE = 16.0
_RETRY = re.compile(
    r"retr(?:y|ies|ying)|attempt \d+|back(?:ing)? ?-?off|will try again|trying again|re-?connect",
    re.IGNORECASE,
)
# Kubernetes has two types of events, and calls every failure a warning.
_EVENT = re.compile(r"\bWarning\s{2,}[A-Z][A-Za-z]+\s{2,}")
_GIVEN_UP = re.compile(
    r"after \d+ (?:attempts|tries|retries)|retries (?:exceeded|exhausted)|giving up|no more retries|max(?:imum)? retries",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"\bignor(?:ed|ing)\b|non-?fatal|\(expected\)|expected (?:error|failure)|skipping|continuing|will be skipped|not critical"
    r"|falling back|deprecat|UserWarning|\[?WARN(?:ING)?\b|Failed to (?:restore|save) cache|cache (?:not found|miss)|Unable to reserve cache"
    r"|failed to upload|error uploading|Failed to (?:parse and )?upload|telemetry|send(?:ing)? (?:metrics|analytics)|No files were found with the provided path"
    r"|sccache|ccache|known hosts|set locale|locale|debconf:|invoke-rc\.d|update-alternatives|npm (?:warn|WARN)|pip's dependency resolver",
    re.IGNORECASE,
)  # fmt: skip


def ranked(candidates: list[Candidate], place: Place, total: int) -> list[Candidate]:
    """Best first. Scores are adjusted in place by where the candidate stands in the job."""
    if not candidates:
        return []
    failing = _failing_step(place)
    for candidate in candidates:
        candidate.score += _standing(candidate, place, failing, total)
    if any(_explains(one) for one in candidates):
        for candidate in candidates:
            if candidate.is_consequence:
                candidate.score -= _CONSEQUENCE
    ordered = sorted(candidates, key=lambda one: (-one.score, one.anchor))
    top = _cause_of(ordered[0], candidates)
    return [top, *(one for one in ordered if one is not top)]


def _explains(candidate: Candidate) -> bool:
    weak = candidate.is_wrapper or candidate.is_warning or candidate.is_consequence
    return not weak and candidate.score >= _SUBSTANTIAL


def _failing_step(place: Place) -> int | None:
    """The first step that said it failed; None when the log does not mark steps."""
    if not place.steps_seen or not place.failed_steps:
        return None
    return min(place.failed_steps)


def _standing(candidate: Candidate, place: Place, failing: int | None, total: int) -> float:
    points = 0.0
    text = " ".join((candidate.text, *candidate.quoted[-2:])) if candidate.is_warning else candidate.text
    if candidate.is_warning:
        points -= 26
    if (
        candidate.kind != "wrapper"
        and not _EVENT.search(candidate.text)
        and _HARMLESS.search(candidate.text[:400])
    ):
        points -= 24 + max(0.0, candidate.score - 60)
    if failing is not None and place.closed_by_markers:
        points += _by_step(candidate, place, failing)
    elif place.failure_points:
        first = place.failure_points[0]
        if candidate.anchor > first + 2 and candidate.kind in {
            "generic",
            "catalogue",
            "exception",
            "traceback",
        }:
            points -= min(14.0, 3 + (candidate.anchor - first) / 40)
    if candidate.in_epilogue:
        points -= 30
    points += _retried(candidate, text, place, total)
    if candidate.score < _SPECIFIC and place.failure_points:
        points += _closeness(candidate, place)
    return points


def _by_step(candidate: Candidate, place: Place, failing: int) -> float:
    if candidate.step == failing:
        point = place.failed_steps[failing]
        return 6.0 if candidate.anchor <= point else 2.0
    if candidate.step in place.failed_steps:
        return -8.0
    return -28.0 if candidate.step < failing else -18.0


def _retried(candidate: Candidate, text: str, place: Place, total: int) -> float:
    """A try that was followed by another one is only the failure when the last try failed as well."""
    around = " ".join(candidate.quoted) or text
    if not _RETRY.search(around) or _GIVEN_UP.search(around):
        return 0.0
    came_back = candidate.last_seen > candidate.anchor
    near_end = any(0 <= point - candidate.last_seen <= 12 for point in place.failure_points)  # noqa: PLR2004
    if near_end or total - candidate.last_seen <= 8:  # noqa: PLR2004
        return 0.0
    return -10.0 if came_back else -24.0


def _closeness(candidate: Candidate, place: Place) -> float:
    ahead = [point - candidate.last_seen for point in place.failure_points if point >= candidate.last_seen]
    return 8.0 * math.exp(-min(ahead) / 30) if ahead else 0.0


def _cause_of(top: Candidate, candidates: list[Candidate]) -> Candidate:
    """The earliest of those that are about as strong and belong to the same failure."""
    rivals = [
        one
        for one in candidates
        if one.anchor < top.anchor
        and one.score >= top.score - _NEAR
        and one.step == top.step
        and not one.is_wrapper
    ]
    if not rivals:
        return top
    if top.score >= _SPECIFIC:
        return min(rivals, key=lambda one: one.anchor)
    best = top
    for one in sorted(rivals, key=lambda rival: -rival.anchor):
        if best.anchor - one.anchor > _CLUSTER:
            break
        best = one
    return best
