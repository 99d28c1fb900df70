"""What the architect asked for beside what a plan of infrastructure provides."""

from __future__ import annotations

from typing import Any

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.planned_values import planned_resources
from midas_devops.domain.requirements import Gap, compare
from midas_devops.domain.runs import InfraAction, InfrastructureRequest
from midas_devops.errors import MidasError
from midas_devops.nodes.drafting import drafted
from midas_devops.nodes.step import Step
from midas_devops.state import Json

SHOWN_GAPS = 20
SHOWN_MODULES = 5
_MODULES_PER_GAP = 3


def with_requirements(step: Step, request: InfrastructureRequest, update: Json) -> Json:
    """The same plan with the gap in it, and the modules at hand that fit best. It decides nothing.

    Raises ``UnreadableError`` for requirements that cannot be understood: nobody may take them for met.
    """
    planned = update.get("change_plan")
    if not planned or planned["revert_to"] or request.action is InfraAction.DESTROY:
        return update
    peers = {"infrastructure_requirements": step.state.get("infrastructure_requirements") or {}}
    source = step.ports.requirements(request.environment, peers)
    required = source.get_infrastructure_requirements(request.environment)
    if not required:
        return update
    plan_json = step.ports.artifacts.get(ArtifactRef.model_validate(planned["plan_json"]))
    report = compare(required, planned_resources(plan_json))
    step.audit("requirements", asked=report.asked, met=report.met, gaps=len(report.gaps))
    modules = _modules(step, report.gaps)
    draft = None
    if request.action is InfraAction.PLAN:
        draft = drafted(step, request, required, report, modules)
    told = f"{report.met} of {report.asked} requirements met"
    shown = report.model_copy(update={"gaps": report.gaps[:SHOWN_GAPS], "modules": modules})
    more: dict[str, Any] = {
        "requirements": shown.model_dump(mode="json"),
        "gaps_total": len(report.gaps),
        "draft": draft.model_dump(mode="json") if draft else None,
        "summary": f"{planned['summary']}; {told}",
    }
    step.say(told)
    return {**update, "change_plan": {**planned, **more}}


def _modules(step: Step, gaps: tuple[Gap, ...]) -> tuple[str, ...]:
    """Places in the knowledge base whose Terraform fits a gap best; none when there is no knowledge base."""
    found: dict[str, None] = {}
    try:
        base = step.ports.knowledge()
        queries = dict.fromkeys(f"{gap.type} {gap.name} {gap.attribute}".strip() for gap in gaps[:SHOWN_GAPS])
        for query in queries if base else ():
            for hit in base.search(query, _MODULES_PER_GAP, kinds=("terraform",)) if base else ():
                found[f"{hit.source}:{hit.first_line}-{hit.last_line}"] = None
    except MidasError as broken:
        step.say(f"knowledge base unavailable: {broken.message}")
    return tuple(found)[:SHOWN_MODULES]
