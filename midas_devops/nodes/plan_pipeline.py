"""Plan a CI/CD pipeline: detect, render, validate. Nothing is written."""

from __future__ import annotations

from midas_devops.domain.changes import ChangeCounts, ChangePlan
from midas_devops.domain.digest import canonical_json
from midas_devops.domain.runs import Operation, PipelineRequest
from midas_devops.errors import ConfigError
from midas_devops.nodes.step import Step
from midas_devops.ports.bundle import Ports
from midas_devops.ports.pipeline import PipelineHost
from midas_devops.state import Json


def plan_pipeline(step: Step, request: PipelineRequest) -> Json:
    """A validated proposal as the saved plan."""
    proposal = pipeline_host(step.ports).plan(request.repository_url, dict(request.config_details))
    new = [file for file in proposal.files if not file.exists]
    changes = [f"propose {', '.join(file.path for file in new)} for {proposal.repository}"] if new else []
    if proposal.job and not proposal.job.exists:
        changes.append(f"set up the job {proposal.job.name}")
    theirs = ", ".join(file.instead for file in proposal.files if file.instead)
    nothing = (
        f"{theirs} stands there already, with other content, and is left alone:"
        " see what it lacks with 'midas-devops pipeline show'"
        if theirs
        else f"nothing to propose for {proposal.repository}: the pipeline stands there already"
    )
    planned = ChangePlan(
        operation=Operation.SETUP_PIPELINE,
        environment=request.environment,
        commit=step.ports.source.head(),
        summary=" and ".join(changes) or nothing,
        counts=ChangeCounts(add=len(new) + len(changes) - bool(new)),
        has_changes=bool(changes),
        saved_plan=step.ports.artifacts.put(
            canonical_json(proposal.model_dump(mode="json")), "pipeline-proposal.json"
        ),
        notes=proposal.reasons,
    )
    return step.result(planned.summary, change_plan=planned)


def pipeline_host(ports: Ports) -> PipelineHost:
    """The configured host. Raises ``ConfigError`` when there is none."""
    if ports.pipelines is None:
        raise ConfigError(
            "no pipeline host is configured", hint="Hand one to Ports(pipelines=…); see docs/embedding.md"
        )
    return ports.pipelines
