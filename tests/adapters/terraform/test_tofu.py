"""What only OpenTofu has, on the real program: encrypted states and plans, and files of its own kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midas_devops.testing.iac import Watcher, applied, planned
from tests.tools import needs

from .projects import TerraformProject

pytestmark = needs("tofu")

ENCRYPTION = """
terraform {
  encryption {
    key_provider "pbkdf2" "ours" {
      passphrase = "a passphrase of the tests"
    }
    method "aes_gcm" "ours" {
      keys = key_provider.pbkdf2.ours
    }
    state {
      method   = method.aes_gcm.ours
      enforced = true
    }
    plan {
      method   = method.aes_gcm.ours
      enforced = true
    }
  }
}
"""


@pytest.fixture
def project(tmp_path: Path) -> TerraformProject:
    return TerraformProject(tmp_path / "project", "tofu")


def test_it_says_which_engine_it_is(project: TerraformProject) -> None:
    name, version = project.engine().describe.split()
    assert name == "tofu"
    assert version[0].isdigit()


def test_an_encrypted_state_and_plan_are_carried_out_and_bound_like_any_other(
    project: TerraformProject,
) -> None:
    project.write(ENCRYPTION, "encryption.tf")
    project.want({"a": "1", "b": "2"})
    plan = planned(project)
    assert plan.saved_plan is not None
    assert not project.artifacts.get(plan.saved_plan).startswith(b"PK"), "the plan is no plain archive"
    result = applied(project, plan)
    assert result.failure is None
    assert "encrypted_data" in json.loads((project.folder / "terraform.tfstate").read_bytes())
    assert result.outputs["names"] == project.engine().outputs()["names"] == "a,b"
    assert result.state == project.engine().state_identity()
    assert result.state.lineage
    again = applied(project, plan)
    assert again.failure is not None
    assert again.failure.code == "stale_plan"
    project.want({"a": "2", "b": "2"})
    assert planned(project).state == result.state
    assert not project.engine().drift(Watcher()).drifted


def test_a_wrong_key_is_a_failure_and_nothing_is_written(project: TerraformProject) -> None:
    project.write(ENCRYPTION, "encryption.tf")
    project.want({"a": "1"})
    assert applied(project, planned(project)).failure is None
    before = (project.folder / "terraform.tfstate").read_bytes()
    project.write(
        ENCRYPTION.replace("a passphrase of the tests", "another one of the tests"), "encryption.tf"
    )
    failure = project.engine().plan(Watcher()).failure
    assert failure is not None
    assert (project.folder / "terraform.tfstate").read_bytes() == before


def test_files_of_its_own_kind_are_configuration(project: TerraformProject) -> None:
    project.want({"a": "1"})
    first = project.engine().config_sha256()
    project.write('resource "terraform_data" "own" {\n  input = "1"\n}\n', "own.tofu")
    assert project.engine().config_sha256() != first
    assert project.address("own") in {change.address for change in planned(project).changes}
