"""Return a release to the last verified version, once (rule 11)."""

from __future__ import annotations

from midas_devops.domain.outcome import Outcome, Recovery, RecoveryKind
from midas_devops.domain.recovery import NOT_THE_VERSIONS_FAULT
from midas_devops.errors import BlockedError
from midas_devops.nodes.deploy import begun_deployment, deploy_outcome, finish_deployment
from midas_devops.nodes.effects import once
from midas_devops.nodes.step import Step
from midas_devops.ports.deployer import Release
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
    release = Release(
        run_id=step.run_id,
        environment=request.environment,
        version=recovery.to_version or recovery.to_commit[:12],
        commit=recovery.to_commit,
    )
    _block_bad_version(step)
    step.hold_environment()
    deployment_id = begun_deployment(step, release, "rollback")
    tried = step.attempts("rollbacks")
    outcome = once(
        step,
        f"rollback-{tried}",
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


def _block_bad_version(step: Step) -> None:
    planned = step.plan
    outcome = step.outcome or Outcome(ok=False, stage="deploy", summary="failed")
    verification = step.verification
    version_failed = not outcome.ok and outcome.code not in NOT_THE_VERSIONS_FAULT
    if not version_failed and not (verification and verification.verdict == "failed"):
        return
    diagnosis = step.diagnosis
    version = planned.release.to_version if planned.release else planned.commit[:12]
    step.ports.ledger.block_version(
        BlockedVersion(
            environment=planned.environment,
            commit=planned.commit,
            version=version,
            reason=diagnosis.summary if diagnosis else outcome.summary,
            run_id=step.run_id,
            blocked_at=step.ports.clock(),
        )
    )
    step.audit("version blocked", rule="11", environment=planned.environment, version=version)
