"""Gates, the digest, and whether a person is asked."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from midas_devops.config import (
    ChecksGate,
    CommandGate,
    Gate,
    JUnitGate,
    PeerGate,
    PromotionGate,
    RegoGate,
    SarifGate,
    WindowGate,
)
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.change_window import ChangeWindow, Freeze, judge_window
from midas_devops.domain.changes import ChangePlan, Pending
from midas_devops.domain.check_rules import judge_checks
from midas_devops.domain.coverage import uncovered_changes
from midas_devops.domain.digest import canonical_json, digest_of, digest_parts, sha256_hex
from midas_devops.domain.gate_rules import judge_promotion, judge_scan, judge_tests
from midas_devops.domain.gates import GateReport, GateResult, Verdict
from midas_devops.domain.policy_rules import judge_policies
from midas_devops.domain.releases import judge_return, soaked, verified_there
from midas_devops.domain.review_rule import ReviewNeed, review_need
from midas_devops.domain.runs import (
    InfraAction,
    InfrastructureRequest,
    Operation,
    PipelineRequest,
    ReleaseRequest,
    RunStatus,
)
from midas_devops.domain.scan_limits import Exemption, ScanLimits
from midas_devops.errors import BlockedError, MidasError
from midas_devops.nodes.step import Step
from midas_devops.state import Json


def gate_check(step: Step) -> Json:
    """Judge every gate, bind the digest, and set ``pending`` when a person has to answer."""
    planned = step.plan
    gates = evaluate_gates(step, planned.commit)
    parts = digest_parts(planned, gates, rules_in_force(step))
    digest = digest_of(parts)
    bound = {"gates": gates, "digest": digest, "digest_parts": parts, "review": {}}
    step.audit("digest", rule="3", digest=digest, gates=gates.summary)
    if _only_planned(step):
        return step.result(f"planned; {gates.summary}", pending={}, **bound)
    if gates.blocking:
        return step.result(
            f"gates do not pass: {gates.summary}",
            status=RunStatus.BLOCKED,
            reason=_gate_reason(gates),
            pending={},
            **bound,
        )
    need = review_need(
        planned,
        approvals=step.environment.approvals_needed if _asks(planned) else 0,
        covered=not gates.waived and _covered(step, planned),
        production=step.environment.is_production,
        waived=bool(gates.waived),
    )
    if need.blocked:
        raise BlockedError(need.blocked, location=planned.config)
    bound["approvals_needed"] = need.approvals
    if need.kind is None:
        return step.result(f"{gates.summary}; nobody needs to be asked", pending={}, **bound)
    pending = _pending(step, planned, digest, need, gates)
    return step.result(f"{gates.summary}; waiting for a person", pending=pending, **bound)


def evaluate_gates(step: Step, commit: str) -> GateReport:
    """Every configured gate of this operation, for exactly this commit. An error is never a pass (rule 5)."""
    request = step.request
    environment = step.environment
    if isinstance(request, ReleaseRequest) and request.rollback:
        return GateReport(gates=(_aged(step, _return(step, commit)),))
    if isinstance(request, ReleaseRequest):
        results = [_judge(step, name, commit) for name in environment.gates]
        if environment.promotes_from:
            results.append(_promotion(step, "promotion", environment.promotes_from, commit))
        return GateReport(gates=tuple(results))
    if isinstance(request, InfrastructureRequest) and environment.infrastructure:
        return GateReport(gates=tuple(_judge(step, n, commit) for n in environment.infrastructure.gates))
    return GateReport()


def rules_in_force(step: Step) -> Json:
    """What midas.toml says now about asking for this change, and about what may be destroyed."""
    if isinstance(step.request, PipelineRequest):
        return {}
    environment = step.environment
    rules: Json = {"production": environment.is_production, "approvals": environment.approvals_needed}
    if isinstance(step.request, InfrastructureRequest) and (own := environment.infrastructure):
        rules |= {"protected": sorted(own.protected), "allow_destroy": own.allow_destroy}
    return rules


def _judge(step: Step, name: str, commit: str) -> GateResult:
    gate = step.policy.gates.get(name)
    if gate is None:
        return GateResult(name=name, verdict=Verdict.ERRORED, reason=f"gate '{name}' is not configured")
    try:
        return _aged(step, _judged(step, name, gate, commit))
    except MidasError as broken:
        return GateResult(name=name, verdict=Verdict.ERRORED, reason=broken.message)


def _judged(step: Step, name: str, gate: Gate, commit: str) -> GateResult:
    now = step.ports.clock()
    if isinstance(gate, PromotionGate):
        return _promotion(step, name, gate.from_, commit, gate)
    if isinstance(gate, WindowGate):
        return judge_window(name, _window(gate), commit, now, _latest_on_record(step))
    if isinstance(gate, (ChecksGate, CommandGate)):
        checks = step.ports.checks(gate, step.request.environment).read(commit)
        if isinstance(gate, CommandGate):
            return judge_checks(name, checks, commit, now)
        return judge_checks(name, checks, commit, now, gate.max_age, gate.required)
    if isinstance(gate, RegoGate):
        return _policies(step, name, gate)
    peers = {key: step.state.get(key) or {} for key in ("test_results", "scan_results")}
    if isinstance(gate, JUnitGate) or (isinstance(gate, PeerGate) and gate.results == "tests"):
        reading = step.ports.tests(gate, peers).read(commit)
        return judge_tests(name, reading, commit, now, gate.max_age)
    scan = step.ports.scans(gate, peers).read(commit)
    limits = _limits(gate) if isinstance(gate, SarifGate) else None
    return judge_scan(name, scan, commit, now, gate.max_age, gate.fail_on, limits)


def _policies(step: Step, name: str, gate: RegoGate) -> GateResult:
    plan_json = step.plan.plan_json
    if step.ports.policies is None or plan_json is None:
        reason = "there is no plan of infrastructure for policies to judge"
        return GateResult(name=name, verdict=Verdict.INCONCLUSIVE, reason=reason)
    environment = step.environment
    facts = {
        "environment": step.request.environment,
        "kind": environment.kind,
        "production": environment.is_production,
    }
    reading = step.ports.policies(gate).read(step.ports.artifacts.get(plan_json), facts)
    return judge_policies(name, reading)


def _aged(step: Step, result: GateResult) -> GateResult:
    if result.measured_at is None:
        return result
    age = step.ports.clock() - result.measured_at
    return result.model_copy(update={"age_seconds": max(0, int(age.total_seconds()))})


def _limits(gate: SarifGate) -> ScanLimits:
    return ScanLimits(
        max_findings={str(level): most for level, most in gate.max_findings.items()},
        max_by_rule=gate.max_by_rule,
        exemptions=tuple(Exemption.model_validate(each.model_dump()) for each in gate.exceptions),
    )


def _window(gate: WindowGate) -> ChangeWindow:
    return ChangeWindow(
        time_zone=gate.time_zone,
        allow=gate.allow,
        freezes=tuple(Freeze(start=f.from_, end=f.until, reason=f.reason) for f in gate.freezes),
        override=gate.override,
    )


def _latest_on_record(step: Step) -> datetime | None:
    """The latest moment that earlier runs put on record: a clock that lies behind it was set back."""
    others = [run for run in step.ports.ledger.runs(limit=_RUNS_LOOKED_AT) if run.run_id != step.run_id]
    times = [moment for run in others for moment in (run.started_at, run.ended_at) if moment is not None]
    return max(times, default=None)


_RUNS_LOOKED_AT = 20


def _promotion(
    step: Step, name: str, from_environment: str, commit: str, gate: PromotionGate | None = None
) -> GateResult:
    ledger = step.ports.ledger
    there = ledger.deployments(from_environment, limit=_DEPLOYMENTS_LOOKED_AT)
    verified = verified_there(there, commit)
    ran = soaked(there, verified, step.ports.clock()) if verified else None
    result: GateResult = judge_promotion(
        name,
        from_environment,
        verified.commit if verified else "",
        commit,
        needed=gate.for_ if gate else timedelta(0),
        ran=ran,
        blocked=next((b.reason for b in ledger.blocked_versions(from_environment) if b.commit == commit), ""),
    )
    proof = {"deployment": verified.deployment_id if verified else 0, "verified": verified is not None}
    return _aged(
        step,
        result.model_copy(
            update={
                "evidence_sha256": sha256_hex(canonical_json(proof)),
                "measured_at": verified.verified_at if verified else None,
            }
        ),
    )


_DEPLOYMENTS_LOOKED_AT = 500


def _return(step: Step, commit: str) -> GateResult:
    """A rollback needs no new gates: the version proved itself here, and that is what is judged."""
    ledger, environment = step.ports.ledger, step.request.environment
    there = ledger.deployments(environment, limit=_DEPLOYMENTS_LOOKED_AT)
    return judge_return(environment, verified_there(there, commit, newest_only=False), commit)


def _only_planned(step: Step) -> bool:
    request = step.request
    return isinstance(request, InfrastructureRequest) and request.action is InfraAction.PLAN


def _asks(planned: ChangePlan) -> bool:
    return planned.operation is not Operation.SETUP_PIPELINE


def _covered(step: Step, planned: ChangePlan) -> bool:
    approved = step.state.get("approved") or {}
    ref = approved.get("plan_json")
    if not ref or planned.plan_json is None or planned.revert_to:
        return False
    artifacts = step.ports.artifacts
    uncovered = uncovered_changes(
        json.loads(artifacts.get(ArtifactRef.model_validate(ref))),
        json.loads(artifacts.get(planned.plan_json)),
    )
    if uncovered:
        step.say(f"the fresh plan goes beyond what was approved: {', '.join(uncovered[:5])}")
    step.audit("coverage", rule="3", approved=approved["digest"], uncovered=uncovered[:20])
    return not uncovered


def _pending(step: Step, planned: ChangePlan, digest: str, need: ReviewNeed, gates: GateReport) -> Pending:
    now = step.ports.clock()
    addresses = planned.protected
    question = {
        "approval": f"Carry out: {planned.summary}?",
        "revert": f"Revert {planned.config} to {planned.revert_to[:12]}: {planned.summary}?",
        "confirm_destroy": f"Destroy ALL of {planned.environment}: {planned.summary}?",
    }[need.kind or "approval"]
    if addresses:
        question += f" It destroys {planned.protected_total} protected: {', '.join(addresses[:10])}"
    if gates.waived:
        closed = "; ".join(f"{gate.name}: {gate.reason}" for gate in gates.waived)
        question += f" This overrides {closed}"
    return Pending(
        kind=need.kind or "approval",
        digest=digest,
        question=question,
        addresses=addresses,
        addresses_total=planned.protected_total,
        asked_at=now.isoformat(timespec="seconds"),
        expires_at=(now + step.policy.approvals.expire_after).isoformat(timespec="microseconds"),
        approvals_needed=need.approvals,
        confirm_word=planned.environment if need.kind == "confirm_destroy" else "",
    )


def _gate_reason(gates: GateReport) -> str:
    return "; ".join(f"gate {gate.name} is {gate.verdict}: {gate.reason}" for gate in gates.blocking)
