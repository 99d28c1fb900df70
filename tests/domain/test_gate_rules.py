"""The rules of a gate: what lets a commit through, and everything that does not (rule 5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midas_devops.domain.gate_rules import CLOCK_SKEW, judge_promotion, judge_scan, judge_tests
from midas_devops.domain.gates import GateResult, Verdict
from midas_devops.ports.results import ReadFailure, ScanReading, TestReading

COMMIT = "8b7df143d91c716ecfa5fc1730022f6b421b05ce"
OTHER = "1f7a7a472abf3dd9643fd615f6da379c4acb3e3a"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
GOOD = TestReading(commit=COMMIT, bound_by="path", tests=3, skipped=1, measured_at=NOW, sha256="e" * 64)
CLEAN = ScanReading(commit=COMMIT, bound_by="path", tools=("Bandit",), measured_at=NOW, sha256="e" * 64)
FailOn = Literal["error", "warning", "note"]


def judged(**changes: object) -> GateResult:
    return judge_tests("tests", GOOD.model_copy(update=changes), COMMIT, NOW, HOUR)


def judged_scan(fail_on: FailOn = "error", **changes: object) -> GateResult:
    return judge_scan("security", CLEAN.model_copy(update=changes), COMMIT, NOW, HOUR, fail_on)


def test_good_results_pass_and_carry_their_evidence() -> None:
    result = judged(evidence=("reports/junit.xml",))
    assert result.verdict is Verdict.PASSED
    assert result.reason == "2 tests passed, 1 skipped"
    assert (result.commit, result.evidence_sha256, result.measured_at) == (COMMIT, "e" * 64, NOW)
    assert result.evidence == ("reports/junit.xml",)


def test_a_clean_scan_passes_and_says_what_it_tolerates() -> None:
    result = judged_scan(by_level={"note": 2, "warning": 1})
    assert result.verdict is Verdict.PASSED
    assert result.reason == "Bandit found nothing at level error or worse (2 note, 1 warning)"


def failure(code: str) -> ReadFailure:
    return ReadFailure.model_validate({"code": code, "message": "said so"})


@pytest.mark.parametrize(
    ("changes", "verdict", "said"),
    [
        ({"failure": failure("missing")}, Verdict.INCONCLUSIVE, "said so"),
        ({"failure": failure("unreadable")}, Verdict.ERRORED, "said so"),
        ({"failure": failure("unavailable")}, Verdict.ERRORED, "said so"),
        (
            {"failures": 1, "failed_names": ("test_pay",)},
            Verdict.FAILED,
            "1 failure and 0 errors in 3 tests: test_pay",
        ),
        ({"errors": 2}, Verdict.FAILED, "2 errors"),
        ({"tests": -1}, Verdict.ERRORED, "less than nothing"),
        ({"tests": 0, "skipped": 0}, Verdict.INCONCLUSIVE, "no test"),
        ({"skipped": 3}, Verdict.INCONCLUSIVE, "every test was skipped"),
        ({"skipped": 4}, Verdict.INCONCLUSIVE, "every test was skipped"),
        ({"incomplete": "cut off"}, Verdict.INCONCLUSIVE, "cut off"),
        ({"commit": ""}, Verdict.INCONCLUSIVE, "names no commit"),
        ({"commit": COMMIT[:6]}, Verdict.INCONCLUSIVE, COMMIT[:6]),
        (
            {"commit": OTHER, "failures": 1},
            Verdict.INCONCLUSIVE,
            f"is for commit {OTHER}, asked for was {COMMIT}",
        ),
        (
            {"measured_at": NOW - HOUR - timedelta(seconds=1)},
            Verdict.INCONCLUSIVE,
            "stale: measured 1:00:01 ago",
        ),
        ({"measured_at": None}, Verdict.INCONCLUSIVE, "does not say when"),
        ({"measured_at": NOW + CLOCK_SKEW + timedelta(seconds=1)}, Verdict.INCONCLUSIVE, "in the future"),
        ({"newest_at": NOW + HOUR}, Verdict.INCONCLUSIVE, "in the future"),
    ],
)
def test_tests_in_any_doubt_do_not_pass(changes: dict[str, object], verdict: Verdict, said: str) -> None:
    result = judged(**changes)
    assert result.verdict is verdict
    assert said in result.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"commit": COMMIT[:7]},
        {"commit": COMMIT.upper()},
        {"measured_at": NOW + CLOCK_SKEW},
        {"measured_at": NOW - HOUR},
        {"measured_at": NOW.replace(tzinfo=None)},
    ],
)
def test_what_is_within_the_rule_passes(changes: dict[str, object]) -> None:
    assert judged(**changes).verdict is Verdict.PASSED


def test_without_a_maximum_age_an_old_result_passes() -> None:
    for measured_at in (None, NOW - 1000 * HOUR):
        reading = GOOD.model_copy(update={"measured_at": measured_at})
        assert judge_tests("tests", reading, COMMIT, NOW, None).verdict is Verdict.PASSED


@pytest.mark.parametrize("commit", ["", "v1.0.0", COMMIT[:12], COMMIT + "0"])
def test_nothing_passes_for_what_is_no_full_commit(commit: str) -> None:
    reading = GOOD.model_copy(update={"commit": commit})
    assert judge_tests("tests", reading, commit, NOW, None).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("changes", "verdict", "said"),
    [
        ({"executed": False}, Verdict.ERRORED, "Bandit says that its run did not succeed"),
        ({"executed": False, "by_level": {"error": 1}}, Verdict.ERRORED, "did not succeed"),
        ({"by_level": {"error": 2}, "findings": ("B602 app.py:2 shell",)}, Verdict.FAILED, "B602 app.py:2"),
        ({"by_level": {"fatal": 1}}, Verdict.FAILED, "1 fatal"),
        ({"by_level": {"note": -1}}, Verdict.ERRORED, "less than nothing"),
        ({"tools": ()}, Verdict.INCONCLUSIVE, "no run"),
        ({"incomplete": "c.py was not scanned"}, Verdict.INCONCLUSIVE, "c.py"),
        ({"commit": OTHER}, Verdict.INCONCLUSIVE, OTHER),
        ({"failure": failure("missing")}, Verdict.INCONCLUSIVE, "said so"),
    ],
)
def test_a_scan_in_any_doubt_does_not_pass(changes: dict[str, object], verdict: Verdict, said: str) -> None:
    result = judged_scan(**changes)
    assert result.verdict is verdict
    assert said in result.reason


@pytest.mark.parametrize("level", ["error", "warning", "note", "none"])
@pytest.mark.parametrize("fail_on", ["error", "warning", "note"])
def test_a_finding_fails_at_its_level_and_below(level: str, fail_on: FailOn) -> None:
    order = ["note", "warning", "error"]
    fails = level in order and order.index(level) >= order.index(fail_on)
    assert (judged_scan(fail_on, by_level={level: 1}).verdict is Verdict.FAILED) is fails


@pytest.mark.parametrize(
    ("there", "verdict"),
    [
        (COMMIT, Verdict.PASSED),
        (OTHER, Verdict.FAILED),
        (COMMIT[:12], Verdict.FAILED),
        ("", Verdict.INCONCLUSIVE),
        (None, Verdict.INCONCLUSIVE),
    ],
)
def test_a_promotion_needs_this_very_commit_verified_there(there: str | None, verdict: Verdict) -> None:
    result = judge_promotion("promotion", "staging", there, COMMIT)
    assert result.verdict is verdict
    assert "staging" in result.reason


counts = st.integers(-1, 3)
times = st.none() | st.datetimes(
    (NOW - 2 * HOUR).replace(tzinfo=None), (NOW + HOUR).replace(tzinfo=None), timezones=st.just(UTC)
)
commits = st.sampled_from([COMMIT, COMMIT[:12], COMMIT[:3], OTHER, ""])
failures = st.none() | st.builds(
    ReadFailure, code=st.sampled_from(["missing", "unreadable", "unavailable"]), message=st.just("no")
)
incomplete = st.sampled_from(["", "", "cut off"])
ages = st.none() | st.timedeltas(timedelta(0), 2 * HOUR)

any_tests = st.builds(
    TestReading,
    failure=failures,
    commit=commits,
    tests=counts,
    failures=counts,
    errors=counts,
    skipped=counts,
    incomplete=incomplete,
    measured_at=times,
    newest_at=times,
)
any_scan = st.builds(
    ScanReading,
    failure=failures,
    commit=commits,
    executed=st.booleans(),
    tools=st.sampled_from([(), ("Bandit",)]),
    by_level=st.dictionaries(st.sampled_from(["error", "warning", "note", "none", "fatal"]), counts),
    incomplete=incomplete,
    measured_at=times,
    newest_at=times,
)


def fresh_bound_and_whole(reading: TestReading | ScanReading, commit: str, age: timedelta | None) -> bool:
    newest = reading.newest_at or reading.measured_at
    return (
        reading.failure is None
        and len(reading.commit) >= 7
        and len(commit) == 40
        and commit.startswith(reading.commit)
        and not reading.incomplete
        and (newest is None or newest <= NOW + CLOCK_SKEW)
        and (age is None or (reading.measured_at is not None and NOW - reading.measured_at <= age))
    )


@given(any_tests, commits, ages)
def test_only_fresh_bound_whole_and_failure_free_tests_ever_pass(
    reading: TestReading, commit: str, age: timedelta | None
) -> None:
    passed = judge_tests("tests", reading, commit, NOW, age).verdict is Verdict.PASSED
    sound = fresh_bound_and_whole(reading, commit, age)
    free = (reading.failures, reading.errors) == (0, 0) and reading.tests > reading.skipped >= 0
    assert passed == (sound and free)


@given(any_scan, commits, ages, st.sampled_from(["error", "warning", "note"]))
def test_only_fresh_bound_whole_and_clean_scans_ever_pass(
    reading: ScanReading, commit: str, age: timedelta | None, fail_on: FailOn
) -> None:
    passed = judge_scan("security", reading, commit, NOW, age, fail_on).verdict is Verdict.PASSED
    tolerated = {"error": {"warning", "note", "none"}, "warning": {"note", "none"}, "note": {"none"}}[fail_on]
    clean = all(count == 0 or (count > 0 and level in tolerated) for level, count in reading.by_level.items())
    sound = fresh_bound_and_whole(reading, commit, age) and reading.executed and bool(reading.tools)
    assert passed == (sound and clean)
