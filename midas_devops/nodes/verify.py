"""Whether what was carried out really works, looked at from outside."""

from __future__ import annotations

from midas_devops.domain.changes import ChangePlan
from midas_devops.domain.outcome import RecoveryKind, Verification, VerificationVerdict
from midas_devops.domain.runs import Operation
from midas_devops.errors import ToolError
from midas_devops.nodes.step import Step
from midas_devops.state import Json

_PASSED, _FAILED = VerificationVerdict.PASSED, VerificationVerdict.FAILED
_INCONCLUSIVE, _ERRORED = VerificationVerdict.INCONCLUSIVE, VerificationVerdict.ERRORED


def verify(step: Step) -> Json:
    """Verify a release over its own address, infrastructure against its state."""
    planned = step.plan
    if planned.operation is Operation.DEPLOY_RELEASE:
        return _verify_release(step, planned)
    if planned.operation is Operation.MANAGE_INFRASTRUCTURE:
        return _verify_infrastructure(step, planned)
    found = step.outcome is not None and step.outcome.ok
    verdict = _PASSED if found else _FAILED
    return step.result("proposal is in place", verification=Verification(verdict=verdict, summary="proposed"))


def _verify_release(step: Step, planned: ChangePlan) -> Json:
    recovery = step.recovery
    rolled_back = recovery is not None and recovery.kind is RecoveryKind.ROLLBACK and recovery.ok
    expected = recovery.to_commit if recovery and rolled_back else planned.commit
    verification = _look(step, planned.environment, expected)
    deployment_id = int(step.state.get("deployment_id") or 0) or _deployment_of(step, planned)
    if deployment_id:
        verdict = {_PASSED: True, _FAILED: False}.get(verification.verdict)
        step.ports.ledger.set_verified(deployment_id, verdict, step.ports.clock())
    step.audit("verified", rule="11", verdict=verification.verdict, commit=expected)
    return step.result(verification.summary, verification=verification, deployment_id=deployment_id)


def _look(step: Step, environment: str, expected: str) -> Verification:
    deployer = step.ports.deployer(environment)
    try:
        running = deployer.status()
    except ToolError as unknown:
        return Verification(verdict=_ERRORED, summary=f"cannot tell what runs: {unknown.message}")
    if running is None or running.commit != expected:
        found = running.commit[:12] if running else "nothing"
        return Verification(verdict=_FAILED, summary=f"{expected[:12]} should run, {found} does")
    reading = deployer.health(step.say)
    checks = (f"runs {expected[:12]}", reading.detail)
    if reading.healthy is None:
        return Verification(verdict=_INCONCLUSIVE, summary=reading.detail, checks=checks)
    verdict = _PASSED if reading.healthy else _FAILED
    return Verification(verdict=verdict, summary=reading.detail, checks=checks)


def _deployment_of(step: Step, planned: ChangePlan) -> int:
    for earlier in step.ports.ledger.deployments(planned.environment):
        if earlier.commit == planned.commit:
            return earlier.deployment_id
    return 0


def _verify_infrastructure(step: Step, planned: ChangePlan) -> Json:
    engine = step.ports.engine(planned.environment, planned.config)
    outcome = step.outcome
    state = engine.state_identity()
    if outcome and outcome.changed_anything and state.serial <= planned.state.serial:
        verification = Verification(
            verdict=_INCONCLUSIVE, summary="the engine reported success, but its state did not move"
        )
    else:
        verification = Verification(
            verdict=_PASSED,
            summary=f"state serial {planned.state.serial} → {state.serial}",
            checks=(f"lineage {state.lineage or 'none'}",),
        )
    return step.result(verification.summary, verification=verification)
