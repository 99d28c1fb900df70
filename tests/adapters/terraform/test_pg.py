"""State in PostgreSQL: Terraform's ``pg`` backend on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from midas_devops.errors import ToolError
from midas_devops.ports.iac import ApplyResult
from midas_devops.testing.iac import SECRET, Watcher

from .projects import TerraformProject, engines


@pytest.fixture(params=engines(pytest.mark.slow))
def project(request: pytest.FixtureRequest, tmp_path: Path, database: str) -> TerraformProject:
    project = TerraformProject(tmp_path / "project", request.param, backend={"schema_name": "orders"})
    project.write('terraform {\n  backend "pg" {}\n}\n', "backend.tf")
    project.environ["PG_CONN_STR"] = f"{database.replace('+psycopg', '')}?sslmode=disable"
    project.want({"a": "1"})
    return project


def brought_up(project: TerraformProject) -> ApplyResult:
    plan = project.engine().plan(Watcher())
    assert plan.failure is None, plan.failure
    assert plan.saved_plan is not None
    result = project.engine().apply(plan.saved_plan, Watcher(), effect="run-1:apply")
    assert result.failure is None, result.failure
    return result


def states(project: TerraformProject) -> list[str]:
    with psycopg.connect(project.environ["PG_CONN_STR"]) as connection:
        rows = connection.execute("SELECT name FROM orders.states ORDER BY name").fetchall()
    return [name for (name,) in rows]


@contextmanager
def locked(project: TerraformProject) -> Iterator[None]:
    """Hold the advisory lock that the backend takes on the state, as another engine does."""
    with psycopg.connect(project.environ["PG_CONN_STR"], application_name="somebody") as connection:
        connection.execute("SELECT pg_advisory_lock(id) FROM orders.states WHERE name = 'default'")
        yield


def test_state_outputs_and_secrets_come_from_the_database(project: TerraformProject) -> None:
    result = brought_up(project)
    assert result.state == project.engine().state_identity()
    assert result.state.lineage
    assert project.engine().outputs() == {"names": "a"}
    assert project.engine().sensitive_outputs() == ("token",)
    assert SECRET in set(project.engine().sensitive_values())
    assert not list(project.folder.glob("*.tfstate*"))
    assert states(project) == ["default"]


def test_nothing_that_we_write_holds_the_password(project: TerraformProject) -> None:
    brought_up(project)
    assert "only-for-this-test" in project.environ["PG_CONN_STR"]
    for path in project.root.rglob("*"):
        if path.is_file():
            assert b"only-for-this-test" not in path.read_bytes(), path


def test_an_earlier_commit_is_planned_against_the_same_state(project: TerraformProject) -> None:
    commit = project.commit()
    brought_up(project)
    project.want({"a": "1", "b": "1"})
    brought_up(project)
    plan = project.engine().plan(Watcher(), config_commit=commit)
    assert plan.failure is None, plan.failure
    assert plan.state == project.engine().state_identity()
    assert [change.address for change in plan.changes] == ["terraform_data.b"]


def test_a_workspace_is_made_by_the_request_for_it_and_by_nothing_else(project: TerraformProject) -> None:
    default = brought_up(project).state
    project.settings["workspace"] = "blue"
    plan = project.engine().plan(Watcher())
    assert plan.failure is not None
    assert plan.failure.code == "workspace_missing"
    with pytest.raises(ToolError, match="'blue'"):
        project.engine().outputs()
    assert states(project) == ["default"]
    assert project.engine().create_workspace(Watcher())
    assert not project.engine().create_workspace(Watcher())
    assert states(project) == ["blue", "default"]
    blue = brought_up(project).state
    assert (blue.workspace, blue.lineage != default.lineage) == ("blue", True)
    del project.settings["workspace"]
    assert project.engine().state_identity() == default


def test_a_lock_of_another_process_is_reported_as_far_as_the_backend_tells(project: TerraformProject) -> None:
    brought_up(project)
    project.want({"a": "2"})
    with locked(project):
        plan, drift = project.engine().plan(Watcher()), project.engine().drift(Watcher())
        with psycopg.connect(project.environ["PG_CONN_STR"]) as connection:
            held = connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
    for failure in (plan.failure, drift.failure):
        assert failure is not None
        assert failure.code == "state_locked"
        assert failure.lock_holder.startswith("somebody else")
        assert "does not say who" in failure.lock_holder
    assert held == (1,)
    assert project.engine().plan(Watcher()).failure is None


def test_a_lock_between_plan_and_apply_stops_the_apply(project: TerraformProject) -> None:
    before = brought_up(project).state
    project.want({"a": "2"})
    plan = project.engine().plan(Watcher())
    assert plan.saved_plan is not None
    with locked(project):
        result = project.engine().apply(plan.saved_plan, Watcher(), effect="2")
    assert result.failure is not None
    assert result.failure.code == "state_locked"
    assert project.engine().state_identity() == before
    assert project.engine().apply(plan.saved_plan, Watcher(), effect="3").failure is None


def test_a_database_that_is_away_is_an_error_not_an_empty_state(project: TerraformProject) -> None:
    brought_up(project)
    project.environ["PG_CONN_STR"] = "postgres://midas@127.0.0.1:1/none?sslmode=disable"
    with pytest.raises(ToolError, match="state"):
        project.engine().state_identity()
    plan = project.engine().plan(Watcher())
    assert plan.failure is not None
    assert plan.failure.code != "state_locked"
