"""Take a person's answer: refuse it, count it, or let the run go on."""

from __future__ import annotations

from datetime import datetime

from midas_devops.config import Settings
from midas_devops.domain.approval import Approval, Review, refusal
from midas_devops.domain.changes import Pending
from midas_devops.domain.outcome import Verification, VerificationVerdict
from midas_devops.domain.runs import ReleaseRequest, RunStatus
from midas_devops.errors import BlockedError
from midas_devops.nodes.plan_release import DEPLOYMENTS_LOOKED_AT
from midas_devops.nodes.rollback import foreign_version
from midas_devops.nodes.step import AnyRequest, Step
from midas_devops.ports.bundle import Ports
from midas_devops.safety.people import groups_of
from midas_devops.state import Json

MOST_ANSWERS = 20


def record_review(step: Step) -> Json:
    """Record one answer. A refused answer leaves the question open; an expired question ends the run."""
    review = Review.model_validate(step.state["review"])
    pending = Pending.model_validate(step.state["pending"])
    now = step.ports.clock()
    given = step.ports.ledger.approvals(step.run_id, pending.digest)
    why_not = why_refused(step.ports, step.policy, step.request, step.run_id, review, pending)
    if why_not:
        step.audit("answer refused", actor=review.by, rule="3", why=why_not)
        expired = now >= datetime.fromisoformat(pending.expires_at)
        if expired or step.attempts("answers") >= MOST_ANSWERS:
            # A question after an effect that nobody answered: something was done, and it is not good.
            nothing_done = pending.kind != "escalation"
            status = RunStatus.BLOCKED if nothing_done else RunStatus.FAILED
            return step.result(why_not, status=status, reason=why_not, pending={})
        attempts = step.counted("answers")
        return step.result(f"answer refused: {why_not}", reason=why_not, attempts=attempts)
    answers = [*step.state.get("answers", []), _answer(review, pending, now)]
    if review.decision == "reject":
        step.audit("rejected", actor=review.by, rule="3", digest=pending.digest, reason=review.reason)
        if pending.choices.get("reject") == "rollback":
            return _roll_back(step, review, answers)
        asked = pending.kind in ("approval", "confirm_destroy")
        return step.result(
            f"rejected by {review.by}: {review.reason}",
            status=RunStatus.REJECTED if asked else RunStatus.FAILED,
            reason=f"rejected by {review.by}: {review.reason}",
            pending={},
            answers=answers,
        )
    if pending.choices.get("approve") == "keep":
        _refuse_gone(step)
    step.ports.ledger.record_approval(
        Approval(
            run_id=step.run_id,
            digest=pending.digest,
            by=review.by,
            reason=review.reason,
            given_at=now,
            expires_at=now + step.policy.approvals.expire_after,
        )
    )
    step.audit("approved", actor=review.by, rule="3", digest=pending.digest, reason=review.reason)
    if pending.choices.get("approve") == "keep":
        return _keep(step, review, answers)
    missing = pending.approvals_needed - len(given) - 1
    if missing > 0:
        return step.result(
            f"approved by {review.by}; {missing} more needed", reason="", review={}, answers=answers
        )
    return step.result(f"approved by {review.by}: {review.reason}", reason="", pending={}, answers=answers)


def _answer(review: Review, pending: Pending, now: datetime) -> Json:
    return {
        "at": now.isoformat(timespec="seconds"),
        "decision": review.decision,
        "by": review.by,
        "reason": review.reason,
        "digest": pending.digest,
        "kind": pending.kind,
        "leads_to": pending.choices.get(review.decision, ""),
    }


def _roll_back(step: Step, review: Review, answers: list[Json]) -> Json:
    """A person who was asked about a verification in doubt decided against the version."""
    said = f"rejected by {review.by}: {review.reason}"
    recovery = step.recovery
    return step.result(
        f"{said}; rolling back",
        reason="",
        pending={},
        answers=answers,
        recovery=recovery.model_copy(update={"reason": said}) if recovery else {},
    )


def _refuse_gone(step: Step) -> None:
    """While a person was asked, another run may have deployed: nobody can vouch for what is gone."""
    if not isinstance(step.request, ReleaseRequest):
        return
    environment = step.request.environment
    asked_about = int(step.state.get("deployment_id") or 0)
    known = step.ports.ledger.deployments(environment, limit=DEPLOYMENTS_LOOKED_AT)
    commit = next((each.commit for each in known if each.deployment_id == asked_about), step.plan.commit)
    foreign = foreign_version(step.ports.deployer(environment), (commit,))
    if foreign:
        raise BlockedError(
            f"{foreign} runs on {environment} since this was asked: {commit[:12]} is not there to be kept",
            hint=f"Look at what runs there: midas-devops deploy {environment} {foreign}",
            location=environment,
        )


def _keep(step: Step, review: Review, answers: list[Json]) -> Json:
    """A person answers for what no check could tell: it counts as verified, by name and on record."""
    said = f"accepted by {review.by}: {review.reason}"
    before = step.verification
    checks = (*(before.checks if before else ()), said)
    deployment_id = int(step.state.get("deployment_id") or 0)
    if deployment_id:
        step.ports.ledger.set_verified(deployment_id, True, step.ports.clock())
    step.audit("verification accepted", actor=review.by, rule="11", reason=review.reason)
    asked_for = int(isinstance(step.request, ReleaseRequest) and step.request.rollback)
    rolled_back = step.attempts("rollbacks") > asked_for
    otherwise = RunStatus.REVERTED if step.attempts("reverts") else RunStatus.SUCCEEDED
    status = RunStatus.ROLLED_BACK if rolled_back else otherwise
    return step.result(
        said,
        status=status,
        reason=said,
        pending={},
        answers=answers,
        verification=Verification(verdict=VerificationVerdict.PASSED, summary=said, checks=checks),
    )


def unnameable(ports: Ports, name: str) -> bool:
    """Whether a name is hidden on record: two people's could become one there, or one person's two."""
    return "[redacted:" in name or ports.redactor.text(name) != name


def why_refused(
    ports: Ports, policy: Settings, request: AnyRequest, run_id: str, review: Review, pending: Pending
) -> str:
    """Why this answer cannot be taken now; empty when it can."""
    approvals = policy.approvals
    if unnameable(ports, review.by):
        return "a name that holds what looks like a secret says nothing about who answers: give another one"
    given = ports.ledger.approvals(run_id, pending.digest)
    return refusal(
        review,
        pending,
        now=ports.clock(),
        requested_by=request.requested_by,
        environment=request.environment,
        approvers=approvals.approvers,
        groups_of_reviewer=groups_of(review.by),
        may_self_approve=approvals.self_approve or not policy.environment(request.environment).is_production,
        already_approved_by=tuple(approval.by for approval in given),
    )
