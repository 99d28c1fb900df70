"""What follows a failure (rule 11)."""

from __future__ import annotations

import pytest

from midas_devops.domain.evidence import Category, Diagnosis
from midas_devops.domain.outcome import Outcome, RecoveryKind
from midas_devops.domain.recovery import Situation, decide_recovery
from midas_devops.domain.runs import Operation


def situation(operation: Operation, *, retryable: bool = False, code: str = "", **facts: object) -> Situation:
    stage = "deploy" if operation is Operation.DEPLOY_RELEASE else "apply"
    base = {
        "operation": operation,
        "production": False,
        "outcome": Outcome(ok=False, stage=stage, summary="failed", code=code, changed_anything=True),
        "diagnosis": Diagnosis(
            category=Category.UNKNOWN,
            summary="?",
            confidence=0.5,
            retryable=retryable,
            verdict="inconclusive",
        ),
    }
    return Situation.model_validate({**base, **facts})


RELEASE, INFRA = Operation.DEPLOY_RELEASE, Operation.MANAGE_INFRASTRUCTURE


def test_a_failed_release_returns_to_the_last_verified_version() -> None:
    recovery = decide_recovery(situation(RELEASE, verified_commit="c" * 40, verified_version="v1"))
    assert (recovery.kind, recovery.to_version) == (RecoveryKind.ROLLBACK, "v1")


def test_without_a_verified_version_nothing_is_invented() -> None:
    recovery = decide_recovery(situation(RELEASE))
    assert recovery.kind is RecoveryKind.ESCALATE
    assert "nothing" in recovery.reason


def test_a_rollback_happens_once_and_then_a_person_is_asked() -> None:
    recovery = decide_recovery(situation(RELEASE, verified_commit="c" * 40, rollbacks_done=1))
    assert (recovery.kind, recovery.ask) == (RecoveryKind.ESCALATE, True)


def test_rollback_on_failure_off_asks_a_person() -> None:
    recovery = decide_recovery(situation(RELEASE, verified_commit="c" * 40, rollback_on_failure=False))
    assert (recovery.kind, recovery.ask) == (RecoveryKind.ESCALATE, True)


@pytest.mark.parametrize(("done", "kind"), [(0, RecoveryKind.RETRY), (2, RecoveryKind.ESCALATE)])
def test_transient_failures_are_retried_within_the_budget(done: int, kind: RecoveryKind) -> None:
    assert decide_recovery(situation(INFRA, retryable=True, retries_done=done, max_retries=2)).kind is kind


def test_a_failed_apply_reverts_outside_production_without_asking() -> None:
    recovery = decide_recovery(situation(INFRA, good_config_commit="a" * 40))
    assert (recovery.kind, recovery.ask) == (RecoveryKind.REVERT, False)


def test_a_failed_apply_in_production_asks_before_it_reverts() -> None:
    recovery = decide_recovery(situation(INFRA, good_config_commit="a" * 40, production=True))
    assert (recovery.kind, recovery.ask) == (RecoveryKind.REVERT, True)


def test_a_half_changed_production_without_a_way_back_asks_a_person() -> None:
    assert decide_recovery(situation(INFRA, production=True)).ask is True


def test_a_failed_revert_asks_a_person_even_when_it_never_began() -> None:
    unchanged = Outcome(ok=False, stage="plan", summary="cannot plan")
    recovery = decide_recovery(situation(INFRA, reverts_done=1, outcome=unchanged))
    assert (recovery.kind, recovery.ask) == (RecoveryKind.ESCALATE, True)


def test_a_cancelled_apply_is_neither_retried_nor_reverted() -> None:
    recovery = decide_recovery(
        situation(INFRA, code="cancelled", retryable=True, max_retries=2, good_config_commit="a" * 40)
    )
    assert (recovery.kind, recovery.ask) == (RecoveryKind.ESCALATE, False)


@pytest.mark.parametrize("rollbacks", [0, 1])
def test_a_release_in_doubt_is_a_persons_to_keep_or_to_roll_back(rollbacks: int) -> None:
    recovery = decide_recovery(
        situation(
            RELEASE,
            in_doubt="errored: cannot tell what runs",
            verified_commit="c" * 40,
            verified_version="v1",
            rollbacks_done=rollbacks,
        )
    )
    assert (recovery.kind, recovery.ask) == (RecoveryKind.ESCALATE, True)
    assert recovery.to_version == ("" if rollbacks else "v1")
    assert "cannot tell what runs" in recovery.reason


@pytest.mark.parametrize("production", [True, False])
def test_what_may_exist_unrecorded_is_a_persons_before_any_retry_or_revert(production: bool) -> None:
    outcome = Outcome(
        ok=False, stage="apply", summary="killed", changed_anything=True, orphans=("aws_vpc.main",)
    )
    facts = {"outcome": outcome, "production": production, "good_config_commit": "a" * 40, "max_retries": 2}
    recovery = decide_recovery(situation(INFRA, retryable=True, **facts))
    assert (recovery.kind, recovery.ask) == (RecoveryKind.ESCALATE, True)


def test_an_apply_that_could_not_be_verified_is_a_persons() -> None:
    recovery = decide_recovery(situation(INFRA, in_doubt="errored: no state", good_config_commit="a" * 40))
    assert (recovery.kind, recovery.ask) == (RecoveryKind.ESCALATE, True)
