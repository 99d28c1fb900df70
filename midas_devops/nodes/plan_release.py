"""Plan a release: from which version to which, what lies between, and the effects in order."""

from __future__ import annotations

from midas_devops.domain.changes import ChangePlan, ReleaseChange
from midas_devops.domain.digest import canonical_json, sha256_hex
from midas_devops.domain.runs import Operation, ReleaseRequest
from midas_devops.errors import BlockedError, ConfigError
from midas_devops.nodes.step import Step
from midas_devops.ports.deployer import Running
from midas_devops.ports.source import Commit
from midas_devops.state import Json


def plan_release(step: Step, request: ReleaseRequest) -> Json:
    """A release plan. Raises ``BlockedError`` for a version that is blocked on this environment."""
    if step.environment.deploy is None:
        raise ConfigError(
            f"environment '{request.environment}' has no [environments.{request.environment}.deploy] table",
            hint="Add one to midas.toml; `midas-devops env list` shows what is configured.",
            location=f"midas.toml: environments.{request.environment}",
        )
    target = step.ports.source.resolve(request.version)
    _refuse_blocked(step, request, target)
    running = step.ports.deployer(request.environment).status()
    change = _release_change(step, request, running, target)
    done = bool(running and running.commit == target.sha and _verified(step, request, target))
    planned = ChangePlan(
        operation=Operation.DEPLOY_RELEASE,
        environment=request.environment,
        commit=target.sha,
        summary=f"{change.from_version or 'nothing'} → {change.to_version} on {request.environment}"
        f" ({change.commits_total} {'commit' if change.commits_total == 1 else 'commits'})",
        has_changes=not done,
        release=change,
        config_sha256=deploy_settings_sha256(step),
        saved_plan=step.ports.artifacts.put(
            canonical_json(step.ports.redactor.json(change.model_dump(mode="json"))), "release-plan.json"
        ),
        running=running.commit if running else "",
    )
    what = "already runs there, verified" if done else planned.summary
    return step.result(what, change_plan=planned)


def deploy_settings_sha256(step: Step) -> str:
    """Hash of everything in midas.toml that shapes how this environment is deployed to."""
    return sha256_hex(canonical_json(step.environment.model_dump(mode="json")))


def _refuse_blocked(step: Step, request: ReleaseRequest, target: Commit) -> None:
    for blocked in step.ports.ledger.blocked_versions(request.environment):
        if blocked.commit == target.sha:
            raise BlockedError(
                f"{blocked.version} is blocked on {request.environment} since"
                f" {blocked.blocked_at:%Y-%m-%d %H:%M} UTC: {blocked.reason}",
                hint=f"Deploy another version, or lift it: midas-devops env unblock {request.environment}"
                f" {blocked.version} --by NAME --reason TEXT",
                location=blocked.run_id,
            )


def _verified(step: Step, request: ReleaseRequest, target: Commit) -> bool:
    newest = next(
        (d for d in step.ports.ledger.deployments(request.environment) if d.commit == target.sha), None
    )
    return bool(newest and newest.verified)


def _release_change(
    step: Step, request: ReleaseRequest, running: Running | None, target: Commit
) -> ReleaseChange:
    start = running.commit if running else ""
    between = step.ports.source.between(start, target.sha)
    warnings = []
    if between.is_older:
        warnings.append(f"{target.version} is older than what runs now")
    if any("migration" in name.lower() for name in between.files):
        warnings.append("database migrations lie in between")
    first_effect = f"start {target.version} as a candidate and check its health"
    then = f"switch {request.environment} to it" + (f", stop {running.version}" if running else "")
    return ReleaseChange(
        from_commit=start,
        from_version=(running.version or start[:12]) if running else "",
        to_commit=target.sha,
        to_version=target.version or request.version,
        commits=between.commits,
        commits_total=between.commits_total,
        files_changed=between.files_total,
        warnings=tuple(warnings),
        effects=(f"export {target.sha[:12]}", first_effect, then, "verify from outside"),
    )
