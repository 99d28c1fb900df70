"""What every ledger must do. Subclass ``LedgerConformance``, with a fixture ``open_ledger`` of your own.

``open_ledger()`` opens the same, at first empty, ledger each time; ``open_ledger(clock)`` with that clock.
"""

from __future__ import annotations

from datetime import datetime

import pytest

from midas_devops.errors import ApprovalRefusedError, LeaseTakenError, StorageError
from midas_devops.ports.ledger import Ledger
from midas_devops.safety.processes import this_process
from midas_devops.testing.ledger_outbox import OutboxConformance
from midas_devops.testing.ledger_records import AuditConformance, EffectsConformance, RunsConformance
from midas_devops.testing.ledger_values import (
    DIGEST,
    ELSEWHERE,
    LAPSE,
    NOW,
    OpenLedger,
    after,
    applied,
    approval,
    block,
    deployment,
)


class ApprovalsConformance:
    """Approvals are bound to a digest, expire, and count once (rule 3)."""

    def test_a_recorded_approval_is_there_for_its_digest_only(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.record_approval(approval())
        assert ledger.approvals("run-1", DIGEST) == [approval()]
        assert ledger.approvals("run-1", "e" * 64) == []
        assert ledger.approvals("run-2", DIGEST) == []

    def test_a_consumed_approval_is_gone_for_ever(self, open_ledger: OpenLedger) -> None:
        open_ledger().record_approval(approval())
        assert open_ledger().consume_approvals("run-1", DIGEST, 1, NOW) == [approval()]
        assert open_ledger().approvals("run-1", DIGEST) == []
        with pytest.raises(ApprovalRefusedError, match="used already"):
            open_ledger().consume_approvals("run-1", DIGEST, 1, NOW)

    def test_a_used_digest_cannot_be_approved_again(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.record_approval(approval())
        ledger.consume_approvals("run-1", DIGEST, 1, NOW)
        for by in ("ben", "eve"):
            with pytest.raises(ApprovalRefusedError, match="used already"):
                ledger.record_approval(approval(by))

    def test_an_expired_approval_does_not_count(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.record_approval(approval())
        with pytest.raises(ApprovalRefusedError, match="1 expired"):
            ledger.consume_approvals("run-1", DIGEST, 1, after(3600))

    def test_an_expired_approval_can_be_given_anew(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.record_approval(approval())
        anew = approval(given_at=after(3700), expires_at=after(7200))
        ledger.record_approval(anew)
        assert ledger.consume_approvals("run-1", DIGEST, 1, after(3800)) == [anew]

    @pytest.mark.parametrize("again", ["ben", "Ben ", "BEN"])
    def test_two_approvals_need_two_people(self, open_ledger: OpenLedger, again: str) -> None:
        ledger = open_ledger()
        ledger.record_approval(approval("ben"))
        ledger.record_approval(approval(again))
        with pytest.raises(ApprovalRefusedError, match="1 of 2 people"):
            ledger.consume_approvals("run-1", DIGEST, 2, NOW)
        ledger.record_approval(approval("eve"))
        taken = ledger.consume_approvals("run-1", DIGEST, 2, NOW)
        assert {given.by for given in taken} == {"ben", "eve"}

    def test_too_few_approvals_leave_what_is_there_untouched(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.record_approval(approval("ben"))
        with pytest.raises(ApprovalRefusedError):
            ledger.consume_approvals("run-1", DIGEST, 2, NOW)
        assert ledger.approvals("run-1", DIGEST) == [approval("ben")]

    def test_another_digest_is_refused(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.record_approval(approval())
        with pytest.raises(ApprovalRefusedError, match="0 of 1 people"):
            ledger.consume_approvals("run-1", "e" * 64, 1, NOW)

    def test_where_none_is_needed_none_is_taken(self, open_ledger: OpenLedger) -> None:
        assert open_ledger().consume_approvals("run-1", DIGEST, 0, NOW) == []


class LeasesConformance:
    """One environment, one change (rule 13)."""

    def test_a_held_lease_is_refused_with_holder_and_age(self, open_ledger: OpenLedger) -> None:
        open_ledger().acquire("env:staging", "run-1", ELSEWHERE, NOW, LAPSE)
        with pytest.raises(LeaseTakenError, match=r"deploy v2 by ben.*4711.*for 20 s.*20 s ago"):
            open_ledger().acquire("env:staging", "run-2", this_process(), after(20), LAPSE)

    def test_leases_of_other_resources_are_free(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.acquire("env:staging", "run-1", ELSEWHERE, NOW, LAPSE)
        assert ledger.acquire("env:production", "run-2", this_process(), NOW, LAPSE).token == 1

    def test_the_same_run_and_process_enter_again_with_the_same_token(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        first = ledger.acquire("env:staging", "run-1", this_process("one"), NOW, LAPSE)
        again = ledger.acquire("env:staging", "run-1", this_process("two"), after(5), LAPSE)
        assert again.token == first.token
        assert (again.acquired_at, again.beat_at) == (NOW, after(5))

    def test_another_run_of_the_same_process_is_refused(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.acquire("env:staging", "run-1", this_process(), NOW, LAPSE)
        with pytest.raises(LeaseTakenError):
            ledger.acquire("env:staging", "run-2", this_process(), NOW, LAPSE)

    def test_the_same_run_in_another_process_is_refused(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.acquire("run:run-1", "run-1", ELSEWHERE, NOW, LAPSE)
        with pytest.raises(LeaseTakenError):
            ledger.acquire("run:run-1", "run-1", this_process(), NOW, LAPSE)

    def test_a_lease_lapses_when_it_is_not_beaten_for_longer_than_allowed(
        self, open_ledger: OpenLedger
    ) -> None:
        ledger = open_ledger()
        ledger.acquire("env:staging", "run-1", ELSEWHERE, NOW, LAPSE)
        with pytest.raises(LeaseTakenError):
            ledger.acquire("env:staging", "run-2", this_process(), after(30), LAPSE)
        assert ledger.acquire("env:staging", "run-2", this_process(), after(30.001), LAPSE).token == 2

    def test_a_beat_keeps_it(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        lease = ledger.acquire("env:staging", "run-1", ELSEWHERE, NOW, LAPSE)
        assert ledger.beat(lease, after(25))
        with pytest.raises(LeaseTakenError):
            ledger.acquire("env:staging", "run-2", this_process(), after(50), LAPSE)

    def test_a_clock_set_back_does_not_free_a_live_lease(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        lease = ledger.acquire("env:staging", "run-1", ELSEWHERE, NOW, LAPSE)
        with pytest.raises(LeaseTakenError, match="for 0 s"):
            ledger.acquire("env:staging", "run-2", this_process(), after(-7200), LAPSE)
        assert ledger.beat(lease, after(-7200))
        with pytest.raises(LeaseTakenError):
            ledger.acquire("env:staging", "run-2", this_process(), after(10), LAPSE)

    def test_a_taken_over_lease_is_lost_to_its_first_holder(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        old = ledger.acquire("env:staging", "run-1", ELSEWHERE, NOW, LAPSE)
        new = ledger.acquire("env:staging", "run-2", this_process(), after(60), LAPSE)
        assert new.token > old.token
        assert not ledger.beat(old, after(61))
        ledger.release(old)
        assert ledger.beat(new, after(62))

    def test_tokens_grow_over_releases(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        tokens = []
        for number in range(4):
            lease = ledger.acquire("env:staging", f"run-{number}", this_process(), NOW, LAPSE)
            tokens.append(lease.token)
            ledger.release(lease)
        assert tokens == [1, 2, 3, 4]

    def test_a_released_lease_is_no_longer_ours(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        lease = ledger.acquire("env:staging", "run-1", this_process(), NOW, LAPSE)
        ledger.release(lease)
        ledger.release(lease)
        assert not ledger.beat(lease, NOW)

    def test_the_live_lease_can_be_seen_by_anybody(self, open_ledger: OpenLedger) -> None:
        lease = open_ledger().acquire("env:staging", "run-1", ELSEWHERE, NOW, LAPSE)
        assert open_ledger(lambda: after(30)).lease("env:staging") == lease
        assert open_ledger(lambda: after(31)).lease("env:staging") is None
        open_ledger().release(lease)
        assert open_ledger(lambda: NOW).lease("env:staging") is None
        assert open_ledger().lease("env:nowhere") is None


class ReleasesConformance:
    """What runs where, what may come back, what may not (rule 11)."""

    def deploy(self, ledger: Ledger, commit: str, verified: bool | None, at: datetime = NOW) -> int:
        number = ledger.record_deployment(deployment(commit))
        ledger.finish_deployment(number, status="succeeded")
        if verified is not None:
            ledger.set_verified(number, verified, at)
        return number

    def test_a_deployment_is_recorded_finished_and_verified(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger(lambda: after(9))
        number = ledger.record_deployment(deployment("aaa"))
        assert ledger.deployments("staging") == [deployment("aaa", deployment_id=number)]
        ledger.finish_deployment(number, status="succeeded", url="http://x", detail="pid 7")
        ledger.set_verified(number, True, after(10))
        expected = deployment(
            "aaa",
            deployment_id=number,
            status="succeeded",
            ended_at=after(9),
            url="http://x",
            detail="pid 7",
            verified=True,
            verified_at=after(10),
        )
        assert open_ledger().deployments("staging") == [expected]

    def test_finishing_an_unknown_deployment_is_an_error(self, open_ledger: OpenLedger) -> None:
        with pytest.raises(StorageError, match="no deployment 99"):
            open_ledger().finish_deployment(99, status="failed")

    def test_deployments_come_newest_first_of_one_environment_or_all(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.record_deployment(deployment("aaa"))
        ledger.record_deployment(deployment("bbb", environment="production"))
        ledger.record_deployment(deployment("ccc"))
        assert [made.commit for made in ledger.deployments("staging")] == ["ccc", "aaa"]
        assert [made.commit for made in ledger.deployments()] == ["ccc", "bbb", "aaa"]
        assert [made.commit for made in ledger.deployments(limit=1)] == ["ccc"]

    def last(self, ledger: Ledger, **options: str) -> str:
        found = ledger.last_verified("staging", **options)
        return found.commit if found else ""

    def test_the_last_verified_is_the_newest_that_passed(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        assert self.last(ledger) == ""
        self.deploy(ledger, "aaa", True)
        self.deploy(ledger, "bbb", True)
        self.deploy(ledger, "ccc", False)
        self.deploy(ledger, "ddd", None)
        assert self.last(ledger) == "bbb"
        assert self.last(ledger, other_than="bbb") == "aaa"

    def test_another_environment_s_verification_does_not_count(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        number = ledger.record_deployment(deployment("aaa", environment="production"))
        ledger.set_verified(number, True, NOW)
        assert self.last(ledger) == ""

    def test_a_later_failed_verification_revokes_an_earlier_one(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        self.deploy(ledger, "aaa", True)
        number = self.deploy(ledger, "bbb", True)
        ledger.set_verified(number, False, after(5))
        assert self.last(ledger) == "aaa"

    def test_it_revokes_every_earlier_deployment_of_that_commit(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        self.deploy(ledger, "aaa", True)
        self.deploy(ledger, "bbb", True)
        self.deploy(ledger, "bbb", False, after(5))
        assert self.last(ledger) == "aaa"

    def test_a_commit_that_passes_again_is_verified_again(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        self.deploy(ledger, "aaa", False)
        self.deploy(ledger, "aaa", True, after(5))
        assert self.last(ledger) == "aaa"

    def test_a_blocked_version_is_not_returned_to_until_it_is_lifted(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        self.deploy(ledger, "aaa", True)
        self.deploy(ledger, "bbb", True)
        ledger.block_version(block("bbb"))
        assert self.last(ledger) == "aaa"
        assert ledger.lift_block("staging", "bbb", "ana", "fixed by hand")
        assert self.last(ledger) == "bbb"

    def test_blocks_are_per_environment_and_once(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.block_version(block("aaa"))
        ledger.block_version(block("aaa"))
        assert ledger.blocked_versions("staging") == [block("aaa")]
        assert ledger.blocked_versions("production") == []
        assert not ledger.lift_block("production", "aaa", "ana", "no")
        assert ledger.lift_block("staging", "aaa", "ana", "yes")
        assert not ledger.lift_block("staging", "aaa", "ana", "again")
        assert ledger.blocked_versions("staging") == []

    def test_a_lifted_version_can_be_blocked_again(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.block_version(block("aaa"))
        ledger.lift_block("staging", "aaa", "ana", "yes")
        ledger.block_version(block("aaa"))
        assert len(ledger.blocked_versions("staging")) == 1

    def test_the_last_good_apply_is_the_newest_that_succeeded(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        for made in (applied("aaa"), applied("bbb"), applied("ccc", ok=False)):
            ledger.record_apply(made)
        ledger.record_apply(applied("ddd", environment="production"))
        assert ledger.last_good_apply("staging", "infra/staging") == applied("bbb")
        ledger.record_apply(applied(""))
        assert ledger.last_good_apply("staging", "infra/staging") == applied("")
        assert ledger.last_good_apply("staging", "infra/other") is None


class LedgerConformance(
    RunsConformance,
    EffectsConformance,
    ApprovalsConformance,
    LeasesConformance,
    ReleasesConformance,
    OutboxConformance,
    AuditConformance,
):
    """Everything a ledger must do."""
