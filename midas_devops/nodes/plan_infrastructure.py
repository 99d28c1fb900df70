"""Plan an infrastructure change with the engine, and hold it against the guard."""

from __future__ import annotations

import time
from pathlib import Path

from midas_devops.domain.blast_radius import measure
from midas_devops.domain.changes import ChangeCounts, ChangePlan, GuardReport
from midas_devops.domain.digest import canonical_json
from midas_devops.domain.guard import evaluate, needs_approval
from midas_devops.domain.outcome import Outcome, RecoveryKind
from midas_devops.domain.runs import InfraAction, InfrastructureRequest, Operation
from midas_devops.errors import BlockedError, StateLockedError, UsageError
from midas_devops.nodes.step import Step
from midas_devops.ports.iac import IacFailure, PlanResult
from midas_devops.state import Json

SHOWN_FINDINGS = 20
SHOWN_PROTECTED = 50
SHOWN_TARGETS = 5
_REFUSED = {
    "stale_plan": "Nothing was done. Plan again, and give that plan.",
    "foreign_plan": "Nothing was done. Plan this configuration, as it stands, with this engine.",
    "workspace_missing": "Make it, on record: midas-devops infra workspace CONFIG.",
}


def plan_infrastructure(step: Step, request: InfrastructureRequest) -> Json:
    """A saved plan with its guard report, or a failed outcome of stage ``plan``."""
    _refuse_hidden_values(request)
    recovery = step.recovery
    reverting = recovery is not None and recovery.kind is RecoveryKind.REVERT
    revert_to = recovery.to_commit if recovery and reverting else ""
    engine = step.engine
    step.say(f"planning {request.config} with {engine.describe}")
    _wait_before_retry(step)
    imported = request.plan_file if not step.state.get("change_plan") else ""
    if imported:
        result = engine.adopt(Path(imported), step.say)
    else:
        result = engine.plan(
            step.say, destroy=request.action is InfraAction.DESTROY and not reverting, config_commit=revert_to
        )
    step.ports.redactor.learn(engine.sensitive_values(), "sensitive")
    attempts = step.counted("reverts") if revert_to else (step.state.get("attempts") or {})
    if result.failure:
        return {**_failed(step, result.failure), "attempts": attempts}
    guard = _guard(step, result)
    planned = _change_plan(step, request, result, guard, revert_to)
    if imported:
        origin = f"made outside, by whoever wrote {Path(imported).name}"
        planned = planned.model_copy(update={"notes": (*planned.notes, origin)})
    what = _counted(planned.counts) if planned.has_changes else "no changes"
    return step.result(
        f"revert to {revert_to[:12]}: {what}" if revert_to else what,
        change_plan=planned,
        outcome={},
        verification={},
        attempts=attempts,
    )


def _refuse_hidden_values(request: InfrastructureRequest) -> None:
    hidden = [name for name, value in request.variables.items() if "[redacted:" in value]
    if hidden:
        raise UsageError(
            f"the value of the variable {hidden[0]} looks like a secret, and is on no record",
            hint=f"Set the environment variable TF_VAR_{hidden[0]} instead.",
        )


def _wait_before_retry(step: Step) -> None:
    retries = step.attempts("retries")
    infrastructure = step.environment.infrastructure
    if not retries or infrastructure is None:
        return
    seconds = infrastructure.retry_wait.total_seconds() * 2 ** (retries - 1)
    step.say(f"retry {retries} after {seconds:g} s")
    time.sleep(seconds)


def _guard(step: Step, result: PlanResult) -> GuardReport:
    environment = step.environment
    infrastructure = environment.infrastructure
    return evaluate(
        result.changes,
        result.prior_addresses,
        production=environment.is_production,
        protected=infrastructure.protected if infrastructure else (),
        allow_destroy=bool(infrastructure and infrastructure.allow_destroy),
    )


def _change_plan(
    step: Step, request: InfrastructureRequest, result: PlanResult, guard: GuardReport, revert_to: str
) -> ChangePlan:
    production = step.environment.is_production
    protected = [f.address for f in guard.findings if needs_approval(f, production=production)]
    details = {
        "changes": [change.model_dump(mode="json") for change in result.changes],
        "findings": [finding.model_dump(mode="json") for finding in guard.findings],
        "protected": list(protected),
        "dependents": list(result.dependents),
    }
    counts = result.counts
    has_changes = counts.total > 0 or result.outputs_changed
    return ChangePlan(
        operation=Operation.MANAGE_INFRASTRUCTURE,
        environment=request.environment,
        commit=step.ports.source.head(),
        summary=f"{request.action} {request.config} on {request.environment}: {_counted(counts)}"
        + _limited(result.targets),
        counts=counts,
        has_changes=has_changes,
        guard=guard.verdict,
        findings_total=len(guard.findings),
        protected=tuple(protected[:SHOWN_PROTECTED]),
        protected_total=len(protected),
        findings=guard.findings[:SHOWN_FINDINGS],
        whole_environment=guard.whole_environment,
        blast_radius=measure(
            result.changes, len(result.dependents), whole_environment=guard.whole_environment
        ),
        config=request.config,
        config_sha256=result.config_sha256,
        saved_plan=result.saved_plan,
        plan_json=result.plan_json,
        details=step.ports.artifacts.put(
            canonical_json(step.ports.redactor.json(details)), "plan-details.json"
        ),
        state=result.state,
        revert_to=revert_to,
        targets=result.targets,
        notes=(
            f"engine: {result.engine}",
            *([f"workspace: {result.state.workspace}"] if result.state.workspace else []),
        ),
    )


def _limited(targets: tuple[str, ...]) -> str:
    if not targets:
        return ""
    more = f" and {len(targets) - SHOWN_TARGETS} more" if len(targets) > SHOWN_TARGETS else ""
    return f" (exception: limited to {', '.join(targets[:SHOWN_TARGETS])}{more})"


def _counted(counts: ChangeCounts) -> str:
    named = (
        (counts.add, "to add"),
        (counts.change, "to change"),
        (counts.replace, "to replace"),
        (counts.destroy, "to destroy"),
        (counts.forget, "to forget"),
    )
    return ", ".join(f"{number} {word}" for number, word in named if number) or "no resource changes"


def _failed(step: Step, failure: IacFailure) -> Json:
    if failure.code == "state_locked":
        raise StateLockedError(
            f"the state of {step.infrastructure.config} is locked: {failure.lock_holder or failure.message}",
            hint="Nothing was done. Wait for its holder; a lock that is not ours is never broken.",
            location=step.infrastructure.config,
        )
    if failure.code in _REFUSED:
        raise BlockedError(failure.message, hint=_REFUSED[failure.code], location=step.infrastructure.config)
    outcome = Outcome(
        ok=False,
        stage="plan",
        summary=failure.message,
        code=failure.code,
        diagnostics=failure.diagnostics[:10],
        logs=(failure.log,) if failure.log else (),
    )
    return step.result(f"planning failed: {failure.message}", outcome=outcome)
