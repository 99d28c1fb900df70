"""Propose the planned pipeline on a branch of its own."""

from __future__ import annotations

import json

from midas_devops.domain.outcome import Outcome
from midas_devops.errors import BlockedError
from midas_devops.nodes.effects import once
from midas_devops.nodes.plan_pipeline import pipeline_host
from midas_devops.nodes.step import Step
from midas_devops.ports.pipeline import PipelineProposal, ProposalResult
from midas_devops.state import Json


def setup_pipeline(step: Step) -> Json:
    """One proposal, once; the same input again finds the earlier one."""
    planned = step.plan
    host = pipeline_host(step.ports)
    if planned.saved_plan is None:
        raise BlockedError("there is no planned pipeline to propose")
    proposal = PipelineProposal.model_validate(json.loads(step.ports.artifacts.get(planned.saved_plan)))
    host.check(proposal)
    outcome = once(
        step,
        "propose",
        planned.summary,
        act=lambda _: _outcome(host.propose(proposal, run_id=step.run_id)),
        reconcile=lambda _: _found(host.find(proposal)),
    )
    return step.result(outcome.summary, outcome=outcome)


def _found(result: ProposalResult | None) -> Outcome | None:
    return _outcome(result) if result else None


def _outcome(result: ProposalResult) -> Outcome:
    where = result.url or (f"branch {result.branch}" if result.branch else "")
    said = [f"proposed: {where}" if result.changed else where, result.detail]
    return Outcome(
        ok=True,
        stage="pipeline",
        summary="; ".join(part for part in said if part),
        url=result.url,
        changed_anything=result.changed,
    )
