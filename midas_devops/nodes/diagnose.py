"""What went wrong, from evidence, and what follows from it."""

from __future__ import annotations

from datetime import timedelta

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.changes import Pending
from midas_devops.domain.digest import canonical_json, sha256_hex
from midas_devops.domain.evidence import Category, Diagnosis
from midas_devops.domain.outcome import Outcome, Recovery, RecoveryKind
from midas_devops.domain.recovery import Situation, decide_recovery
from midas_devops.domain.runs import Operation
from midas_devops.nodes.advice import advised_diagnosis
from midas_devops.nodes.step import Step
from midas_devops.ports.knowledge import Hit
from midas_devops.state import Json


def diagnose(step: Step) -> Json:
    """The best-founded diagnosis over all evidence, and the recovery that the rules choose."""
    outcome = step.outcome or Outcome(ok=False, stage="plan", summary="failed")
    diagnosis = advised_diagnosis(step, _by_rules(step, outcome))
    recovery = decide_recovery(_situation(step, outcome, diagnosis))
    step.audit("recovery", rule="11", kind=recovery.kind, reason=recovery.reason)
    update: Json = {"diagnosis": diagnosis, "recovery": recovery}
    if recovery.kind is RecoveryKind.RETRY:
        update["attempts"] = step.counted("retries")
        update["outcome"] = {}
    if recovery.kind is RecoveryKind.ESCALATE and recovery.ask:
        update["pending"] = _escalation(step, outcome, recovery)
    return step.result(f"{diagnosis.category}: {diagnosis.summary}", **update)


def _by_rules(step: Step, outcome: Outcome) -> Diagnosis:
    if outcome.code == "cancelled":
        return Diagnosis(
            category=Category.CANCELLED,
            summary="the run was cancelled by a signal",
            confidence=1.0,
            retryable=False,
            remedies=("Run the same request again; it continues from what is there.",),
            verdict="conclusive",
        )
    from midas_devops.knowledge.diagnose import diagnose_file  # loads the catalogue: only a failure needs it

    incidents = tuple(
        Hit.model_validate(hit) for hit in step.state.get("retrieved", []) if hit["kind"] == "incident"
    )
    found = [
        diagnose_file(
            step.ports.artifacts.path(log),
            shown_as=log.uri,
            redact=step.ports.redactor.text,
            diagnostics=outcome.diagnostics,
            incidents=incidents,
        )
        for log in [*outcome.logs, *_verification_evidence(step)]
    ]
    best = max(found, key=lambda d: (d.verdict == "conclusive", d.confidence), default=None)
    health = outcome.code == "health_check_failed" or step.verification is not None
    if health and (best is None or best.verdict != "conclusive"):
        return _unhealthy(step, outcome, best)
    return best or _nothing(outcome)


def _verification_evidence(step: Step) -> list[ArtifactRef]:
    verification = step.verification
    if verification is None or not step.state.get("evidence"):
        return []
    last = ArtifactRef.model_validate(step.state["evidence"][-1]["full"])
    return [last] if last.name == "verification.log" else []


def _unhealthy(step: Step, outcome: Outcome, weaker: Diagnosis | None) -> Diagnosis:
    verification = step.verification
    return Diagnosis(
        category=Category.HEALTH_CHECK_FAILED,
        summary=verification.summary if verification else outcome.summary,
        confidence=0.6,
        retryable=False,
        spans=weaker.spans if weaker else (),
        remedies=("Look at the service's log from its start; it does not say why it is unhealthy.",),
        sources=weaker.sources if weaker else (),
        verdict="conclusive" if weaker and weaker.spans else "inconclusive",
    )


def _nothing(outcome: Outcome) -> Diagnosis:
    return Diagnosis(
        category=Category.UNKNOWN,
        summary=f"no log was left to read; the tool said: {outcome.summary}",
        confidence=0.1,
        retryable=False,
        verdict="inconclusive",
    )


def _situation(step: Step, outcome: Outcome, diagnosis: Diagnosis) -> Situation:
    request = step.request
    environment = step.environment
    facts: Json = {
        "operation": request.operation,
        "production": environment.is_production,
        "outcome": outcome,
        "diagnosis": diagnosis,
        "verification_failed": step.verification is not None,
        "retries_done": step.attempts("retries"),
        "rollbacks_done": step.attempts("rollbacks"),
        "reverts_done": step.attempts("reverts"),
    }
    ledger = step.ports.ledger
    if request.operation is Operation.DEPLOY_RELEASE:
        verified = ledger.last_verified(request.environment, other_than=step.plan.commit)
        facts["verified_commit"] = verified.commit if verified else ""
        facts["verified_version"] = verified.version if verified else ""
        facts["rollback_on_failure"] = bool(environment.deploy and environment.deploy.rollback_on_failure)
    elif environment.infrastructure and step.state.get("change_plan"):
        planned = step.plan
        good = ledger.last_good_apply(request.environment, planned.config)
        usable = good is not None and good.commit not in ("", _tried_commit(step))
        facts["good_config_commit"] = good.commit if good and usable else ""
        facts["max_retries"] = environment.infrastructure.max_retries
    return Situation.model_validate(facts)


def _tried_commit(step: Step) -> str:
    return step.ports.source.commit_of_path(step.plan.config)


def _escalation(step: Step, outcome: Outcome, recovery: Recovery) -> Pending:
    now = step.ports.clock()
    expires = now + max(step.policy.approvals.expire_after, timedelta(hours=1))
    what = "roll back again" if outcome.stage in ("deploy", "rollback") else "plan what remains and try again"
    facts = {
        "run": step.run_id,
        "outcome": outcome.model_dump(mode="json"),
        "at": now.isoformat(),
    }
    return Pending(
        kind="escalation",
        digest=sha256_hex(canonical_json(facts)),
        question=f"{outcome.summary}. {recovery.reason}."
        f" Approve to {what}; reject to close the run as failed.",
        asked_at=now.isoformat(timespec="seconds"),
        expires_at=expires.isoformat(timespec="microseconds"),
    )
