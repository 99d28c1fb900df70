"""A plan that somebody made with the engine by hand: taken over as it is, or refused before anything."""

from __future__ import annotations

import shutil
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest

from midas_devops.adapters.terraform.program import find_program
from midas_devops.ports.iac import PlanResult
from midas_devops.testing.iac import SECRET, Watcher

from .projects import TerraformProject, engines

MODULE = 'variable "x" {\n}\nresource "terraform_data" "inner" {\n  input = var.x\n}\n'


@pytest.fixture(params=engines(pytest.mark.slow))
def project(request: pytest.FixtureRequest, tmp_path: Path) -> TerraformProject:
    project = TerraformProject(tmp_path / "project", request.param)
    project.want({"a": "1"})
    project.write('module "net" {\n  source = "./net"\n  x      = "1"\n}\n', "net.tf")
    project.write(MODULE, "net/main.tf")
    return project


def by_hand(project: TerraformProject, *arguments: str, workspace: str = "") -> Path:
    """``init`` and ``plan -out`` as a person types them."""
    program = find_program(project.choice, project.environ)  # type: ignore[arg-type]
    environ = {**project.environ, **({"TF_WORKSPACE": workspace} if workspace else {})}
    for line in (["init"], ["plan", "-out=mine.tfplan", *arguments]):
        done = subprocess.run(
            [*program.argv, *line, "-input=false", "-no-color"],
            cwd=project.folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    moved = project.root.parent / "mine.tfplan"
    shutil.move(project.folder / "mine.tfplan", moved)
    return moved


def refused(project: TerraformProject, plan: Path) -> tuple[str, str]:
    result = project.engine().adopt(plan, Watcher())
    assert result.failure is not None
    assert result.saved_plan is None
    assert not list(project.root.glob(".midas/artifacts/private/engine/*/tmp*"))
    return result.failure.code, result.failure.message


def test_it_is_copied_read_and_applied_as_it_is(project: TerraformProject) -> None:
    mine = by_hand(project)
    adopted = project.engine().adopt(mine, Watcher())
    assert adopted.failure is None, adopted.failure
    assert adopted.saved_plan is not None
    assert {change.address for change in adopted.changes} == {
        "terraform_data.a",
        "module.net.terraform_data.inner",
    }
    assert adopted.state == project.engine().state_identity()
    assert adopted.config_sha256 == project.engine().config_sha256()
    assert adopted.engine == project.engine().describe
    kept = project.artifacts.path(adopted.saved_plan)
    assert kept.read_bytes() == mine.read_bytes()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    mine.unlink()
    result = project.engine().apply(adopted.saved_plan, Watcher(), effect="1")
    assert result.failure is None, result.failure
    assert len(result.created) == 2


def test_what_it_marks_as_sensitive_is_known(project: TerraformProject) -> None:
    mine = by_hand(project)
    del project.environ["TF_VAR_token"]
    adopted = project.engine().adopt(mine, Watcher())
    assert SECRET in set(project.engine().sensitive_values())
    assert SECRET not in adopted.model_dump_json()


def test_its_targets_are_named(project: TerraformProject) -> None:
    adopted = project.engine().adopt(by_hand(project, "-target=module.net"), Watcher())
    assert adopted.targets == ("module.net",)


def test_a_destroy_in_it_is_seen(project: TerraformProject) -> None:
    plan = project.engine().plan(Watcher())
    assert plan.saved_plan is not None
    project.engine().apply(plan.saved_plan, Watcher(), effect="1")
    adopted = project.engine().adopt(by_hand(project, "-destroy"), Watcher())
    assert adopted.failure is None, adopted.failure
    assert (adopted.counts.destroy, len(adopted.prior_addresses)) == (2, 2)


def test_it_is_refused_when_the_state_has_moved(project: TerraformProject) -> None:
    mine = by_hand(project)
    plan: PlanResult = project.engine().plan(Watcher())
    assert plan.saved_plan is not None
    project.engine().apply(plan.saved_plan, Watcher(), effect="1")
    result = project.engine().adopt(mine, Watcher())
    assert result.failure is not None
    assert result.failure.code == "stale_plan"


@pytest.mark.parametrize("file", ["main.tf", "net/main.tf", "new.tf"])
def test_it_is_refused_when_the_configuration_is_another(project: TerraformProject, file: str) -> None:
    mine = by_hand(project)
    path = project.folder / file
    path.write_text((path.read_text() if path.exists() else "") + "\n# edited since\n")
    code, message = refused(project, mine)
    assert code == "foreign_plan"
    assert file in message


def test_it_is_refused_when_it_is_of_another_workspace(project: TerraformProject) -> None:
    mine = by_hand(project, workspace="blue")
    code, message = refused(project, mine)
    assert (code, "'blue'" in message) == ("foreign_plan", True)


def test_it_is_refused_when_its_state_lies_elsewhere(project: TerraformProject) -> None:
    project.write('terraform {\n  backend "local" {}\n}\n', "backend.tf")
    mine = by_hand(project)
    project.settings["backend"] = {"path": "elsewhere.json"}
    code, message = refused(project, mine)
    assert (code, "another local backend" in message) == ("foreign_plan", True)


def test_it_is_refused_when_another_version_made_it(project: TerraformProject, tmp_path: Path) -> None:
    """The version inside a real plan, put back by one."""
    mine = by_hand(project)
    version = project.engine().describe.split()[1]
    older = tmp_path / "older.tfplan"
    with zipfile.ZipFile(mine) as plan, zipfile.ZipFile(older, "w") as rewritten:
        for name in plan.namelist():
            content = plan.read(name)
            if name == "tfplan":
                assert version.encode() in content
                content = content.replace(version.encode(), version[:-1].encode() + b"0")
            rewritten.writestr(name, content)
    code, message = refused(project, older)
    assert (code, f"version {version[:-1]}0" in message) == ("foreign_plan", True)


@pytest.mark.parametrize("content", [b"", b"no plan", b"PK\x03\x04 cut off", b'{"format_version": "1.2"}'])
def test_what_is_no_saved_plan_is_refused(project: TerraformProject, tmp_path: Path, content: bytes) -> None:
    wrong = tmp_path / "wrong.tfplan"
    wrong.write_bytes(content)
    code, message = refused(project, wrong)
    assert (code, "no saved plan" in message) == ("foreign_plan", True)


def test_a_plan_cut_off_anywhere_is_refused(project: TerraformProject, tmp_path: Path) -> None:
    with zipfile.ZipFile(by_hand(project)) as plan:
        contents = {name: plan.read(name) for name in plan.namelist()}
    for length in range(0, len(contents["tfplan"]) - 60, 23):
        cut = tmp_path / "cut.tfplan"
        with zipfile.ZipFile(cut, "w") as rewritten:
            for name, content in contents.items():
                rewritten.writestr(name, content[:length] if name == "tfplan" else content)
        assert refused(project, cut)[0] == "foreign_plan"
