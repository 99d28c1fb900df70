"""Return a release to the last verified version, once (rule 11)."""

from __future__ import annotations

from midas_devops.domain.outcome import Outcome, Recovery, RecoveryKind
from midas_devops.domain.recovery import NOT_THE_VERSIONS_FAULT
from midas_devops.errors import BlockedError, ToolError
from midas_devops.nodes.deploy import begun_deployment, deploy_outcome, finish_deployment
from midas_devops.nodes.effects import effect_key, once, superseded
from midas_devops.nodes.step import Step
from midas_devops.nodes.telling import tell_begun
from midas_devops.ports.deployer import Deployer, DeployPlan, Release
from midas_devops.ports.ledger import BlockedVersion
from midas_devops.state import Json


def rollback(step: Step) -> Json:
    """Roll back, and block the bad version until a person lifts it."""
    recovery = Recovery.model_validate(step.state["recovery"])
    request = step.release
    if not recovery.to_commit:
        raise BlockedError(
            f"no verified version of {request.environment} is on record: there is nothing to return to",
            hint="Deploy a version that is known to be good.",
        )
    deployer = step.ports.deployer(request.environment)
    release = _release(step, recovery)
    tried = step.attempts("rollbacks")
    name = f"rollback-{tried}"
    step.hold_environment()
    _refuse_foreign(step, deployer, recovery)
    if not _begun(step, name):
        _refuse_more(step, recovery)
    _block_bad_version(step)
    deployment_id = begun_deployment(step, release, "rollback")
    tell_begun(step, release, deployment_id, "rollback")
    outcome = once(
        step,
        name,
        f"roll {request.environment} back to {release.version}",
        act=lambda _: deploy_outcome("rollback", release, deployer.rollback(release, step.say)),
        reconcile=lambda _: None,
    )
    finish_deployment(step, deployment_id, outcome)
    return step.result(
        outcome.summary if not outcome.ok else f"{release.version} serves {request.environment} again",
        outcome=outcome,
        deployment_id=deployment_id,
        verification={},
        recovery=recovery.model_copy(update={"kind": RecoveryKind.ROLLBACK, "ok": outcome.ok}),
        attempts=step.counted("rollbacks"),
    )


def return_effects(step: Step, recovery: Recovery) -> tuple[str, ...]:
    """What the rollback would do now, in order. Raises ``MidasError`` when that cannot be told."""
    deployer = step.ports.deployer(step.request.environment)
    return deployer.plan_rollback(_release(step, recovery)).effects


def _release(step: Step, recovery: Recovery) -> Release:
    return Release(
        run_id=step.run_id,
        environment=step.request.environment,
        version=recovery.to_version or recovery.to_commit[:12],
        commit=recovery.to_commit,
    )


def _begun(step: Step, name: str) -> bool:
    key = effect_key(step, name)
    return any(effect.key == key for effect in step.ports.ledger.effects(step.run_id))


def foreign_version(deployer: Deployer, ours: tuple[str, ...]) -> str:
    """What runs there, when it is none of our commits; empty when it is one, or cannot be told."""
    try:
        running = deployer.status()
    except ToolError:
        return ""  # no reason to leave a bad version there, or to ask for a good one again
    if running is None or running.commit in ours:
        return ""
    return running.version or running.commit[:12]


def _refuse_foreign(step: Step, deployer: Deployer, recovery: Recovery) -> None:
    """While a person was asked, or nobody was there to go on, another run may have deployed.

    Its version is not ours to take away.
    """
    asked = any(answer.get("kind") == "escalation" for answer in step.state.get("answers", []))
    if not asked and not superseded(step):
        return
    planned = step.plan
    foreign = foreign_version(deployer, (planned.commit, planned.running, recovery.to_commit))
    if not foreign:
        return
    raise BlockedError(
        f"{foreign} runs on {planned.environment} since this was asked,"
        " put there by somebody else: it is not rolled back",
        hint=f"Look at it, and start over: midas-devops deploy {planned.environment} --rollback",
        location=planned.environment,
    )


def _refuse_more(step: Step, recovery: Recovery) -> None:
    """A person decided on these effects. Fewer are fine: what was to be stopped may have ended by itself.

    So is less: what it goes to may serve by now. And what was to be left, unless it fails, may have failed.
    """
    if not recovery.effects:
        return
    try:
        now = return_effects(step, recovery)
        running = step.ports.deployer(step.request.environment).status()
    except ToolError:
        return  # it fails by itself then, and says why
    redacted = step.ports.redactor.json
    left = redacted(list(DeployPlan.stays(_release(step, recovery)).effects))
    alone = running is None or running.commit == recovery.to_commit
    asked = redacted(list(recovery.effects))
    if alone and asked == left:
        return
    more = [effect for effect in redacted(list(now)) if effect not in (*asked, *left)]
    if more:
        step.audit("effects moved", rule="3", more=more)
        environment = step.request.environment
        raise BlockedError(
            f"rolling {environment} back would do another thing than what was asked:"
            f" {'; '.join(more)}. Nothing was done",
            hint=f"Look at it, and start over: midas-devops deploy {environment} --rollback --to"
            f" {recovery.to_version or recovery.to_commit[:12]}",
            location=environment,
        )


def _block_bad_version(step: Step) -> None:
    planned = step.plan
    outcome = step.outcome or Outcome(ok=False, stage="deploy", summary="failed")
    verification = step.verification
    # Where a rollback by hand could not be carried out, the version it goes to proved itself before.
    by_hand = step.release.rollback
    version_failed = not outcome.ok and outcome.code not in NOT_THE_VERSIONS_FAULT and not by_hand
    rejected = (step.recovery.reason if step.recovery else "") if _rejected(step) else ""
    if not version_failed and not rejected and not (verification and verification.verdict == "failed"):
        return
    diagnosis = step.diagnosis
    version = planned.release.to_version if planned.release else planned.commit[:12]
    step.ports.ledger.block_version(
        BlockedVersion(
            environment=planned.environment,
            commit=planned.commit,
            version=version,
            reason=rejected or (diagnosis.summary if diagnosis else outcome.summary),
            run_id=step.run_id,
            blocked_at=step.ports.clock(),
        )
    )
    step.audit("version blocked", rule="11", environment=planned.environment, version=version)


def _rejected(step: Step) -> bool:
    """Whether a person, asked about an inconclusive verification, decided against the version."""
    answers = step.state.get("answers") or [{}]
    return answers[-1].get("leads_to") == "rollback" and answers[-1].get("decision") == "reject"
