"""What a reading means for exactly one commit. Anything in doubt is not a pass (rule 5)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from midas_devops.domain.counting import number
from midas_devops.domain.gates import GateResult, Verdict
from midas_devops.domain.scan_limits import Counted, Found, ScanLimits, count_findings

FULL_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""A whole git commit hash, SHA-1 or SHA-256."""

CLOCK_SKEW = timedelta(minutes=5)
"""How far ahead another machine's clock may be."""

SHORTEST_HASH = 7
"""Digits of the shortest abbreviated hash that git writes by itself."""

LEVELS = ("error", "warning", "note")
"""SARIF levels that are findings, worst first (SARIF 2.1.0, 3.27.10)."""

FailOn = Literal["error", "warning", "note"]


class Failure(Protocol):
    """Why there is nothing to judge."""

    @property
    def code(self) -> str: ...
    @property
    def message(self) -> str: ...


class Measured(Protocol):
    """What every reading carries, whoever measured it."""

    @property
    def failure(self) -> Failure | None: ...
    @property
    def commit(self) -> str: ...
    @property
    def incomplete(self) -> str: ...
    @property
    def measured_at(self) -> datetime | None: ...
    @property
    def newest_at(self) -> datetime | None: ...
    @property
    def evidence(self) -> tuple[str, ...]: ...
    @property
    def sha256(self) -> str: ...


class CountedTests(Measured, Protocol):
    """A reading of test reports."""

    @property
    def tests(self) -> int: ...
    @property
    def failures(self) -> int: ...
    @property
    def errors(self) -> int: ...
    @property
    def skipped(self) -> int: ...
    @property
    def failed_names(self) -> tuple[str, ...]: ...


class CountedFindings(Measured, Protocol):
    """A reading of scan reports."""

    @property
    def executed(self) -> bool: ...
    @property
    def tools(self) -> tuple[str, ...]: ...
    @property
    def by_level(self) -> dict[str, int]: ...
    @property
    def findings(self) -> tuple[str, ...]: ...
    @property
    def found(self) -> Sequence[Found]: ...


Doubt = tuple[Verdict, str]


def judge_tests(
    name: str, reading: CountedTests, commit: str, now: datetime, max_age: timedelta | None
) -> GateResult:
    """Passed: a test ran for this commit, all that ran passed, and the report is fresh and whole."""
    verdict, reason = next(_doubts_about_tests(reading, commit, now, max_age), (Verdict.PASSED, ""))
    if verdict is Verdict.PASSED:
        ran = reading.tests - reading.skipped
        skipped = f", {reading.skipped} skipped" if reading.skipped else ""
        reason = f"{number(ran, 'test')} passed{skipped}"
    return result_of(name, verdict, reason, reading)


def judge_scan(
    name: str,
    reading: CountedFindings,
    commit: str,
    now: datetime,
    max_age: timedelta | None,
    fail_on: FailOn,
    limits: ScanLimits | None = None,
) -> GateResult:
    """Passed: a tool ran to its end for this commit and found no more than the limits allow.

    Without a limit of its own a level at ``fail_on`` or worse allows nothing, a milder one anything. A limit
    of a rule only ever adds a reason to fail. What an exemption excuses is not counted, and is evidence.
    """
    limits = limits or ScanLimits()
    counted = count_findings(reading.found, limits.exemptions, now)
    doubts = _doubts_about_scan(reading, commit, now, max_age, fail_on, limits, counted)
    verdict, reason = next(doubts, (Verdict.PASSED, ""))
    if verdict is Verdict.PASSED:
        found = _levels(_left(reading, counted))
        most = (
            "no more than its limits allow" if limits.max_findings else f"nothing at level {fail_on} or worse"
        )
        reason = f"{', '.join(reading.tools)} found {most}" + (f" ({found})" if found else "")
        excused = sum(counted.excused.values())
        reason += f"; {number(excused, 'finding')} excused by exceptions" if excused else ""
    result = result_of(name, verdict, reason, reading)
    return result.model_copy(update={"evidence": (*result.evidence, *counted.used, *counted.expired)})


def judge_promotion(
    name: str,
    from_env: str,
    verified_commit_there: str | None,
    commit: str,
    *,
    needed: timedelta = timedelta(0),
    ran: timedelta | None = None,
    blocked: str = "",
) -> GateResult:
    """Passed: this very commit was verified on ``from_env``, ran there ``needed`` long, and is not blocked.

    ``ran`` is None where that cannot be told. No skew is granted: a verification in the future has not run.
    """
    there = (verified_commit_there or "").lower()
    if not FULL_HASH.fullmatch(commit.lower()):
        verdict, reason = Verdict.INCONCLUSIVE, f"'{commit}' is not a full commit hash"
    elif not there:
        verdict, reason = Verdict.INCONCLUSIVE, f"{commit[:12]} is not verified on {from_env}"
    elif there != commit.lower():
        verdict = Verdict.FAILED
        reason = f"{from_env} is verified with {there[:12]}, not with {commit[:12]}"
    elif blocked:
        verdict, reason = Verdict.FAILED, f"{commit[:12]} is blocked on {from_env}: {blocked}"
    elif ran is not None and ran < timedelta(0):
        verdict, reason = Verdict.INCONCLUSIVE, f"the verification on {from_env} is dated in the future"
    elif needed and (ran is None or ran < needed):
        shown = timedelta(seconds=int(ran.total_seconds())) if ran is not None else "an unknown time"
        verdict = Verdict.INCONCLUSIVE
        reason = f"{commit[:12]} ran {shown} on {from_env} since it was verified, {needed} are needed"
    else:
        since = (
            f", and ran there {timedelta(seconds=int(ran.total_seconds()))} since" if needed and ran else ""
        )
        verdict, reason = Verdict.PASSED, f"{commit[:12]} is verified on {from_env}{since}"
    return GateResult(
        name=name,
        verdict=verdict,
        reason=reason,
        commit=there or None,
        evidence=(f"ledger: verified release on {from_env}",) if there else (),
    )


def _doubts_about_tests(
    reading: CountedTests, commit: str, now: datetime, max_age: timedelta | None
) -> Iterator[Doubt]:
    yield from not_readable(reading)
    if min(reading.tests, reading.failures, reading.errors, reading.skipped) < 0:
        yield Verdict.ERRORED, "the report counts less than nothing"
    yield from not_for(reading, commit)
    yield from not_fresh(reading, now, max_age)
    if reading.failures or reading.errors:
        names = ", ".join(reading.failed_names[:3])
        yield (
            Verdict.FAILED,
            f"{number(reading.failures, 'failure')} and {number(reading.errors, 'error')}"
            f" in {number(reading.tests, 'test')}" + (f": {names}" if names else ""),
        )
    if reading.incomplete:
        yield Verdict.INCONCLUSIVE, reading.incomplete
    if reading.tests == 0:
        yield Verdict.INCONCLUSIVE, "the report holds no test"
    if reading.skipped >= reading.tests:
        yield Verdict.INCONCLUSIVE, f"every test was skipped ({reading.skipped} of {reading.tests})"


def _doubts_about_scan(
    reading: CountedFindings,
    commit: str,
    now: datetime,
    max_age: timedelta | None,
    fail_on: FailOn,
    limits: ScanLimits,
    counted: Counted,
) -> Iterator[Doubt]:
    yield from not_readable(reading)
    if any(count < 0 for count in reading.by_level.values()):
        yield Verdict.ERRORED, "the report counts less than nothing"
    if not reading.executed:
        yield (
            Verdict.ERRORED,
            f"{', '.join(reading.tools) or 'the tool'} says that its run did not succeed",
        )
    yield from not_for(reading, commit)
    yield from not_fresh(reading, now, max_age)
    over = "; ".join(counted.expired)
    first = "; ".join((counted.left if reading.found else reading.findings)[:3])
    said = "".join(f": {text}" for text in (first, over) if text)
    tolerated = {*LEVELS[LEVELS.index(fail_on) + 1 :], "none"}
    left = _left(reading, counted)
    # A level that SARIF does not know counts as the worst one.
    bad = {level: n for level, n in left.items() if level not in {*tolerated, *limits.max_findings} and n}
    if bad:
        yield Verdict.FAILED, f"{_levels(bad)} at level {fail_on} or worse{said}"
    for level, most in limits.max_findings.items():
        if left.get(level, 0) > most:
            yield Verdict.FAILED, f"{left[level]} {level}, at most {most} allowed{said}"
    for rule, most in limits.max_by_rule.items():
        if (found := counted.by_rule.get(rule, 0)) > most:
            yield Verdict.FAILED, f"{number(found, 'finding')} of {rule}, at most {most} allowed{said}"
    if reading.incomplete:
        yield Verdict.INCONCLUSIVE, reading.incomplete
    if not reading.tools:
        yield Verdict.INCONCLUSIVE, "the report holds no run of any tool"


def not_readable(reading: Measured) -> Iterator[Doubt]:
    """There is nothing to judge."""
    if reading.failure is not None:
        missing = reading.failure.code == "missing"
        yield Verdict.INCONCLUSIVE if missing else Verdict.ERRORED, reading.failure.message


def not_for(reading: Measured, commit: str) -> Iterator[Doubt]:
    """It is not about exactly this commit."""
    asked, named = commit.lower(), reading.commit.lower()
    if not FULL_HASH.fullmatch(asked):
        yield Verdict.INCONCLUSIVE, f"'{commit}' is not a full commit hash, so nothing can be bound to it"
    if not named:
        yield Verdict.INCONCLUSIVE, f"the report names no commit; {asked[:12]} was asked for"
    if len(named) < SHORTEST_HASH or not asked.startswith(named):
        yield Verdict.INCONCLUSIVE, f"the report is for commit {named}, asked for was {asked}"


def not_fresh(reading: Measured, now: datetime, max_age: timedelta | None) -> Iterator[Doubt]:
    """It is too old, or not from this world's past."""
    newest = reading.newest_at or reading.measured_at
    if newest is not None and _utc(newest) > _utc(now) + CLOCK_SKEW:
        yield Verdict.INCONCLUSIVE, f"the report is dated in the future: {_utc(newest):%Y-%m-%d %H:%M:%SZ}"
    if max_age is None:
        return
    if reading.measured_at is None:
        yield Verdict.INCONCLUSIVE, "the report does not say when it was measured, and it may not be old"
    elif _utc(now) - _utc(reading.measured_at) > max_age:
        age = timedelta(seconds=int((_utc(now) - _utc(reading.measured_at)).total_seconds()))
        yield Verdict.INCONCLUSIVE, f"stale: measured {age} ago, at most {max_age} is allowed"


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _left(reading: CountedFindings, counted: Counted) -> dict[str, int]:
    return {level: number - counted.excused.get(level, 0) for level, number in reading.by_level.items()}


def _levels(by_level: dict[str, int]) -> str:
    return ", ".join(f"{count} {level}" for level, count in sorted(by_level.items()) if count)


def result_of(name: str, verdict: Verdict, reason: str, reading: Measured) -> GateResult:
    """A verdict with the evidence of its reading."""
    return GateResult(
        name=name,
        verdict=verdict,
        reason=reason,
        commit=reading.commit or None,
        evidence=reading.evidence,
        evidence_sha256=reading.sha256,
        measured_at=reading.measured_at,
    )
