"""What the checks of a commit mean together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midas_devops.domain.check_rules import judge_checks
from midas_devops.domain.gates import GateResult, Verdict
from midas_devops.ports.results import Check, CheckReading, ReadFailure

COMMIT = "8b7df143d91c716ecfa5fc1730022f6b421b05ce"
OTHER = "1f7a7a472abf3dd9643fd615f6da379c4acb3e3a"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
STATES = ["passed", "failed", "inconclusive", "errored", "skipped"]


def check(state: str, name: str = "build") -> Check:
    return Check.model_validate({"name": name, "state": state, "detail": f"is {state}"})


def judged(*checks: Check, required: tuple[str, ...] = (), **changes: Any) -> GateResult:
    reading = CheckReading(commit=COMMIT, checks=checks, measured_at=NOW, sha256="e" * 64)
    return judge_checks("ci", reading.model_copy(update=changes), COMMIT, NOW, timedelta(hours=1), required)


@pytest.mark.parametrize(
    ("states", "verdict"),
    [
        (["passed"], Verdict.PASSED),
        (["passed", "skipped"], Verdict.PASSED),
        (["skipped"], Verdict.INCONCLUSIVE),
        ([], Verdict.INCONCLUSIVE),
        (["passed", "inconclusive"], Verdict.INCONCLUSIVE),
        (["inconclusive", "errored"], Verdict.ERRORED),
        (["inconclusive", "errored", "failed"], Verdict.FAILED),
    ],
)
def test_the_worst_check_decides(states: list[str], verdict: Verdict) -> None:
    assert judged(*(check(state, state) for state in states)).verdict is verdict


def test_a_required_check_that_is_not_there_is_named() -> None:
    result = judged(check("passed", "build"), required=("build", "e2e"))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "e2e" in result.reason


def test_what_is_not_required_does_not_count() -> None:
    checks = (check("passed", "build"), check("failed", "optional"))
    assert judged(*checks, required=("build",)).verdict is Verdict.PASSED
    assert judged(*checks).verdict is Verdict.FAILED


def test_a_name_that_is_there_twice_has_to_pass_twice() -> None:
    assert judged(check("passed"), check("failed"), required=("build",)).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"commit": OTHER}, Verdict.INCONCLUSIVE),
        ({"commit": ""}, Verdict.INCONCLUSIVE),
        ({"incomplete": "100 of 140 were listed"}, Verdict.INCONCLUSIVE),
        ({"measured_at": NOW - timedelta(hours=2)}, Verdict.INCONCLUSIVE),
        ({"measured_at": NOW + timedelta(hours=2)}, Verdict.INCONCLUSIVE),
        ({"failure": ReadFailure(code="unavailable", message="502")}, Verdict.ERRORED),
        ({"failure": ReadFailure(code="missing", message="no such commit")}, Verdict.INCONCLUSIVE),
    ],
)
def test_checks_in_any_doubt_do_not_pass(changes: dict[str, Any], verdict: Verdict) -> None:
    assert judged(check("passed"), **changes).verdict is verdict


@given(
    st.lists(st.builds(check, st.sampled_from(STATES), st.sampled_from("abc")), max_size=5),
    st.sets(st.sampled_from("abcd"), max_size=3),
)
def test_only_what_is_whole_and_free_of_doubt_passes(checks: list[Check], required: set[str]) -> None:
    counted = [each for each in checks if not required or each.name in required]
    sound = (
        all(each.state in ("passed", "skipped") for each in counted)
        and any(each.state == "passed" for each in counted)
        and required <= {each.name for each in counted}
    )
    result = judged(*checks, required=tuple(sorted(required)))
    assert (result.verdict is Verdict.PASSED) is sound
