"""What a real engine complains about, as the diagnostics and the message of a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from midas_devops.adapters.terraform.stream import EngineStream
from midas_devops.domain.outcome import Diagnostic
from midas_devops.knowledge.diagnose import diagnose_file
from midas_devops.ports.iac import IacFailure
from midas_devops.testing.iac import Watcher

from .projects import TerraformProject, engines

HERE = "infra/staging/main.tf"


@pytest.fixture(params=engines(pytest.mark.slow))
def project(request: pytest.FixtureRequest, tmp_path: Path) -> TerraformProject:
    return TerraformProject(tmp_path / "project", request.param)


def refused(project: TerraformProject, text: str) -> IacFailure:
    project.write(text)
    failure = project.engine().plan(Watcher()).failure
    assert failure is not None
    return failure


def category(project: TerraformProject, failure: IacFailure) -> str:
    assert failure.log is not None
    return diagnose_file(project.artifacts.path(failure.log), diagnostics=failure.diagnostics).category


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('variable "a" { type = string default = 1 }\n', 1),
        ('output "x" {\n  value = 1\n}\n\nresource "terraform_data" {\n}\n', 5),
        ('output "x" {\n  value = 1 +\n}\n', 2),
        ('variable "a" {\n}\nvariable "a" {\n}\n', 3),
        ('terraform {\n  backend "nowhere" {\n  }\n}\n', 2),
    ],
    ids=["syntax", "label", "expression", "duplicate", "backend"],
)
def test_what_init_cannot_read_is_told_with_its_place_and_without_its_banner(
    project: TerraformProject, text: str, line: int
) -> None:
    failure = refused(project, text)
    first = failure.diagnostics[0]
    assert (first.file, first.line) == (HERE, line)
    assert not any("encountered problems" in one.summary for one in failure.diagnostics)
    assert f"{first.summary} ({HERE}:{line})" in failure.message
    assert category(project, failure) == "invalid_configuration"


def test_drift_names_the_same_place(project: TerraformProject) -> None:
    project.write("nonsense\n")
    failure = project.engine().drift(Watcher()).failure
    assert failure is not None
    assert f"({HERE}:1)" in failure.message
    assert "encountered problems" not in failure.message


def test_the_message_of_a_failed_plan_names_the_place(project: TerraformProject) -> None:
    failure = refused(
        project,
        'resource "terraform_data" "small" {\n  input = 3\n  lifecycle {\n    postcondition {\n'
        '      condition     = self.input > 5\n      error_message = "Too small."\n    }\n  }\n}\n',
    )
    assert f"({HERE}:5)" in failure.message
    assert category(project, failure) == "invalid_configuration"


def diagnostics(text: str) -> list[Diagnostic]:
    stream = EngineStream("infra")
    for line in text.splitlines():
        stream.read(line)
    return stream.diagnostics


def test_a_diagnostic_for_people_is_taken_apart() -> None:
    [found] = diagnostics(
        "╷\n"
        "│ Error: Resource precondition failed\n"
        "│ \n"
        '│   with module.net["a b"].terraform_data.vpc[0],\n'
        '│   on net/main.tf line 12, in resource "terraform_data" "vpc":\n'
        "│   12:       condition = var.ready\n"
        "│     ├────────────────\n"
        "│     │ var.ready is false\n"
        "│ \n"
        "│ The image must be ready.\n"
        "╵\n"
    )
    assert found.summary == "Resource precondition failed"
    assert (found.file, found.line) == ("infra/net/main.tf", 12)
    assert found.address == 'module.net["a b"].terraform_data.vpc[0]'
    assert found.detail.endswith("The image must be ready.")
    assert "12:" not in found.detail


def test_a_summary_that_was_wrapped_is_one_again() -> None:
    [found] = diagnostics(
        "Error: The configuration has a value that nobody at all can make any\nsense of here\n\nCorrect it.\n"
    )
    assert found.summary.endswith("nobody at all can make any sense of here")
    assert found.detail == "Correct it."


def test_a_value_from_outside_is_no_file_of_the_project() -> None:
    [found] = diagnostics(
        "Error: Variables not allowed\n\n  on <value for var.zones> line 1:\n  (source)\n\nNo.\n"
    )
    assert (found.file, found.line) == ("<value for var.zones>", 1)


def test_the_banner_alone_leaves_the_last_line_to_tell() -> None:
    text = "Error: Terraform encountered problems during initialisation, including problems\nwith it.\n"
    assert diagnostics(text) == []
