"""Variables, their files, targets and backend settings: what reaches the engine, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midas_devops.errors import UsageError
from midas_devops.ports.iac import PlanInputs, PlanResult
from midas_devops.testing.iac import Watcher

from .projects import TerraformProject, engines

CONFIGURATION = """
variable "region" {
  type = string
}
variable "sizes" {
  type    = list(number)
  default = []
}
variable "password" {
  type      = string
  sensitive = true
  default   = ""
}
resource "terraform_data" "a" {
  input = "${var.region} ${join(",", var.sizes)}"
}
resource "terraform_data" "b" {
  input = var.region
}
output "region" {
  value = var.region
}
output "password" {
  value     = var.password
  sensitive = true
}
"""


@pytest.fixture(params=engines(pytest.mark.slow))
def project(request: pytest.FixtureRequest, tmp_path: Path) -> TerraformProject:
    project = TerraformProject(tmp_path / "project", request.param)
    project.write(CONFIGURATION)
    return project


def planned(project: TerraformProject, inputs: PlanInputs | None = None) -> PlanResult:
    engine = project.engine()
    plan = (engine.given(inputs) if inputs else engine).plan(Watcher())
    assert plan.failure is None, plan.failure
    return plan


def values(project: TerraformProject, plan: PlanResult) -> dict[str, str]:
    assert plan.plan_json is not None
    changes = json.loads(project.artifacts.get(plan.plan_json))["resource_changes"]
    return {change["name"]: change["change"]["after"]["input"] for change in changes}


def test_what_is_named_later_wins(project: TerraformProject) -> None:
    project.settings.update({"vars": {"region": "toml", "sizes": (1, 2)}, "var_files": ("infra/one.tfvars",)})
    (project.root / "infra" / "one.tfvars").write_text('region = "file"\n')
    assert values(project, planned(project)) == {"a": "toml 1,2", "b": "toml"}
    (project.root / "infra" / "two.tfvars").write_text("sizes = [7]\n")
    given = PlanInputs(variables={"region": "given"}, var_files=("infra/two.tfvars",))
    assert values(project, planned(project, given))["b"] == "given"


def test_every_input_is_part_of_the_configurations_hash(project: TerraformProject) -> None:
    file = project.root / "infra" / "one.tfvars"
    file.write_text('region = "x"\n')
    engine = project.engine()
    given = [
        PlanInputs(),
        PlanInputs(variables={"region": "x"}),
        PlanInputs(variables={"region": "y"}),
        PlanInputs(var_files=("infra/one.tfvars",)),
    ]
    hashes = [engine.given(inputs).config_sha256() for inputs in given]
    assert len(set(hashes)) == len(hashes)
    assert planned(project, given[3]).config_sha256 == hashes[3]
    file.write_text('region = "z"\n')
    assert engine.given(given[3]).config_sha256() != hashes[3]
    assert engine.given(given[1]).config_sha256() == hashes[1]


def test_a_secret_is_taken_from_the_environment_and_nowhere_else(project: TerraformProject) -> None:
    with pytest.raises(UsageError, match="sensitive") as refused:
        project.engine().given(PlanInputs(variables={"region": "x", "password": "hunter2-Zq8-hunter2"}))
    assert "TF_VAR_password" in refused.value.hint
    project.settings["vars"] = {"password": "hunter2-Zq8-hunter2", "region": "x"}
    with pytest.raises(UsageError, match="sensitive"):
        project.engine().given(PlanInputs())
    project.settings["vars"] = {"region": "x"}
    project.environ["TF_VAR_password"] = "hunter2-Zq8-hunter2"
    plan = planned(project)
    assert "hunter2" not in plan.model_dump_json()
    assert "hunter2-Zq8-hunter2" in set(project.engine().sensitive_values())


def test_a_sensitive_value_in_a_variables_file_is_known_to_the_redactor(project: TerraformProject) -> None:
    (project.root / "infra" / "secret.tfvars").write_text('region = "x"\npassword = "in-a-file-5150"\n')
    engine = project.engine().given(PlanInputs(var_files=("infra/secret.tfvars",)))
    assert "in-a-file-5150" in set(engine.sensitive_values())


def test_a_target_limits_the_plan_and_is_named(project: TerraformProject) -> None:
    plan = planned(project, PlanInputs(variables={"region": "x"}, targets=("terraform_data.b",)))
    assert [change.address for change in plan.changes] == ["terraform_data.b"]
    assert plan.targets == ("terraform_data.b",)
    assert planned(project, PlanInputs(variables={"region": "x"})).targets == ()


@pytest.mark.parametrize(
    "inputs",
    [
        PlanInputs(variables={"-destroy": "x"}),
        PlanInputs(variables={"a b": "x"}),
        PlanInputs(targets=("-destroy",)),
        PlanInputs(targets=("",)),
        PlanInputs(var_files=("nowhere.tfvars",)),
        PlanInputs(var_files=("../outside.tfvars",)),
        PlanInputs(var_files=("/etc/hostname",)),
    ],
)
def test_what_is_no_input_is_refused_before_the_engine_sees_it(
    project: TerraformProject, inputs: PlanInputs
) -> None:
    (project.root.parent / "outside.tfvars").write_text('region = "x"\n')
    with pytest.raises(UsageError):
        project.engine().given(inputs)


def test_outputs_name_the_sensitive_ones_without_their_value(project: TerraformProject) -> None:
    project.settings["vars"] = {"region": "x"}
    project.environ["TF_VAR_password"] = "hunter2-Zq8-hunter2"
    plan = planned(project)
    assert plan.saved_plan is not None
    assert project.engine().apply(plan.saved_plan, Watcher(), effect="1").failure is None
    assert project.engine().outputs() == {"region": "x"}
    assert project.engine().sensitive_outputs() == ("password",)


def test_a_revert_has_the_variables_of_today(project: TerraformProject) -> None:
    commit = project.commit()
    (project.root / "infra" / "late.tfvars").write_text('region = "late"\n')
    project.write(CONFIGURATION + "\n# edited since\n")
    engine = project.engine().given(PlanInputs(var_files=("infra/late.tfvars",)))
    plan = engine.plan(Watcher(), config_commit=commit)
    assert plan.failure is None, plan.failure
    assert values(project, plan)["b"] == "late"


def test_backend_settings_of_midas_toml_complete_the_configurations(project: TerraformProject) -> None:
    project.write('terraform {\n  backend "local" {}\n}\n', "backend.tf")
    project.settings.update({"vars": {"region": "x"}, "backend": {"path": "states/one.json"}})
    plan = planned(project)
    assert plan.saved_plan is not None
    state = project.engine().apply(plan.saved_plan, Watcher(), effect="1").state
    raw = json.loads((project.folder / "states" / "one.json").read_text())
    assert (state.lineage, state.serial) == (raw["lineage"], raw["serial"])
    assert project.engine().state_identity() == state
    first = project.engine().config_sha256()
    (project.root / "infra" / "two.tfbackend").write_text('path = "states/two.json"\n')
    project.settings.update({"backend": {}, "backend_files": ("infra/two.tfbackend",)})
    assert project.engine().config_sha256() != first


def test_a_backend_that_changed_is_refused_and_no_state_is_moved(project: TerraformProject) -> None:
    project.write('terraform {\n  backend "local" {}\n}\n', "backend.tf")
    project.settings.update({"vars": {"region": "x"}, "backend": {"path": "states/one.json"}})
    plan = planned(project)
    assert plan.saved_plan is not None
    project.engine().apply(plan.saved_plan, Watcher(), effect="1")
    project.settings["backend"] = {"path": "states/two.json"}
    refused = project.engine().plan(Watcher())
    assert refused.failure is not None
    assert refused.failure.code == "init_failed"
    assert "Backend configuration" in refused.failure.model_dump_json()
    assert not (project.folder / "states" / "two.json").exists()
