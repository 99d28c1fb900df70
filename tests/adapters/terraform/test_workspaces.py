"""Workspaces: a state of their own, part of its identity, and made by nothing but the request for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midas_devops.domain.changes import StateIdentity
from midas_devops.errors import ToolError
from midas_devops.testing.iac import Watcher

from .projects import TerraformProject, engines


@pytest.fixture(params=engines(pytest.mark.slow))
def project(request: pytest.FixtureRequest, tmp_path: Path) -> TerraformProject:
    project = TerraformProject(tmp_path / "project", request.param)
    project.want({"a": "1"})
    return project


def brought_up(project: TerraformProject, effect: str = "run-1:apply") -> StateIdentity:
    plan = project.engine().plan(Watcher())
    assert plan.failure is None, plan.failure
    assert plan.saved_plan is not None
    result = project.engine().apply(plan.saved_plan, Watcher(), effect=effect)
    assert result.failure is None, result.failure
    assert result.state == project.engine().state_identity()
    return result.state


def test_each_has_its_own_state(project: TerraformProject) -> None:
    default = brought_up(project)
    project.settings["workspace"] = "blue"
    assert project.engine().create_workspace(Watcher())
    assert not project.engine().create_workspace(Watcher())
    plan = project.engine().plan(Watcher())
    assert plan.counts.add == 1
    assert plan.state == StateIdentity(workspace="blue") == project.engine().state_identity()
    blue = brought_up(project, "run-2:apply")
    assert (default.workspace, blue.workspace) == ("", "blue")
    assert blue.lineage != default.lineage
    raw = json.loads((project.folder / "terraform.tfstate.d" / "blue" / "terraform.tfstate").read_text())
    assert (blue.lineage, blue.serial) == (raw["lineage"], raw["serial"])
    del project.settings["workspace"]
    assert project.engine().state_identity() == default


def test_none_is_made_by_looking(project: TerraformProject) -> None:
    project.settings["workspace"] = "blue"
    plan, drift = project.engine().plan(Watcher()), project.engine().drift(Watcher())
    for failure in (plan.failure, drift.failure):
        assert failure is not None
        assert failure.code == "workspace_missing"
        assert "'blue'" in failure.message
    with pytest.raises(ToolError, match="'blue'"):
        project.engine().state_identity()
    assert not (project.folder / "terraform.tfstate.d").exists()


def test_the_variable_of_the_engine_names_one_too(project: TerraformProject) -> None:
    project.environ["TF_WORKSPACE"] = "blue"
    plan = project.engine().plan(Watcher())
    assert plan.failure is not None
    assert plan.failure.code == "workspace_missing"
    project.engine().create_workspace(Watcher())
    assert brought_up(project).workspace == "blue"


def test_midas_toml_wins_over_the_variable(project: TerraformProject) -> None:
    project.settings["workspace"] = "blue"
    project.environ["TF_WORKSPACE"] = "green"
    project.engine().create_workspace(Watcher())
    assert [path.name for path in (project.folder / "terraform.tfstate.d").iterdir()] == ["blue"]
    assert project.engine().state_identity().workspace == "blue"


def test_an_earlier_commit_is_planned_in_the_same_one(project: TerraformProject) -> None:
    project.settings["workspace"] = "blue"
    project.engine().create_workspace(Watcher())
    commit = project.commit()
    state = brought_up(project)
    project.want({"a": "1", "b": "1"})
    reverted = project.engine().plan(Watcher(), config_commit=commit)
    assert reverted.failure is None, reverted.failure
    assert (reverted.state, reverted.counts.total) == (state, 0)
