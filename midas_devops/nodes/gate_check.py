"""Gates, the digest, and whether a person is asked."""

from __future__ import annotations

import json

from midas_devops.config import JUnitGate, PeerGate, PromotionGate
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.changes import ChangePlan, Pending
from midas_devops.domain.coverage import uncovered_changes
from midas_devops.domain.digest import canonical_json, digest_of, digest_parts, sha256_hex
from midas_devops.domain.gate_rules import judge_promotion, judge_scan, judge_tests
from midas_devops.domain.gates import GateReport, GateResult, Verdict
from midas_devops.domain.review_rule import ReviewNeed, review_need
from midas_devops.domain.runs import (
    InfraAction,
    InfrastructureRequest,
    Operation,
    ReleaseRequest,
    RunStatus,
)
from midas_devops.errors import BlockedError, MidasError
from midas_devops.nodes.step import Step
from midas_devops.state import Json


def gate_check(step: Step) -> Json:
    """Judge every gate, bind the digest, and set ``pending`` when a person has to answer."""
    planned = step.plan
    gates = evaluate_gates(step, planned.commit)
    parts = digest_parts(planned, gates)
    digest = digest_of(parts)
    bound = {"gates": gates, "digest": digest, "digest_parts": parts, "review": {}}
    step.audit("digest", rule="3", digest=digest, gates=gates.summary)
    if _only_planned(step):
        return step.result(f"planned; {gates.summary}", pending={}, **bound)
    if not gates.passed:
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
        covered=_covered(step, planned),
        production=step.environment.is_production,
    )
    if need.blocked:
        raise BlockedError(need.blocked, location=planned.config)
    bound["approvals_needed"] = need.approvals
    if need.kind is None:
        return step.result(f"{gates.summary}; nobody needs to be asked", pending={}, **bound)
    pending = _pending(step, planned, digest, need)
    return step.result(f"{gates.summary}; waiting for a person", pending=pending, **bound)


def evaluate_gates(step: Step, commit: str) -> GateReport:
    """Every configured gate of this operation, for exactly this commit. An error is never a pass (rule 5)."""
    request = step.request
    environment = step.environment
    if isinstance(request, ReleaseRequest):
        results = [_judge(step, name, commit) for name in environment.gates]
        if environment.promotes_from:
            results.append(_promotion(step, "promotion", environment.promotes_from, commit))
        return GateReport(gates=tuple(results))
    if isinstance(request, InfrastructureRequest) and environment.infrastructure:
        return GateReport(gates=tuple(_judge(step, n, commit) for n in environment.infrastructure.gates))
    return GateReport()


def _judge(step: Step, name: str, commit: str) -> GateResult:
    gate = step.policy.gates.get(name)
    now = step.ports.clock()
    if gate is None:
        return GateResult(name=name, verdict=Verdict.ERRORED, reason=f"gate '{name}' is not configured")
    try:
        if isinstance(gate, PromotionGate):
            return _promotion(step, name, gate.from_, commit)
        peers = {key: step.state.get(key) or {} for key in ("test_results", "scan_results")}
        if isinstance(gate, JUnitGate) or (isinstance(gate, PeerGate) and gate.results == "tests"):
            reading = step.ports.tests(gate, peers).read(commit)
            return judge_tests(name, reading, commit, now, gate.max_age)
        scan = step.ports.scans(gate, peers).read(commit)
        return judge_scan(name, scan, commit, now, gate.max_age, gate.fail_on)
    except MidasError as broken:
        return GateResult(name=name, verdict=Verdict.ERRORED, reason=broken.message)


def _promotion(step: Step, name: str, from_environment: str, commit: str) -> GateResult:
    newest = next((d for d in step.ports.ledger.deployments(from_environment) if d.commit == commit), None)
    verified = commit if newest and newest.verified else ""
    result: GateResult = judge_promotion(name, from_environment, verified, commit)
    proof = {"deployment": newest.deployment_id if newest else 0, "verified": bool(verified)}
    return result.model_copy(update={"evidence_sha256": sha256_hex(canonical_json(proof))})


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


def _pending(step: Step, planned: ChangePlan, digest: str, need: ReviewNeed) -> Pending:
    now = step.ports.clock()
    addresses = planned.protected
    question = {
        "approval": f"Carry out: {planned.summary}?",
        "revert": f"Revert {planned.config} to {planned.revert_to[:12]}: {planned.summary}?",
        "confirm_destroy": f"Destroy ALL of {planned.environment}: {planned.summary}?",
    }[need.kind or "approval"]
    if addresses:
        question += f" It destroys {planned.protected_total} protected: {', '.join(addresses[:10])}"
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
    not_passed = [gate for gate in gates.gates if gate.verdict is not Verdict.PASSED]
    return "; ".join(f"gate {gate.name} is {gate.verdict}: {gate.reason}" for gate in not_passed)
