"""What the record of deployments says: verified, for how long, and what was before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from midas_devops.domain.gate_rules import judge_promotion
from midas_devops.domain.gates import Verdict
from midas_devops.domain.releases import judge_return, soaked, verified_before, verified_there
from midas_devops.ports.ledger import Deployment

T0 = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
V1, V2, V3 = "1" * 40, "2" * 40, "3" * 40


def deployment(number: int, commit: str, verified: bool | None = True, kind: str = "deploy") -> Deployment:
    begun = T0 + number * HOUR
    return Deployment.model_validate(
        {
            "deployment_id": number,
            "run_id": f"run-{number}",
            "environment": "web",
            "version": f"v{commit[0]}",
            "commit": commit,
            "kind": kind,
            "started_at": begun,
            "ended_at": begun,
            "status": "failed" if verified is False else "succeeded",
            "verified": verified,
            "verified_at": begun + timedelta(minutes=1) if verified is not None else None,
        }
    )


def newest_first(*deployments: Deployment) -> list[Deployment]:
    return sorted(deployments, key=lambda each: -each.deployment_id)


def version(found: Deployment | None) -> str:
    return found.version if found else ""


def test_the_version_before_is_the_one_that_was_deployed_before_and_verified() -> None:
    there = newest_first(deployment(1, V1), deployment(2, V2), deployment(3, V3))
    assert version(verified_before(there, (), V3)) == "v2"
    assert version(verified_before(there, (), V2)) == "v1"
    assert version(verified_before(there, (), V1)) == ""
    assert version(verified_before(there, (), "f" * 40)) == "v3"
    assert version(verified_before([], (), V1)) == ""


def test_two_rollbacks_go_further_back_and_never_forth() -> None:
    there = newest_first(
        deployment(1, V1), deployment(2, V2), deployment(3, V3), deployment(4, V2, kind="rollback")
    )
    assert version(verified_before(there, (), V2)) == "v1"


def test_a_version_that_is_blocked_was_never_verified_or_failed_since_is_no_way_back() -> None:
    there = newest_first(deployment(1, V1), deployment(2, V2), deployment(3, V3))
    assert version(verified_before(there, {V2}, V3)) == "v1"
    unknown = newest_first(deployment(1, V1), deployment(2, V2, None), deployment(3, V3))
    assert version(verified_before(unknown, (), V3)) == "v1"
    revoked = newest_first(
        deployment(1, V1), deployment(2, V2), deployment(3, V3), deployment(4, V2, False, "rollback")
    )
    assert version(verified_before(revoked, (), V3)) == "v1"


def test_a_failed_attempt_later_takes_no_verdict_back_but_a_failed_verification_does() -> None:
    tried_again = newest_first(deployment(1, V1), deployment(2, V1, None))
    assert verified_there(tried_again, V1, newest_only=False) is not None
    assert verified_there(tried_again, V1) is None
    assert (
        verified_there(newest_first(deployment(1, V1), deployment(2, V1, False)), V1, newest_only=False)
        is None
    )


def test_a_later_verdict_on_an_earlier_deployment_revokes_too() -> None:
    bad = deployment(1, V1, False).model_copy(update={"verified_at": T0 + 9 * HOUR})
    assert verified_there(newest_first(bad, deployment(2, V1)), V1, newest_only=False) is None


def test_time_counts_from_the_verification_until_something_else_runs() -> None:
    one, two = deployment(1, V1), deployment(2, V2)
    now = T0 + 5 * HOUR
    assert soaked([one], one, now) == 4 * HOUR - timedelta(minutes=1)
    assert soaked([two, one], one, now) == HOUR - timedelta(minutes=1)
    failed = deployment(2, V2, False)
    assert soaked([failed, one], one, now) == 4 * HOUR - timedelta(minutes=1)


def test_a_verification_that_is_dated_before_its_deployment_counts_from_the_deployment() -> None:
    odd = deployment(3, V1).model_copy(update={"verified_at": T0 - 24 * HOUR})
    assert soaked([odd], odd, T0 + 4 * HOUR) == HOUR


@pytest.mark.parametrize(
    ("ran", "verdict"),
    [
        (timedelta(minutes=30), Verdict.PASSED),
        (timedelta(minutes=29, seconds=59), Verdict.INCONCLUSIVE),
        (timedelta(minutes=-1), Verdict.INCONCLUSIVE),
        (None, Verdict.INCONCLUSIVE),
    ],
)
def test_a_promotion_may_have_to_wait(ran: timedelta | None, verdict: Verdict) -> None:
    result = judge_promotion("p", "staging", V1, V1, needed=timedelta(minutes=30), ran=ran)
    assert result.verdict is verdict
    assert "staging" in result.reason


def test_what_is_blocked_there_is_not_promoted() -> None:
    result = judge_promotion("p", "staging", V1, V1, blocked="orders are lost")
    assert result.verdict is Verdict.FAILED
    assert "orders are lost" in result.reason


def test_a_return_is_judged_by_the_proof_it_rests_on() -> None:
    good = judge_return("web", deployment(1, V1), V1)
    assert (good.verdict, good.commit, good.evidence) == (
        Verdict.PASSED,
        V1,
        ("ledger: deployment 1 on web",),
    )
    assert judge_return("web", None, V1).verdict is Verdict.FAILED
    hashes = {
        judge_return("web", each, V1).evidence_sha256 for each in (None, deployment(1, V1), deployment(2, V1))
    }
    assert len(hashes) == 3
