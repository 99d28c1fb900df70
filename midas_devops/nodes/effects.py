"""Effects happen once, and only what was approved (rules 2 and 3)."""

from __future__ import annotations

from collections.abc import Callable

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.changes import ChangePlan
from midas_devops.domain.digest import digest_parts, moved_parts
from midas_devops.domain.outcome import Outcome
from midas_devops.domain.runs import InfrastructureRequest, ReleaseRequest
from midas_devops.errors import ApprovalRefusedError, BlockedError, StorageError
from midas_devops.nodes.gate_check import evaluate_gates, rules_in_force
from midas_devops.nodes.plan_release import deploy_settings_sha256, planned_effects
from midas_devops.nodes.step import Step
from midas_devops.ports.iac import IacEngine
from midas_devops.ports.ledger import Effect
from midas_devops.state import Json


def effect_key(step: Step, name: str) -> str:
    """Run, plan digest and step: the identity of an effect in the ledger."""
    return f"{step.run_id}/{step.state['digest'][:16]}/{name}"


def once(
    step: Step,
    name: str,
    what: str,
    *,
    act: Callable[[Effect], Outcome],
    reconcile: Callable[[Effect], Outcome | None],
) -> Outcome:
    """Carry an effect out exactly once.

    A receipt is reused. An intent without a receipt is in doubt: ``reconcile`` looks at the world and returns
    what it found, or None when the effect has to be (re)done by ``act``, which then has to be safe to repeat.
    """
    effect = step.ports.ledger.begin(step.run_id, effect_key(step, name), what)
    if effect.state == "done" and "refused" in effect.receipt:
        raise BlockedError(str(effect.receipt["refused"]))
    if effect.state == "done":
        step.say(f"{what}: done before, receipt reused")
        return Outcome.model_validate(effect.receipt)
    outcome = None
    if effect.state == "in_doubt":
        step.say(f"{what}: begun before, without a receipt; looking at what is really there")
        step.audit("effect in doubt", rule="2", key=effect.key)
        outcome = reconcile(effect)
    if outcome is None:
        try:
            outcome = act(effect)
        except BlockedError as refused:
            if effect.state == "not_begun":  # refused before it began: there is nothing to doubt
                step.ports.ledger.complete(effect.key, {"refused": step.ports.redactor.text(refused.message)})
            raise
    step.ports.ledger.complete(effect.key, step.ports.redactor.json(outcome.model_dump(mode="json")))
    step.audit("effect done", rule="2", key=effect.key, ok=outcome.ok)
    return outcome


def authorize(step: Step, *, engine: IacEngine | None = None, again: bool = False) -> None:
    """Everything that has to hold right before an effect. Raises ``BlockedError``.

    ``again``: the effect was begun before under the same approval, and what runs may have moved by it: to
    what it puts there, or to nothing. Anything else was put there by somebody since.
    """
    step.hold_environment()
    step.ports.leases.check(f"env:{step.request.environment}")
    now = _parts_now(step, engine, again=again)
    # What was approved is on record, without what was known as a secret then; more may be known by now.
    told = step.ports.redactor.json
    moved = moved_parts(told(step.state["digest_parts"]), told(now))
    if again and now["running"] in ("", now["commit"]):
        moved = [part for part in moved if part != "running"]
    if moved:
        step.audit("digest moved", rule="3", parts=moved)
        raise BlockedError(
            f"what was planned no longer holds: {', '.join(moved)} changed since. Nothing was done",
            hint="Ask again for a new plan and a new approval.",
            location=step.request.environment,
        )
    _consume(step, again=again)


def superseded(step: Step) -> bool:
    """Whether another run has put something on this environment since ours began to.

    In the order of the record: a clock may have been set back in between.
    """
    there = step.ports.ledger.deployments(step.request.environment)
    ours = [made.deployment_id for made in there if made.run_id == step.run_id]
    return bool(ours) and any(
        made.run_id != step.run_id and made.status == "succeeded" and made.deployment_id > min(ours)
        for made in there
    )


def _parts_now(step: Step, engine: IacEngine | None, *, again: bool) -> Json:
    planned = step.plan
    request = step.request
    if planned.saved_plan is not None and not _intact(step, planned.saved_plan):
        planned = planned.model_copy(update={"saved_plan": None})
    if isinstance(request, ReleaseRequest) and not again and not _does_the_same(step, request, planned):
        planned = planned.model_copy(update={"saved_plan": None})
    gates = evaluate_gates(step, planned.commit)
    if isinstance(request, InfrastructureRequest) and engine is not None:
        planned = planned.model_copy(
            update={
                "commit": step.ports.source.head(),
                "config_sha256": planned.config_sha256 if planned.revert_to else engine.config_sha256(),
                "state": engine.state_identity(),
            }
        )
    if isinstance(request, ReleaseRequest):
        running = step.ports.deployer(request.environment).status()
        planned = planned.model_copy(
            update={
                # A rollback to "the one before" names no version; that it is verified is one of its gates.
                "commit": step.ports.source.resolve(request.version).sha
                if request.version
                else planned.commit,
                "config_sha256": deploy_settings_sha256(step),
                "running": running.commit if running else "",
            }
        )
    return digest_parts(planned, gates, rules_in_force(step))


def _does_the_same(step: Step, request: ReleaseRequest, planned: ChangePlan) -> bool:
    """Whether the deployer would still do, step by step, what was read."""
    read = planned.release
    if read is None:
        return False
    effects, _ = planned_effects(step, request, read.to_version, planned.commit)
    now = step.ports.redactor.json(list(effects))
    then = step.ports.redactor.json(list(read.effects))
    if now == then:
        return True
    step.say(f"what would be done is another thing by now: {'; '.join(e for e in now if e not in then)}")
    return False


def _intact(step: Step, saved_plan: ArtifactRef) -> bool:
    try:
        step.ports.artifacts.path(saved_plan)
    except StorageError as broken:
        step.say(broken.message)
        return False
    return True


def _consume(step: Step, *, again: bool) -> None:
    digest = step.state["digest"]
    needed = int(step.state.get("approvals_needed") or 0)
    if not needed:
        return
    ledger = step.ports.ledger
    try:
        used = ledger.consume_approvals(step.run_id, digest, needed, step.ports.clock())
    except ApprovalRefusedError:
        if again and not ledger.approvals(step.run_id, digest):
            return  # consumed by this very effect before its process died
        raise
    step.audit("approval used", rule="3", digest=digest, by=[approval.by for approval in used])
