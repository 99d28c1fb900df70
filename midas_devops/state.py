"""The graph's state: input, output, and what the nodes hand each other.

Values are plain JSON (rule 9): they survive any checkpointer and any parent graph. Each holds the dump of
the domain value named beside it; anything large is an artifact reference inside it.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

Json = dict[str, Any]


class DevOpsInput(TypedDict, total=False):
    """What a caller, or a parent graph, hands over."""

    request: Json
    """domain.runs.Request"""
    run_id: str
    """Chosen by the caller, or made by the first node."""
    test_results: Json
    """A tester peer's results, read by gates of kind ``peer``."""
    scan_results: Json
    """A security peer's results, read by gates of kind ``peer``."""
    infrastructure_requirements: Json
    """What an architect peer asks for, as ``{"resources": [domain.requirements.RequiredResource]}``."""


class DevOpsOutput(TypedDict, total=False):
    """What a finished run hands back."""

    run_id: str
    status: str
    run_report: Json


class DevOpsState(DevOpsInput, DevOpsOutput, total=False):
    """Everything between."""

    retrieved: list[Json]
    """ports.knowledge.Hit, at most five, shortened."""
    change_plan: Json
    """domain.changes.ChangePlan"""
    gates: Json
    """domain.gates.GateReport"""
    digest: str
    digest_parts: Json
    pending: Json
    """domain.changes.Pending, empty when nobody is asked"""
    approvals_needed: int
    """How many people must allow the current digest; 0 when nobody is asked."""
    review: Json
    """domain.approval.Review, the last answer"""
    answers: list[Json]
    """Every answer that was taken: {at, decision, by, reason, digest}"""
    approved: Json
    """{digest, effect, plan_json}: what the first effect of this run was allowed for"""
    outcome: Json
    """domain.outcome.Outcome"""
    deployment_id: int
    verification: Json
    """domain.outcome.Verification"""
    evidence: list[Json]
    """domain.outcome.Evidence, condensed"""
    context: Json
    """domain.artifacts.ArtifactRef of what a model is shown, within its budget"""
    diagnosis: Json
    """domain.evidence.Diagnosis"""
    recovery: Json
    """domain.outcome.Recovery"""
    attempts: Json
    """Budgets used so far: retries, rollbacks, reverts, reviews"""
    reason: str
    """Why the run ended as it did, where no other value says it."""
    timeline: list[Json]
    """{at, node, what}: one line a step"""
