"""Knowledge that fits the request, or, after a failure, the error."""

from __future__ import annotations

from midas_devops.domain.counting import number
from midas_devops.domain.runs import InfrastructureRequest, ReleaseRequest
from midas_devops.errors import MidasError
from midas_devops.nodes.step import Step
from midas_devops.ports.knowledge import Hit
from midas_devops.state import Json

HITS = 5
SHOWN_CHARACTERS = 400


def retrieve(step: Step) -> Json:
    """At most five shortened hits. A broken knowledge base degrades a run, it never stops one."""
    failed = step.outcome is not None or step.verification is not None
    if not failed and step.ports.model is None:
        return step.result("nothing to look up before planning: no model would read it", retrieved=[])
    query = _query(step)
    try:
        base = step.ports.knowledge()
        hits = base.search(query, HITS) if base else []
    except MidasError as broken:
        return step.result(f"knowledge base unavailable: {broken.message}", retrieved=[])
    what = f"{number(len(hits), 'passage')} found" if base else "no knowledge base"
    return step.result(what, retrieved=[_shortened(hit) for hit in hits])


def _query(step: Step) -> str:
    outcome = step.outcome
    if outcome and not outcome.ok:
        errors = " ".join(f"{d.summary} {d.detail}" for d in outcome.diagnostics[:3])
        return f"{outcome.summary} {errors}".strip()[:500]
    request = step.request
    if isinstance(request, InfrastructureRequest):
        return f"infrastructure {request.action} {request.config} {request.environment}"
    if isinstance(request, ReleaseRequest):
        return f"deploy release to {request.environment}"
    return f"pipeline for {request.repository_url}"


def _shortened(hit: Hit) -> Json:
    return {**hit.model_dump(mode="json"), "text": hit.text[:SHOWN_CHARACTERS]}
