"""docs/pipelines.md says every key, and its example works."""

from __future__ import annotations

import json
import re
from pathlib import Path

from midas_devops.domain.pipeline_health import HealthReport, WorkflowHealth
from midas_devops.domain.pipeline_runs import Workflow
from midas_devops.pipelines.describe import JobDescription, PipelineConfig, WorkflowDescription
from midas_devops.pipelines.details import DeployDetails, PipelineDetails, ServiceDetails, parse_details
from midas_devops.ports.pipeline import BranchRules, HostConfig, HostEnvironment, HostPermissions

PAGE = (Path(__file__).parents[2] / "docs" / "pipelines.md").read_text(encoding="utf-8")


def test_every_key_is_documented() -> None:
    prose = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    mentioned = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", prose))))
    for model in (PipelineDetails, ServiceDetails, DeployDetails):
        assert set(model.model_fields) - mentioned == set()
    for described in (PipelineConfig, WorkflowDescription, JobDescription):
        assert set(described.model_fields) - mentioned == set()
    for told in (HostConfig, HostEnvironment, BranchRules, HostPermissions, Workflow):
        assert set(told.model_fields) - mentioned == set()
    for told in (HealthReport, WorkflowHealth):
        assert set(told.model_fields) - mentioned == set()


def test_the_example_is_taken() -> None:
    found = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    details = parse_details(json.loads(found[1]))
    assert [environment.name for environment in details.environments] == ["staging", "production"]
