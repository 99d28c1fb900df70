"""Whether what was carried out really works, looked at from outside."""

from __future__ import annotations

from collections.abc import Iterator

from midas_devops.domain.changes import ChangePlan
from midas_devops.domain.outcome import RecoveryKind, Verification, VerificationVerdict
from midas_devops.domain.runs import Operation
from midas_devops.domain.verification_rule import CheckOutcome, verification_of
from midas_devops.errors import ToolError
from midas_devops.nodes.plan_release import DEPLOYMENTS_LOOKED_AT
from midas_devops.nodes.step import Step
from midas_devops.ports.deployer import Release
from midas_devops.ports.ledger import Deployment
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
    version = (recovery.to_version if recovery and rolled_back else "") or step.release.version
    deployed_now = bool(step.state.get("deployment_id"))
    deployment = _deployment(step, planned)
    before = bool(not deployed_now and deployment and deployment.verified)
    outcomes = _look(step, planned.environment, expected, version, deployed_now)
    verification = verification_of(list(outcomes), verified_before=before)
    if deployment is not None:
        _settle(step, deployment, verification.verdict, before)
    step.audit("verified", rule="11", verdict=verification.verdict, commit=expected)
    return step.result(
        verification.summary,
        verification=verification,
        deployment_id=deployment.deployment_id if deployment else 0,
    )


def _settle(step: Step, deployment: Deployment, verdict: VerificationVerdict, before: bool) -> None:
    """Put the verdict on record. In doubt an earlier one stays; one that is confirmed keeps its time.

    Unless that time is still to come: it was taken from a clock that was ahead, and is put right.
    """
    now = step.ports.clock()
    ahead = deployment.verified_at is not None and deployment.verified_at > now and verdict is _PASSED
    if before and verdict is not _FAILED and not ahead:
        return
    known = {_PASSED: True, _FAILED: False}.get(verdict)
    step.ports.ledger.set_verified(deployment.deployment_id, known, now)


def _look(
    step: Step, environment: str, expected: str, version: str, deployed_now: bool
) -> Iterator[CheckOutcome]:
    deployer = step.ports.deployer(environment)
    try:
        running = deployer.status()
    except ToolError as unknown:
        yield CheckOutcome(
            what="what runs", verdict=_ERRORED, detail=f"cannot tell what runs: {unknown.message}"
        )
        return
    if running is None or running.commit != expected:
        found = running.commit[:12] if running else "nothing"
        yield CheckOutcome(
            what="what runs", verdict=_FAILED, detail=f"{expected[:12]} should run, {found} does"
        )
        return
    yield CheckOutcome(what="what runs", verdict=_PASSED, detail=f"runs {expected[:12]}")
    verifier = step.ports.verifier(environment)
    reading = deployer.health(step.say)
    if reading.healthy is not None or verifier is None or reading.attempts or _asks_health(step):
        verdict = _INCONCLUSIVE if reading.healthy is None else _PASSED if reading.healthy else _FAILED
        yield CheckOutcome(what="health", verdict=verdict, detail=reading.detail, flapping=reading.flapping)
    if verifier is None:
        return
    release = Release(run_id=step.run_id, environment=environment, version=version, commit=expected)
    try:
        yield from verifier.check(release, deployer.url(), deployer.logs, step.say, deployed_now=deployed_now)
    except ToolError as broken:
        yield CheckOutcome(what="checks", verdict=_ERRORED, detail=broken.message)


def _asks_health(step: Step) -> bool:
    """Whether a health check is configured at all: one that is cannot be left out."""
    deploy = step.environment.deploy
    return deploy is not None and bool(deploy.health.path or deploy.health.url)


def _deployment(step: Step, planned: ChangePlan) -> Deployment | None:
    known = step.ports.ledger.deployments(planned.environment, limit=DEPLOYMENTS_LOOKED_AT)
    wanted = int(step.state.get("deployment_id") or 0)
    return next(
        (d for d in known if (d.deployment_id == wanted if wanted else d.commit == planned.commit)), None
    )


def _verify_infrastructure(step: Step, planned: ChangePlan) -> Json:
    engine = step.ports.engine(planned.environment, planned.config)
    outcome = step.outcome
    try:
        state = engine.state_identity()
    except ToolError as unknown:
        verification = Verification(verdict=_ERRORED, summary=unknown.message)
        return step.result(verification.summary, verification=verification)
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
