"""Where the graph goes next. Pure functions of the state."""

from __future__ import annotations

from typing import Literal

from midas_devops.state import DevOpsState

RECONCILE = "reconcile"
MOST_RECONCILES = 3

Effect = Literal["iac_apply", "deploy", "setup_pipeline"]

_EFFECT_OF: dict[str, Effect] = {
    "manage_infrastructure": "iac_apply",
    "deploy_release": "deploy",
    "setup_pipeline": "setup_pipeline",
}


def effect_of(state: DevOpsState) -> Effect:
    """The node that carries this request out."""
    return _EFFECT_OF[state["request"]["operation"]]


def _failed(state: DevOpsState) -> bool:
    outcome = state.get("outcome") or {}
    return not outcome.get("ok", True)


def _unverified(state: DevOpsState) -> bool:
    return bool((state.get("verification") or {}).get("verdict", "passed") != "passed")


def after_retrieve(state: DevOpsState) -> Literal["plan", "summarize", "report"]:
    if state.get("status"):
        return "report"
    return "summarize" if _failed(state) or _unverified(state) else "plan"


def after_plan(state: DevOpsState) -> Literal["gate_check", "retrieve", "verify", "report"]:
    if state.get("status"):
        return "report"
    if _failed(state):
        return "retrieve"
    if state["change_plan"]["has_changes"] or state.get("approved"):
        return "gate_check"
    return "verify" if state["request"]["operation"] == "deploy_release" else "report"


def after_gates(
    state: DevOpsState,
) -> Literal["human_review", "iac_apply", "deploy", "setup_pipeline", "report"]:
    if state.get("status") or state["request"].get("action") == "plan":
        return "report"
    return "human_review" if state.get("pending") else effect_of(state)


def after_review(
    state: DevOpsState,
) -> Literal["human_review", "iac_apply", "deploy", "setup_pipeline", "plan", "rollback", "report"]:
    if state.get("status"):
        return "report"
    if state.get("pending"):
        return "human_review"
    if _failed(state) or _unverified(state):  # an escalation was answered with: try again
        return "rollback" if state["request"]["operation"] == "deploy_release" else "plan"
    return effect_of(state)


def after_effect(state: DevOpsState) -> Literal["verify", "retrieve", "plan", "report"]:
    if state.get("status"):
        return "report"
    outcome = state["outcome"]
    if outcome["code"] == RECONCILE:
        return "plan"
    return "verify" if outcome["ok"] else "retrieve"


def after_verify(state: DevOpsState) -> Literal["retrieve", "report"]:
    """What failed goes back; what is in doubt goes to a person, by the same way."""
    if state.get("status"):
        return "report"
    return "report" if state["verification"]["verdict"] == "passed" else "retrieve"


def after_diagnose(state: DevOpsState) -> Literal["plan", "rollback", "human_review", "report"]:
    if state.get("status"):
        return "report"
    if state.get("pending"):
        return "human_review"
    kind = state["recovery"]["kind"]
    if kind in ("retry", "revert"):
        return "plan"
    return "rollback" if kind == "rollback" else "report"
