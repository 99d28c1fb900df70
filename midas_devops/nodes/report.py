"""How the run ended, for people, scripts and the next diagnosis."""

from __future__ import annotations

from midas_devops.domain.outcome import RecoveryKind
from midas_devops.domain.runs import Operation, ReleaseRequest, RunStatus
from midas_devops.errors import MidasError
from midas_devops.nodes.advice import missing_advice
from midas_devops.nodes.step import Step
from midas_devops.nodes.telling import tell_ended
from midas_devops.ports.knowledge import Incident
from midas_devops.state import Json

SAFE = (RunStatus.ROLLED_BACK, RunStatus.REVERTED)


def report(step: Step) -> Json:
    """Settle the status, remember a resolved failure, and tell the tracker."""
    status = final_status(step)
    summary = _summary(step, status)
    if status in SAFE or (status is RunStatus.SUCCEEDED and step.attempts("retries")):
        _remember(step, status)
    tell_ended(step, status, summary)
    body = {
        "run_id": step.run_id,
        "status": status,
        "summary": summary,
        "operation": step.request.operation,
        "environment": step.request.environment,
        "url": _url(step, status),
        "digest": step.state.get("digest", ""),
        "degraded": _degraded(step),
    }
    step.audit("reported", status=status)
    update: Json = {"status": status, "run_report": body, "pending": {}}
    recovery = step.recovery
    if status is RunStatus.REVERTED and recovery is not None:
        update["recovery"] = recovery.model_copy(update={"ok": True})
    return step.result(f"{status}: {summary}", **update)


def final_status(step: Step) -> RunStatus:
    """One status from everything the run went through. What was not verified did not succeed."""
    if step.state.get("status"):
        return RunStatus(step.state["status"])
    outcome, verification, recovery = step.outcome, step.verification, step.recovery
    if outcome is not None and not outcome.ok:
        return RunStatus.FAILED
    if verification is not None and verification.verdict != "passed":
        return RunStatus.INCONCLUSIVE if verification.verdict != "failed" else RunStatus.FAILED
    if outcome is None:
        return RunStatus.SUCCEEDED if step.state.get("change_plan") else RunStatus.FAILED
    if recovery and recovery.kind is RecoveryKind.ROLLBACK:
        return RunStatus.ROLLED_BACK
    if recovery and recovery.kind is RecoveryKind.REVERT:
        return RunStatus.REVERTED
    return RunStatus.SUCCEEDED


def _url(step: Step, status: RunStatus) -> str:
    if step.outcome is not None and step.outcome.url:
        return step.outcome.url
    serves = status is RunStatus.SUCCEEDED and step.environment.deploy is not None
    if not serves or not isinstance(step.request, ReleaseRequest):
        return ""
    return step.ports.deployer(step.request.environment).url()


def _summary(step: Step, status: RunStatus) -> str:
    if step.state.get("reason"):
        return step.state["reason"]
    outcome, diagnosis, recovery = step.outcome, step.diagnosis, step.recovery
    if status in SAFE and diagnosis and recovery:
        back_to = recovery.to_version or recovery.to_commit[:12]
        return f"{diagnosis.summary}; back on {back_to}"
    if status is RunStatus.FAILED and diagnosis:
        return f"{diagnosis.summary}. {recovery.reason if recovery else ''}".strip()
    if outcome is not None:
        return outcome.summary
    planned = step.state.get("change_plan")
    if planned:
        told = planned["has_changes"] or planned["operation"] == Operation.SETUP_PIPELINE
        return planned["summary"] if told else "nothing to do: it is in place already"
    return str(status)


def _remember(step: Step, status: RunStatus) -> None:
    from midas_devops.knowledge.lessons import LESSON

    diagnosis = step.diagnosis
    if diagnosis is None:
        return
    incident = Incident(
        run_id=step.run_id,
        environment=step.request.environment,
        error=diagnosis.spans[0].text[:2000] if diagnosis.spans else diagnosis.summary,
        category=diagnosis.category,
        cause=diagnosis.causes[0] if diagnosis.causes else diagnosis.summary,
        remedy=next((one for one in diagnosis.remedies if not one.startswith(LESSON)), ""),
        outcome=status,
    )
    try:
        base = step.ports.knowledge(create=True)
        if base is not None:
            base.add_incident(incident)
    except MidasError as broken:
        step.say(f"the incident was not remembered: {broken.message}")


def _degraded(step: Step) -> list[str]:
    notes = []
    if step.ports.model is None:
        notes.append("no model is configured: plans and diagnoses are by rules alone")
    for reason in missing_advice(step):
        notes.append(f"the model gave no advice: {reason}")
    if not step.ports.source.available():
        notes.append("the project is not a git repository: changes are bound to file contents only")
    return notes
