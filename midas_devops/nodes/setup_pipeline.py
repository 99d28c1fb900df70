"""Propose the planned pipeline on a branch of its own, then set up the job that runs it."""

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
    """One proposal and one job, each once; the same input again finds the earlier ones."""
    planned = step.plan
    host = pipeline_host(step.ports)
    if planned.saved_plan is None:
        raise BlockedError("there is no planned pipeline to propose")
    proposal = PipelineProposal.model_validate(json.loads(step.ports.artifacts.get(planned.saved_plan)))
    host.check(proposal)
    jobs, job = step.ports.pipeline_jobs, proposal.job
    if jobs and job:
        jobs.check(job)
    outcome = once(
        step,
        "propose",
        planned.summary,
        act=lambda _: _outcome(host.propose(proposal, run_id=step.run_id)),
        reconcile=lambda _: _found(host.find(proposal)),
    )
    if jobs and job:
        made = once(
            step,
            "job",
            f"set up the job {job.name}",
            act=lambda _: _outcome(jobs.set_up(job)),
            reconcile=lambda _: _found(jobs.find(job)),
        )
        outcome = _both(outcome, made)
    return step.result(outcome.summary, outcome=outcome)


def _both(proposed: Outcome, made: Outcome) -> Outcome:
    return proposed.model_copy(
        update={
            "summary": f"{proposed.summary}; {made.summary}",
            "changed_anything": proposed.changed_anything or made.changed_anything,
        }
    )


def _found(result: ProposalResult | None) -> Outcome | None:
    return _outcome(result) if result else None


def _outcome(result: ProposalResult) -> Outcome:
    where = result.url or (f"branch {result.branch}" if result.branch else "")
    said = [f"proposed: {where}" if result.changed and result.branch else where, result.detail]
    return Outcome(
        ok=True,
        stage="pipeline",
        summary="; ".join(part for part in said if part),
        url=result.url,
        changed_anything=result.changed,
    )
