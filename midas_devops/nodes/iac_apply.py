"""Apply exactly the saved plan that was approved."""

from __future__ import annotations

import time

from midas_devops.domain.outcome import Diagnostic, Outcome
from midas_devops.errors import BlockedError
from midas_devops.nodes.effects import authorize, effect_key, once
from midas_devops.nodes.step import Step
from midas_devops.ports.iac import ApplyResult, IacEngine
from midas_devops.ports.ledger import Effect, InfraApply
from midas_devops.state import Json

SHOWN = 20
POLL_SECONDS = 0.2

RECONCILE = "reconcile"
"""Outcome code: an interrupted apply moved the state; what remains is planned afresh."""


def iac_apply(step: Step) -> Json:
    """One apply, once. An apply that was cut off is looked at, never repeated blindly."""
    planned = step.plan
    if not planned.has_changes:
        return step.result("nothing to apply", outcome=_nothing_to_do(step))
    engine = step.engine
    step.ports.redactor.learn(engine.sensitive_values(), "sensitive")
    outcome = once(
        step,
        "apply",
        f"apply {planned.summary}",
        act=lambda effect: _apply(step, engine, effect),
        reconcile=lambda effect: _reconcile(step, engine, effect),
    )
    if outcome.code != RECONCILE:
        _record_apply(step, outcome)
    return step.result(
        outcome.summary,
        outcome=outcome,
        verification={},
        approved=_approved(step),
        attempts=step.counted("reconciles") if outcome.code == RECONCILE else step.state.get("attempts", {}),
    )


def _apply(step: Step, engine: IacEngine, effect: Effect) -> Outcome:
    planned = step.plan
    authorize(step, engine=engine, again=effect.state == "in_doubt")
    if planned.saved_plan is None:
        raise BlockedError("there is no saved plan to apply")
    step.say(f"applying the saved plan {planned.saved_plan.sha256[:12]} with {engine.describe}")
    result = engine.apply(planned.saved_plan, step.say, effect=effect.key)
    return _outcome(planned.state.serial, result)


def _reconcile(step: Step, engine: IacEngine, effect: Effect) -> Outcome | None:
    _wait_for_orphan(step, engine, effect)
    left = engine.left_behind(effect.key)
    if left is not None and left.failure is None:
        step.say("the engine of the interrupted run had finished its work")
        return _outcome(step.plan.state.serial, left)
    if left is not None and left.orphans:
        # To plan what remains would make them a second time.
        return _outcome(step.plan.state.serial, left)
    if engine.state_identity() == step.plan.state:
        return None
    return Outcome(
        ok=False,
        stage="apply",
        code=RECONCILE,
        changed_anything=True,
        summary="the apply was cut off after it had begun; planning what remains",
    )


def _wait_for_orphan(step: Step, engine: IacEngine, effect: Effect) -> None:
    infrastructure = step.environment.infrastructure
    limit = infrastructure.timeout.total_seconds() if infrastructure else 3600.0
    deadline = time.monotonic() + limit
    orphan = engine.in_flight(effect.key)
    if orphan.alive:
        step.say(f"the engine of the interrupted run still works (pid {orphan.pid}); waiting for it")
    while orphan.alive:
        if time.monotonic() > deadline:
            raise BlockedError(
                f"the engine of the interrupted run (pid {orphan.pid}) is still at work",
                hint="Let it end, then resume this run.",
            )
        time.sleep(POLL_SECONDS)
        orphan = engine.in_flight(effect.key)


def _outcome(serial_before: int, result: ApplyResult) -> Outcome:
    done = len(result.created) + len(result.changed) + len(result.destroyed)
    moved = done > 0 or bool(result.tainted or result.orphans) or result.state.serial != serial_before
    counted = f"{len(result.created)} added, {len(result.changed)} changed, {len(result.destroyed)} destroyed"
    common = {
        "stage": "apply",
        "created": len(result.created),
        "changed": len(result.changed),
        "destroyed": len(result.destroyed),
        "changed_anything": moved,
        "tainted": result.tainted[:SHOWN],
        "deposed": result.deposed[:SHOWN],
        "orphans": result.orphans[:SHOWN],
        "outputs": result.outputs,
        "logs": (result.log,) if result.log else (),
    }
    if result.failure is None:
        return Outcome.model_validate({**common, "ok": True, "summary": f"applied: {counted}"})
    left = "".join(
        f"; {what}: {', '.join(addresses[:5])}"
        for what, addresses in (
            ("tainted", result.tainted),
            ("left over", result.deposed),
            ("may exist without being in the state", result.orphans),
            ("not begun", result.not_begun),
        )
        if addresses
    )
    errors: tuple[Diagnostic, ...] = result.failure.diagnostics[:10]
    return Outcome.model_validate(
        {
            **common,
            "ok": False,
            "code": result.failure.code,
            "summary": f"apply failed ({result.failure.message}): {counted}{left}",
            "failed_addresses": result.failed[:SHOWN],
            "diagnostics": errors,
        }
    )


def _nothing_to_do(step: Step) -> Outcome:
    summary = "the interrupted apply had completed" if step.attempts("reconciles") else "nothing to apply"
    return Outcome(ok=True, stage="apply", summary=summary)


def _record_apply(step: Step, outcome: Outcome) -> None:
    planned = step.plan
    committed = planned.revert_to or step.ports.source.commit_of_path(planned.config)
    step.ports.ledger.record_apply(
        InfraApply(
            run_id=step.run_id,
            environment=planned.environment,
            config=planned.config,
            commit=committed,
            config_sha256=planned.config_sha256,
            # What was limited to some addresses did not apply the configuration: it is nothing to return to.
            ok=outcome.ok and not planned.targets,
            applied_at=step.ports.clock(),
        )
    )


def _approved(step: Step) -> Json:
    if not step.state.get("approvals_needed") and step.state.get("approved"):
        return dict(step.state["approved"])
    planned = step.plan
    return {
        "digest": step.state["digest"],
        "effect": effect_key(step, "apply"),
        "plan_json": planned.plan_json.model_dump(mode="json") if planned.plan_json else None,
    }
