"""Plan a release: from which version to which, what lies between, and the effects in order."""

from __future__ import annotations

from collections.abc import Iterator

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.changes import ChangePlan, ReleaseChange
from midas_devops.domain.counting import number
from midas_devops.domain.digest import canonical_json, sha256_hex
from midas_devops.domain.release_files import configuration, migrations
from midas_devops.domain.releases import verified_before, verified_there
from midas_devops.domain.runs import Operation, ReleaseRequest
from midas_devops.errors import BlockedError, ConfigError
from midas_devops.nodes.step import Step
from midas_devops.ports.deployer import Release, Running
from midas_devops.ports.ledger import Deployment
from midas_devops.ports.source import Between, Commit
from midas_devops.state import Json

SHOWN_FILES = 50
DEPLOYMENTS_LOOKED_AT = 500


def plan_release(step: Step, request: ReleaseRequest) -> Json:
    """A release plan. Raises ``BlockedError`` for a version that may not, or need not, go there."""
    if step.environment.deploy is None:
        raise ConfigError(
            f"environment '{request.environment}' has no [environments.{request.environment}.deploy] table",
            hint="Add one to midas.toml; `midas-devops env list` shows what is configured.",
            location=f"midas.toml: environments.{request.environment}",
        )
    deployer = step.ports.deployer(request.environment)
    running = deployer.status()
    target = _return_to(step, request, running) if request.rollback else _resolved(step, request)
    _refuse_blocked(step, request, target)
    done = bool(running and running.commit == target.sha and (request.rollback or _verified(step, target)))
    change = _release_change(step, request, running, target)
    arrow = "back to" if request.rollback else "→"
    planned = ChangePlan(
        operation=Operation.DEPLOY_RELEASE,
        environment=request.environment,
        commit=target.sha,
        summary=f"{change.from_version or 'nothing'} {arrow} {change.to_version} on {request.environment}"
        f" ({number(change.commits_total, 'commit')})",
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
    """Hash of all in midas.toml that shapes how this environment is deployed to, its gates included."""
    gates = {name: step.policy.gates.get(name) for name in step.environment.gates}
    settings = {
        "environment": step.environment.model_dump(mode="json"),
        "gates": {name: gate.model_dump(mode="json") if gate else None for name, gate in gates.items()},
    }
    return sha256_hex(canonical_json(settings))


def _resolved(step: Step, request: ReleaseRequest) -> Commit:
    return step.ports.source.resolve(request.version)


def _return_to(step: Step, request: ReleaseRequest, running: Running | None) -> Commit:
    """The version that a rollback goes to: the named one if it is verified here, else the one before."""
    environment = request.environment
    there = _deployments(step, environment)
    if request.version:
        target = _resolved(step, request)
        if verified_there(there, target.sha, newest_only=False) is None:
            raise BlockedError(
                f"{request.version} was never verified on {environment}, or failed there since:"
                " a rollback only goes to what proved itself",
                hint=_choices(step, there, running),
                location=environment,
            )
        return target
    newest = next((each.commit for each in there if each.status == "succeeded"), "")
    blocked = {each.commit for each in step.ports.ledger.blocked_versions(environment)}
    before = verified_before(there, blocked, running.commit if running else newest)
    if before is None:
        raise BlockedError(
            f"no verified version of {environment} from before is on record: there is nothing to return to",
            hint=_choices(step, there, running),
            location=environment,
        )
    return Commit(sha=before.commit, subject="", version=before.version)


def _choices(step: Step, there: list[Deployment], running: Running | None) -> str:
    environment = step.request.environment
    out_of_question = {each.commit for each in step.ports.ledger.blocked_versions(environment)}
    out_of_question.add(running.commit if running else "")
    known = [
        each.version
        for each in there
        if each.commit not in out_of_question and verified_there(there, each.commit, newest_only=False)
    ]
    if not known:
        return f"Deploy a version that is known to be good: midas-devops deploy {environment} VERSION"
    return f"Verified on {environment}: {', '.join(dict.fromkeys(known))}. Name one with --to VERSION."


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


def _verified(step: Step, target: Commit) -> bool:
    return verified_there(_deployments(step, step.request.environment), target.sha) is not None


def _deployments(step: Step, environment: str) -> list[Deployment]:
    return step.ports.ledger.deployments(environment, limit=DEPLOYMENTS_LOOKED_AT)


def _release_change(
    step: Step, request: ReleaseRequest, running: Running | None, target: Commit
) -> ReleaseChange:
    start = running.commit if running else ""
    version = target.version or request.version or target.sha[:12]
    between = step.ports.source.between(start, target.sha)
    migrating, configuring = migrations(between.files), configuration(between.files)
    effects, details = planned_effects(step, request, version, target.sha)
    return ReleaseChange(
        from_commit=start,
        from_version=(running.version or start[:12]) if running else "",
        to_commit=target.sha,
        to_version=version,
        commits=between.commits,
        commits_total=between.commits_total,
        files=between.files[:SHOWN_FILES],
        files_changed=between.files_total,
        migrations=migrating[:SHOWN_FILES] if start else (),
        migrations_total=len(migrating) if start else 0,
        configuration=configuring[:SHOWN_FILES] if start else (),
        configuration_total=len(configuring) if start else 0,
        gates=_gates(step, request),
        rollback=request.rollback,
        blocks=request.reason if request.rollback else "",
        warnings=tuple(_warnings(step, target.sha, version, between, migrating if start else ())),
        effects=effects,
        details=details,
    )


def planned_effects(
    step: Step, request: ReleaseRequest, version: str, commit: str
) -> tuple[tuple[str, ...], ArtifactRef | None]:
    """What the release does, in order, as its deployer says it now; and the target's own difference."""
    deployer = step.ports.deployer(request.environment)
    release = Release(run_id=step.run_id, environment=request.environment, version=version, commit=commit)
    planned = deployer.plan_rollback(release) if request.rollback else deployer.plan(release)
    blocks = (
        (f"block the version that is left: {request.reason}",) if request.rollback and request.reason else ()
    )
    return (*planned.effects, *blocks, *_checks(step)), planned.details


def _checks(step: Step) -> Iterator[str]:
    """How it is verified, in order."""
    verify = step.environment.verify
    yield "verify from outside: the commit that runs, and its health"
    if verify is None:
        return
    for check in verify.http:
        yield f"verify over HTTP: {check.url or check.path}"
    if verify.command:
        yield f"verify with {verify.command[0]}"
    if verify.logs:
        yield f"verify the log for {int(verify.logs.window.total_seconds())} s"


def _gates(step: Step, request: ReleaseRequest) -> tuple[str, ...]:
    environment = step.environment
    if request.rollback:
        return ("verified",)
    promotion = ("promotion",) if environment.promotes_from else ()
    return (*environment.gates, *promotion)


def _warnings(
    step: Step, commit: str, version: str, between: Between, migrating: tuple[str, ...]
) -> Iterator[str]:
    if between.is_older:
        yield f"{version} is older than what runs now"
    if migrating:
        which = ", ".join(migrating[:3]) + ("…" if len(migrating) > 3 else "")  # noqa: PLR2004 - examples
        way = "no rollback undoes them" if not between.is_older else "they are not undone by going back"
        yield f"database migrations lie in between, {way}: {which}"
    if between.files_total > len(between.files):
        yield f"only the first {len(between.files)} of {between.files_total} changed files were looked at"
    shas = {line.split(" ")[0] for line in between.commits}
    for name in step.policy.environments:
        for blocked in step.ports.ledger.blocked_versions(name):
            known = f"{blocked.version} is blocked on {name}: {blocked.reason}"
            if blocked.commit == commit:
                yield known
            elif (
                name == step.request.environment
                and not between.is_older
                and any(blocked.commit.startswith(sha) for sha in shas)
            ):
                yield f"it holds the commit of a bad version: {known}"
