"""Thresholds of a scan, and exceptions that somebody answers for until a day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midas_devops.domain.gate_rules import judge_scan
from midas_devops.domain.gates import GateResult, Verdict
from midas_devops.domain.scan_limits import Exemption, ScanLimits, count_findings
from midas_devops.ports.results import Found, ScanReading

COMMIT = "8b7df143d91c716ecfa5fc1730022f6b421b05ce"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ASSERTS = Exemption(rule="B101", file="tests/**", reason="tests assert", until=date(2026, 3, 2), by="ana")


def found(rule: str, file: str, level: str = "error", count: int = 1) -> Found:
    return Found(rule=rule, file=file, level=level, count=count, example=f"{rule} {file}:1 said so")


def judged(*findings: Found, now: datetime = NOW, fail_on: Any = "error", **limits: Any) -> GateResult:
    levels: dict[str, int] = {}
    for finding in findings:
        levels[finding.level] = levels.get(finding.level, 0) + finding.count
    reading = ScanReading(commit=COMMIT, tools=("Bandit",), by_level=levels, found=findings, measured_at=now)
    return judge_scan("security", reading, COMMIT, now, None, fail_on, ScanLimits(**limits))


def test_a_level_may_have_a_limit_of_its_own() -> None:
    limits = {"max_findings": {"error": 0, "warning": 2}}
    two, three = found("W1", "a.py", "warning", 2), found("W1", "a.py", "warning", 3)
    assert judged(two, **limits).verdict is Verdict.PASSED
    result = judged(three, **limits)
    assert (result.verdict, result.reason[:29]) == (Verdict.FAILED, "3 warning, at most 2 allowed:")


def test_a_limit_of_a_rule_adds_a_reason_to_fail_and_takes_none_away() -> None:
    note = found("HARDCODED", "a.py", "note")
    assert judged(note).verdict is Verdict.PASSED
    assert judged(note, max_by_rule={"HARDCODED": 0}).verdict is Verdict.FAILED
    assert judged(found("B602", "a.py"), max_by_rule={"B602": 5}).verdict is Verdict.FAILED


def test_an_exception_excuses_its_rule_in_its_files_and_is_evidence() -> None:
    result = judged(found("B101", "tests/unit/test_a.py", count=3), exemptions=(ASSERTS,))
    assert result.verdict is Verdict.PASSED
    assert "3 findings excused" in result.reason
    assert result.evidence == (
        "exception: B101 in tests/**, by ana until 2026-03-02: tests assert (3 excused)",
    )


@pytest.mark.parametrize(
    "finding",
    [
        found("B102", "tests/a.py"),
        found("B101", "src/a.py"),
        found("B101", "tests/../src/a.py"),
        found("B101", "/tests/a.py"),
        found("B101", "file:///builds/tests/a.py"),
        found("B101", ""),
        found("", "tests/a.py"),
        found("B1010", "tests/a.py"),
        found("B101", "tests/%2e%2e/src/a.py"),
    ],
    ids=lambda finding: f"{finding.rule} {finding.file}",
)
def test_an_exception_excuses_nothing_else(finding: Found) -> None:
    assert judged(finding, exemptions=(ASSERTS,)).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("glob", "path", "fits"),
    [
        ("app/*.py", "app/a.py", True),
        ("app/*.py", "app/inner/a.py", False),
        ("**/*.py", "a.py", True),
        ("**/*.py", "x/y/a.py", True),
        ("app/**", "app/x/y", True),
        ("app/?.py", "app/ab.py", False),
        ("./app/a.py", "./app/a.py", True),
        ("a.py", "axpy", False),
    ],
)
def test_a_glob_is_read_as_paths_are(glob: str, path: str, fits: bool) -> None:
    exemption = ASSERTS.model_copy(update={"file": glob})
    counted = count_findings([found("B101", path)], [exemption], NOW)
    assert bool(counted.used) is fits


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        (datetime(2026, 3, 2, 23, 59, 59, 999999, tzinfo=UTC), Verdict.PASSED),
        (datetime(2026, 3, 3, tzinfo=UTC), Verdict.FAILED),
        # 20:00 on the last day in New York is the next day in UTC, and 08:00 on the next in Tokyo is not.
        (datetime(2026, 3, 2, 20, tzinfo=timezone(-timedelta(hours=5))), Verdict.FAILED),
        (datetime(2026, 3, 3, 8, tzinfo=timezone(timedelta(hours=9))), Verdict.PASSED),
    ],
)
def test_an_exception_ends_at_midnight_utc_and_says_so(now: datetime, verdict: Verdict) -> None:
    result = judged(found("B101", "tests/a.py"), now=now, exemptions=(ASSERTS,))
    assert result.verdict is verdict
    assert ("expired exception: B101" in result.reason) is (verdict is Verdict.FAILED)
    assert any("expired" in line for line in result.evidence) is (verdict is Verdict.FAILED)


def test_an_expired_exception_beside_one_that_holds_costs_nothing() -> None:
    renewed = ASSERTS.model_copy(update={"until": date(2027, 1, 1)})
    over = ASSERTS.model_copy(update={"until": date(2026, 1, 1)})
    result = judged(found("B101", "tests/a.py"), exemptions=(over, renewed))
    assert result.verdict is Verdict.PASSED


findings = st.lists(
    st.builds(
        found,
        st.sampled_from(["B101", "B602", ""]),
        st.sampled_from(["tests/a.py", "app.py", ""]),
        st.sampled_from(["error", "warning", "note", "none", "fatal"]),
        st.integers(1, 3),
    ),
    unique_by=lambda each: (each.rule, each.file, each.level),
    max_size=6,
)
exemptions = st.lists(
    st.builds(
        Exemption,
        rule=st.sampled_from(["B101", "B602"]),
        file=st.sampled_from(["", "tests/**"]),
        reason=st.just("r"),
        until=st.sampled_from([date(2026, 3, 1), date(2026, 3, 2)]),
        by=st.just("ana"),
    ),
    max_size=3,
)


@given(findings, exemptions)
def test_a_scan_passes_exactly_when_every_error_is_excused_by_a_holding_exception(
    listed: list[Found], excuses: list[Exemption]
) -> None:
    holding = [each for each in excuses if each.until >= NOW.date()]

    def excused(finding: Found) -> bool:
        return any(
            each.rule == finding.rule and (not each.file or finding.file.startswith("tests/"))
            for each in holding
        )

    bad = [each for each in listed if each.level in ("error", "fatal") and not excused(each)]
    result = judged(*listed, exemptions=tuple(excuses))
    assert (result.verdict is Verdict.PASSED) is (not bad)
