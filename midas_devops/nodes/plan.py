"""What would be done, before anything is."""

from __future__ import annotations

from midas_devops.domain.runs import InfrastructureRequest, Operation, ReleaseRequest
from midas_devops.nodes.advice import planning_notes
from midas_devops.nodes.plan_infrastructure import plan_infrastructure
from midas_devops.nodes.plan_pipeline import plan_pipeline
from midas_devops.nodes.plan_release import plan_release
from midas_devops.nodes.requirements import with_requirements
from midas_devops.nodes.step import Step
from midas_devops.state import Json


def plan(step: Step) -> Json:
    """Plan by operation, under the environment's lease."""
    request = step.request
    if request.operation is not Operation.SETUP_PIPELINE:
        step.hold_environment()
    if isinstance(request, InfrastructureRequest):
        update = with_requirements(step, request, plan_infrastructure(step, request))
    elif isinstance(request, ReleaseRequest):
        update = plan_release(step, request)
    else:
        update = plan_pipeline(step, request)
    return planning_notes(step, update)
