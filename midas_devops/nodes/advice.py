"""Where a language model may advise. Rules have decided before it is asked (rules 6, 7 and 12)."""

from __future__ import annotations

from midas_devops.context.prompts import render
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.claims import ModelDiagnosis, merge_advice
from midas_devops.domain.evidence import Diagnosis
from midas_devops.domain.outcome import Evidence
from midas_devops.domain.plan_advice import PlanAdvice
from midas_devops.errors import BudgetExceededError
from midas_devops.nodes.step import Step
from midas_devops.state import Json

MOST_NOTES = 5


def planning_notes(step: Step, update: Json) -> Json:
    """The same plan, with a model's remarks among its notes. They change nothing that is carried out."""
    planned = update.get("change_plan")
    if step.ports.model is None or not planned or not planned["has_changes"]:
        return update
    prompt = render("plan", change_plan=planned, retrieved=step.state.get("retrieved", []))
    try:
        advice = step.ports.model.ask(prompt, PlanAdvice)
    except BudgetExceededError as over:
        step.say(f"no advice: {over.message}")
        return update
    if advice is None:
        step.say("no advice: the model did not answer in the expected shape")
        return update
    remarks = [f"advice: {remark[:300]}" for remark in (*advice.risks, *advice.remarks)][:MOST_NOTES]
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
    try:
        advice = step.ports.model.ask(prompt, ModelDiagnosis)
    except BudgetExceededError as over:
        step.say(f"no advice: {over.message}")
        return by_rules
    return merge_advice(by_rules, advice, texts) if advice else by_rules
