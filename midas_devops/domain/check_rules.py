"""What the checks of a commit mean together: GitHub's, or a program's (rule 5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from midas_devops.domain.gate_rules import Doubt, Measured, not_for, not_fresh, not_readable, result_of
from midas_devops.domain.gates import GateResult, Verdict

_WORST_FIRST = (Verdict.FAILED, Verdict.ERRORED, Verdict.INCONCLUSIVE)
_MOST_NAMED = 5


class Check(Protocol):
    """One check. ``state`` is a verdict, or ``skipped``: it did not have to run."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def detail(self) -> str: ...


class Checks(Measured, Protocol):
    """A reading of all checks of a commit."""

    @property
    def checks(self) -> Sequence[Check]: ...


def judge_checks(
    name: str,
    reading: Checks,
    commit: str,
    now: datetime,
    max_age: timedelta | None = None,
    required: tuple[str, ...] = (),
) -> GateResult:
    """Passed: every required check (all, when none is named) is there, and at least one ran and passed.

    A skipped check lets through, as it does on GitHub; nothing but skipped ones has measured nothing.
    """
    counted = [check for check in reading.checks if not required or check.name in required]
    doubts = _doubts(reading, counted, commit, now, max_age, required)
    verdict, reason = next(doubts, (Verdict.PASSED, ""))
    if verdict is Verdict.PASSED:
        passed = [check for check in counted if check.state == Verdict.PASSED]
        skipped = len(counted) - len(passed)
        reason = passed[0].detail if len(counted) == 1 else f"{len(passed)} checks passed"
        reason += f", {skipped} skipped" if skipped else ""
    return result_of(name, verdict, reason, reading)


def _doubts(
    reading: Checks,
    counted: list[Check],
    commit: str,
    now: datetime,
    max_age: timedelta | None,
    required: tuple[str, ...],
) -> Iterator[Doubt]:
    yield from not_readable(reading)
    yield from not_for(reading, commit)
    for verdict in _WORST_FIRST:
        if those := [check for check in counted if check.state == verdict]:
            yield verdict, _named(those)
    if missing := [each for each in required if each not in {check.name for check in counted}]:
        yield Verdict.INCONCLUSIVE, f"not there for {commit[:12]}: {', '.join(missing[:_MOST_NAMED])}"
    if unknown := [check for check in counted if check.state not in (Verdict.PASSED, "skipped")]:
        yield Verdict.INCONCLUSIVE, _named(unknown)
    if reading.incomplete:
        yield Verdict.INCONCLUSIVE, reading.incomplete
    if not counted:
        yield Verdict.INCONCLUSIVE, f"there is no check for {commit[:12]}"
    if all(check.state == "skipped" for check in counted):
        yield Verdict.INCONCLUSIVE, "every check was skipped"
    yield from not_fresh(reading, now, max_age)


def _named(checks: list[Check]) -> str:
    more = f" and {len(checks) - _MOST_NAMED} more" if len(checks) > _MOST_NAMED else ""
    return "; ".join(f"{check.name}: {check.detail}" for check in checks[:_MOST_NAMED]) + more
