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
from midas_devops.errors import MidasError
from midas_devops.nodes.advice import advised_diagnosis
from midas_devops.nodes.rollback import return_effects
from midas_devops.nodes.step import Step
from midas_devops.ports.knowledge import Hit
from midas_devops.state import Json

_INCIDENTS = 3
"""Past incidents that may speak about a failure."""
_SURE_OF_THE_ENDING = 0.6
_OF_A_RELEASE = {
    "start_failed": Category.HEALTH_CHECK_FAILED,
    "health_check_failed": Category.HEALTH_CHECK_FAILED,
    "crash_loop": Category.HEALTH_CHECK_FAILED,
    "container_config": Category.INVALID_CONFIGURATION,
    "disk_full": Category.RESOURCE_EXHAUSTION,
    "unschedulable": Category.RESOURCE_EXHAUSTION,
    "port_in_use": Category.ALREADY_EXISTS,
    "timed_out": Category.NETWORK_OR_TIMEOUT,
}
"""What a deployer's code says by itself. The others need a log to tell: a build fails of many things."""


def diagnose(step: Step) -> Json:
    """The best-founded diagnosis over all evidence, and the recovery that the rules choose."""
    outcome = step.outcome or Outcome(ok=False, stage="plan", summary="failed")
    diagnosis = advised_diagnosis(step, _with_lessons(step, _by_rules(step, outcome)))
    recovery = _with_effects(step, decide_recovery(_situation(step, outcome, diagnosis)))
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
    if best is not None and best.verdict == "conclusive" and best.category is not Category.UNKNOWN:
        return best
    category = _told_by_ending(step, outcome)
    return _ended(step, outcome, category, best) if category else best or _nothing(outcome)


def _with_lessons(step: Step, diagnosis: Diagnosis) -> Diagnosis:
    """What past incidents say of the failing line: it is known only now, after knowledge was retrieved."""
    from midas_devops.knowledge.lessons import learn_from, question

    asked = question(diagnosis)
    if not asked:
        return diagnosis
    try:
        base = step.ports.knowledge()
        incidents = base.search(asked, _INCIDENTS, kinds=("incident",)) if base else []
    except MidasError as broken:
        step.say(f"past incidents were not looked up: {broken.message}")
        return diagnosis
    return learn_from(diagnosis, incidents, step.ports.redactor.text)


def _verification_evidence(step: Step) -> list[ArtifactRef]:
    verification = step.verification
    if verification is None or not step.state.get("evidence"):
        return []
    last = ArtifactRef.model_validate(step.state["evidence"][-1]["full"])
    return [last] if last.name == "verification.log" else []


def _told_by_ending(step: Step, outcome: Outcome) -> Category | None:
    if step.verification is not None:
        return Category.HEALTH_CHECK_FAILED
    release = step.request.operation is Operation.DEPLOY_RELEASE
    return _OF_A_RELEASE.get(outcome.code) if release else None


def _ended(step: Step, outcome: Outcome, category: Category, weaker: Diagnosis | None) -> Diagnosis:
    """The category by the way it ended; what a log did tell, a line that nobody knows, is still quoted."""
    from midas_devops.knowledge.structure.advice import DEFAULT_REMEDIES, is_retryable

    told = [
        each for each in (weaker.remedies if weaker else ()) if each not in DEFAULT_REMEDIES[Category.UNKNOWN]
    ]
    verification = step.verification
    named = Diagnosis(
        category=category,
        summary=verification.summary if verification else outcome.summary,
        confidence=_SURE_OF_THE_ENDING,
        retryable=is_retryable(category, outcome.summary),
        spans=weaker.spans if weaker else (),
        remedies=(*told, *DEFAULT_REMEDIES[category]),
        sources=weaker.sources if weaker else (),
        verdict="conclusive" if weaker and weaker.spans else "inconclusive",
    )
    if weaker is None or weaker.verdict != "conclusive":
        return named
    return named.model_copy(update={"summary": weaker.summary, "causes": weaker.causes})


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
        "in_doubt": _in_doubt(step, outcome),
        "retries_done": step.attempts("retries"),
        "rollbacks_done": step.attempts("rollbacks"),
        "reverts_done": step.attempts("reverts"),
    }
    ledger = step.ports.ledger
    if request.operation is Operation.DEPLOY_RELEASE:
        verified = ledger.last_verified(request.environment, other_than=step.plan.commit)
        facts["verified_commit"] = verified.commit if verified else ""
        facts["verified_version"] = verified.version if verified else ""
        if step.release.rollback and not outcome.ok and step.plan.release is not None:
            # What a person asked to return to did not start: that is what can be tried again.
            facts["verified_commit"] = step.plan.commit
            facts["verified_version"] = step.plan.release.to_version
        facts["rollback_on_failure"] = bool(environment.deploy and environment.deploy.rollback_on_failure)
    elif environment.infrastructure and step.state.get("change_plan"):
        planned = step.plan
        good = ledger.last_good_apply(request.environment, planned.config)
        usable = good is not None and good.commit not in ("", _tried_commit(step))
        facts["good_config_commit"] = good.commit if good and usable else ""
        facts["max_retries"] = environment.infrastructure.max_retries
    return Situation.model_validate(facts)


def _with_effects(step: Step, recovery: Recovery) -> Recovery:
    """What a person is asked about is the very steps of that deployer, not the word."""
    release = step.request.operation is Operation.DEPLOY_RELEASE
    if not (release and recovery.ask and recovery.to_commit):
        return recovery
    try:
        effects = return_effects(step, recovery)
    except MidasError as broken:
        reason = f"{recovery.reason}. What a rollback would do could not be told: {broken.message}"
        return recovery.model_copy(update={"reason": reason})
    return recovery.model_copy(update={"effects": tuple(step.ports.redactor.json(list(effects)))})


def _in_doubt(step: Step, outcome: Outcome) -> str:
    verification = step.verification
    carried_out = step.outcome is None or outcome.ok
    if verification is None or not carried_out or verification.verdict in ("passed", "failed"):
        return ""
    return f"{verification.verdict}: {verification.summary}"


def _tried_commit(step: Step) -> str:
    return step.ports.source.commit_of_path(step.plan.config)


def _escalation(step: Step, outcome: Outcome, recovery: Recovery) -> Pending:
    now = step.ports.clock()
    expires = now + max(step.policy.approvals.expire_after, timedelta(hours=1))
    release = step.request.operation is Operation.DEPLOY_RELEASE
    in_doubt = _in_doubt(step, outcome)
    to = recovery.to_version or recovery.to_commit[:12]
    if in_doubt:
        what = step.plan.commit[:12] if step.plan.release is None else step.plan.release.to_version
        happened = f"{what} was put on {step.request.environment}" if release else outcome.summary
        choices = {"approve": "keep", "reject": "rollback" if recovery.to_commit else "close"}
        words = "keep it as it is" + (f"; reject to roll back to {to}" if recovery.to_commit else "")
    else:
        failed = step.verification.summary if outcome.ok and step.verification else ""
        happened = f"{outcome.summary}, but {failed}" if failed else outcome.summary
        choices = {"approve": "rollback" if release else "retry", "reject": "close"}
        words = f"roll back to {to}" if release else "plan what remains and try again"
    if choices["reject"] == "close":
        words += "; reject to close the run as failed"
    facts = {
        "run": step.run_id,
        "outcome": outcome.model_dump(mode="json"),
        "verification": step.state.get("verification") or {},
        "to": recovery.to_commit,
        "effects": list(recovery.effects),
        "at": now.isoformat(),
    }
    return Pending(
        kind="escalation",
        digest=sha256_hex(canonical_json(facts)),
        question=f"{happened}. {recovery.reason}. Approve to {words}.",
        asked_at=now.isoformat(timespec="seconds"),
        expires_at=expires.isoformat(timespec="microseconds"),
        effects=recovery.effects if "rollback" in choices.values() else (),
        choices=choices,
    )
