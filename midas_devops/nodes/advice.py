"""Where a language model may advise. Rules have decided before it is asked (rules 6, 7 and 12)."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

from midas_devops.context.prompts import render
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.claims import ModelDiagnosis, merge_advice
from midas_devops.domain.evidence import Diagnosis
from midas_devops.domain.outcome import Evidence
from midas_devops.domain.plan_advice import PlanAdvice
from midas_devops.errors import BudgetExceededError
from midas_devops.nodes.step import Step
from midas_devops.state import Json

Schema = TypeVar("Schema", bound=BaseModel)

MOST_NOTES = 5
NO_ADVICE = "no advice"
"""The audit event of a question that a configured model did not answer."""


def planning_notes(step: Step, update: Json) -> Json:
    """The same plan, with a model's remarks among its notes. They change nothing that is carried out."""
    planned = update.get("change_plan")
    if step.ports.model is None or not planned or not planned["has_changes"]:
        return update
    prompt = render("plan", change_plan=planned, retrieved=step.state.get("retrieved", []))
    advice = asked(step, prompt, PlanAdvice, about="plan")
    if advice is None:
        why = f"{NO_ADVICE}: {step.ports.model.last_problem}"
        return {**update, "change_plan": {**planned, "notes": [*planned["notes"], why]}}
    remarks = [f"advice: {_plain(remark)}" for remark in (*advice.risks, *advice.remarks)][:MOST_NOTES]
    return {**update, "change_plan": {**planned, "notes": [*planned["notes"], *remarks]}}


def advised_diagnosis(step: Step, by_rules: Diagnosis) -> Diagnosis:
    """A model may explain and rank what the evidence carries; claims that quote nothing real are dropped."""
    context = step.state.get("context")
    if step.ports.model is None or not context:
        return by_rules
    artifacts = step.ports.artifacts
    texts = {}
    for item in step.state.get("evidence", []):
        evidence = Evidence.model_validate(item)
        texts[evidence.source] = artifacts.get(evidence.condensed).decode()
    text = artifacts.get(ArtifactRef.model_validate(context)).decode()
    prompt = render("diagnose", rules=by_rules.model_dump(mode="json"), evidence=text)
    advice = asked(step, prompt, ModelDiagnosis, about="diagnosis")
    if advice is None:
        return by_rules
    merged = merge_advice(by_rules, advice, texts)
    dropped = merged.dropped_claims - by_rules.dropped_claims
    if dropped and dropped == len(advice.causes):
        _missing(step, "diagnosis", "none of its claims quotes the evidence")
    return merged


def missing_advice(step: Step) -> list[str]:
    """Why a configured model gave none in this run, once per reason; from the audit, as runs are resumed."""
    trail = step.ports.ledger.audit_trail(step.run_id)
    reasons = [f"{entry.data['about']}: {entry.data['why']}" for entry in trail if entry.event == NO_ADVICE]
    return list(dict.fromkeys(reasons))


def _plain(remark: str) -> str:
    """One line that no terminal obeys, not too long."""
    return "".join(char if char.isprintable() else " " for char in remark[:300])


def asked(step: Step, prompt: str, schema: type[Schema], *, about: str) -> Schema | None:
    """The model's answer; None is on record with its reason."""
    model = step.ports.model
    if model is None:
        return None
    try:
        advice = model.ask(prompt, schema)
    except BudgetExceededError as over:
        _missing(step, about, over.message)
        return None
    if advice is None:
        _missing(step, about, model.last_problem)
    return advice


def _missing(step: Step, about: str, why: str) -> None:
    step.audit(NO_ADVICE, rule="12", about=about, why=why)
    step.say(f"{NO_ADVICE} on the {about}: {why}")
