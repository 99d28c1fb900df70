"""Put the planned commit on its environment, or return to it when a person asked for a rollback."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from midas_devops.domain.outcome import Outcome
from midas_devops.domain.runs import ReleaseRequest
from midas_devops.errors import MidasError
from midas_devops.nodes.effects import authorize, once
from midas_devops.nodes.step import Step
from midas_devops.nodes.telling import tell_begun
from midas_devops.ports.deployer import Deployer, DeployResult, Release
from midas_devops.ports.ledger import BlockedVersion, Deployment, Effect
from midas_devops.state import Json

LONGEST_MESSAGE = 200


def deploy(step: Step) -> Json:
    """One deployment, once. A deployer adopts what an interrupted call of it left behind."""
    planned = step.plan
    request = step.release
    deployer = step.ports.deployer(request.environment)
    version = planned.release.to_version if planned.release else request.version
    release = Release(
        run_id=step.run_id, environment=request.environment, version=version, commit=planned.commit
    )
    kind: Kind = "rollback" if request.rollback else "deploy"
    what = f"roll {request.environment} back to {version}" if request.rollback else ""
    deployment_id = begun_deployment(step, release, kind)
    outcome = once(
        step,
        kind,
        what or f"deploy {version} to {request.environment}",
        act=lambda effect: _carry_out(step, deployer, release, kind, effect),
        reconcile=lambda _: _reconcile(step, deployer, release),
    )
    finish_deployment(step, deployment_id, outcome)
    done = {"outcome": outcome, "deployment_id": deployment_id, "verification": {}}
    if not request.rollback:
        return step.result(outcome.summary, **done)
    _block_what_was_left(step, request)
    # A rollback happens once: when it fails, the next thing is a person (rule 11).
    return step.result(outcome.summary, **done, attempts=step.counted("rollbacks"))


Kind = Literal["deploy", "rollback"]


def _carry_out(step: Step, deployer: Deployer, release: Release, kind: Kind, effect: Effect) -> Outcome:
    authorize(step, again=effect.state == "in_doubt")
    tell_begun(step, release, begun_deployment(step, release, kind), kind)
    doing = "deploying {0} to {1}" if kind == "deploy" else "rolling {1} back to {0}"
    step.say(doing.format(f"{release.version} ({release.commit[:12]})", release.environment))
    carry_out = deployer.deploy if kind == "deploy" else deployer.rollback
    return deploy_outcome(kind, release, carry_out(release, step.say))


def _block_what_was_left(step: Step, request: ReleaseRequest) -> None:
    left = step.plan.release
    if not request.reason or left is None or not left.from_commit:
        return
    step.ports.ledger.block_version(
        BlockedVersion(
            environment=request.environment,
            commit=left.from_commit,
            version=left.from_version or left.from_commit[:12],
            reason=request.reason,
            run_id=step.run_id,
            blocked_at=step.ports.clock(),
        )
    )
    step.audit("version blocked", rule="11", environment=request.environment, version=left.from_version)


def _reconcile(step: Step, deployer: Deployer, release: Release) -> Outcome | None:
    step.hold_environment()
    running = deployer.status()
    if running is None or running.commit != release.commit or running.unfinished:
        return None
    return Outcome(
        ok=True,
        stage="deploy",
        summary=f"{release.version} was deployed before the interruption",
        changed_anything=True,
        serving=running.commit,
        url=running.url,
    )


def deploy_outcome(stage: str, release: Release, result: DeployResult) -> Outcome:
    """A deployer's answer as an outcome."""
    serving = result.serving
    common = {
        "stage": stage,
        "changed_anything": True,
        "serving": serving.commit if serving else "",
        "url": serving.url if serving else "",
        "logs": result.logs,
    }
    if result.failure is None:
        summary = f"{release.version} serves {release.environment}"
        return Outcome.model_validate({**common, "ok": True, "summary": summary})
    still = f"; {serving.version or serving.commit[:12]} serves" if serving else "; nothing serves"
    return Outcome.model_validate(
        {
            **common,
            "ok": False,
            "code": result.failure.code,
            "summary": f"{stage} of {release.version} failed: {_brief(result.failure.message)}{still}",
        }
    )


def _brief(message: str) -> str:
    """Its beginning says what failed, its end what was said last. The whole story is in the log."""
    half = LONGEST_MESSAGE // 2
    return message if len(message) <= LONGEST_MESSAGE else f"{message[:half]} … {message[-half:]}"


def begun_deployment(step: Step, release: Release, kind: str) -> int:
    """Record that a deployment begins; the same one again after an interruption."""
    for earlier in step.ports.ledger.deployments(release.environment):
        if (earlier.run_id, earlier.kind, earlier.commit) == (step.run_id, kind, release.commit):
            return earlier.deployment_id
    return step.ports.ledger.record_deployment(
        Deployment.model_validate(
            {
                "run_id": step.run_id,
                "environment": release.environment,
                "version": release.version,
                "commit": release.commit,
                "kind": kind,
                "started_at": step.ports.clock(),
                "status": "started",
                "committed_at": _committed_at(step, release.commit),
            }
        )
    )


def _committed_at(step: Step, commit: str) -> datetime | None:
    try:
        return step.ports.source.resolve(commit).committed_at
    except MidasError:  # a rollback may go to what this clone does not have any more
        return None


def finish_deployment(step: Step, deployment_id: int, outcome: Outcome) -> None:
    """Record how a deployment ended."""
    step.ports.ledger.finish_deployment(
        deployment_id,
        status="succeeded" if outcome.ok else "failed",
        url=outcome.url,
        detail=step.ports.redactor.text(outcome.summary),
    )
