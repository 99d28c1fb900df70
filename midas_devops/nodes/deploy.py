"""Put the planned commit on its environment."""

from __future__ import annotations

from midas_devops.domain.outcome import Outcome
from midas_devops.nodes.effects import authorize, once
from midas_devops.nodes.step import Step
from midas_devops.ports.deployer import Deployer, DeployResult, Release
from midas_devops.ports.ledger import Deployment, Effect
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
    deployment_id = begun_deployment(step, release, "deploy")
    outcome = once(
        step,
        "deploy",
        f"deploy {version} to {request.environment}",
        act=lambda effect: _deploy(step, deployer, release, effect),
        reconcile=lambda _: _reconcile(step, deployer, release),
    )
    finish_deployment(step, deployment_id, outcome)
    return step.result(outcome.summary, outcome=outcome, deployment_id=deployment_id, verification={})


def _deploy(step: Step, deployer: Deployer, release: Release, effect: Effect) -> Outcome:
    authorize(step, again=effect.state == "in_doubt")
    step.say(f"deploying {release.version} ({release.commit[:12]}) to {release.environment}")
    return deploy_outcome("deploy", release, deployer.deploy(release, step.say))


def _reconcile(step: Step, deployer: Deployer, release: Release) -> Outcome | None:
    step.hold_environment()
    running = deployer.status()
    if running is None or running.commit != release.commit:
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
    """The whole story is in the log and the diagnosis."""
    return message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}…"


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
            }
        )
    )


def finish_deployment(step: Step, deployment_id: int, outcome: Outcome) -> None:
    """Record how a deployment ended."""
    step.ports.ledger.finish_deployment(
        deployment_id,
        status="succeeded" if outcome.ok else "failed",
        url=outcome.url,
        detail=step.ports.redactor.text(outcome.summary),
    )
