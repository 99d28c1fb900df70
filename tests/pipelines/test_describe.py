"""get_pipeline_config: what the files say, and what they lack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from midas_devops.pipelines.describe import PipelineConfig, describe
from midas_devops.pipelines.tree import FolderTree
from tests.pipelines.cases import Case, cases
from tests.projects import write

LOOSE = """
name: build
on:
  push: {branches: [main, dev]}
  workflow_dispatch:
jobs:
  a:
    runs-on: [self-hosted, linux]
    environment: {name: staging, url: https://x.example}
    steps:
      - uses: actions/checkout@v4
      - run: |
          make test TOKEN=hunter2hunter2
          make more
        env: {KEY: "${{ secrets.DEPLOY_KEY }}", OTHER: "${{ secrets['OTHER'] }}"}
  b:
    needs: a
    uses: acme/shared/.github/workflows/x.yml@main
"""

JENKINSFILE = """
pipeline {
  agent { label 'linux' }
  triggers { cron('H 4 * * *') }
  stages {
    stage('Build') { steps { sh 'make' } }
    stage('Deploy') { agent any
      steps { withCredentials([string(credentialsId: 'deploy-key', variable: 'K')]) { sh 'make deploy' } } }
  }
}
"""


def described(folder: Path, files: dict[str, str]) -> PipelineConfig:
    write(folder, files)
    return describe(FolderTree(folder))


def test_a_workflow_is_told_job_by_job(tmp_path: Path) -> None:
    workflow = described(tmp_path, {".github/workflows/build.yml": LOOSE}).workflows[0]

    assert (workflow.file, workflow.name) == (".github/workflows/build.yml", "build")
    assert workflow.triggers == ("push (main, dev)", "workflow_dispatch")
    assert workflow.secrets == ("DEPLOY_KEY", "OTHER")
    assert workflow.permissions is None
    first, second = workflow.jobs
    assert (first.id, first.runs_on, first.environment, first.needs) == (
        "a",
        "self-hosted, linux",
        "staging",
        (),
    )
    assert first.steps == ("actions/checkout@v4", "make test TOKEN=hunter2hunter2")
    assert (second.needs, second.steps) == (("a",), ("calls acme/shared/.github/workflows/x.yml@main",))


def test_what_a_workflow_lacks_is_listed_with_its_file(tmp_path: Path) -> None:
    missing = described(tmp_path, {".github/workflows/build.yml": LOOSE}).missing

    said = "\n".join(missing)
    assert all(line.startswith(".github/workflows/build.yml: ") for line in missing)
    for lack in (
        "no permissions are set for a, b",
        "a: not pinned to a commit: actions/checkout@v4",
        "b: not pinned to a commit: acme/shared",
        "a: no timeout",
        "a: checkout leaves its token behind",
        "no concurrency",
        "no test results are reported",
        "no scan is reported",
    ):
        assert lack in said
    assert "b: no timeout" not in said


@pytest.mark.parametrize(
    ("platform", "file"), [("github-actions", ".github/workflows/ci.yml"), ("jenkins", "Jenkinsfile")]
)
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.folder.name)
def test_our_own_pipelines_lack_nothing_but_what_the_repository_cannot_report(
    case: Case, platform: str, file: str, tmp_path: Path
) -> None:
    text = (case.folder / f"{platform}.golden").read_text()
    if text.startswith("refused: "):
        return
    config = described(tmp_path, {file: text})

    allowed = ("no test results are reported (JUnit)", "no scan is reported (SARIF)")
    assert [lack for lack in config.missing if not lack.endswith(allowed)] == []
    assert config.workflows[0].problem == ""
    assert config.workflows[0].jobs


def test_a_jenkinsfile_is_told_stage_by_stage(tmp_path: Path) -> None:
    config = described(tmp_path, {"Jenkinsfile": JENKINSFILE})
    told = config.workflows[0]

    assert told.triggers == ("cron('H 4 * * *')",)
    assert [(job.id, job.runs_on) for job in told.jobs] == [("Build", "label 'linux'"), ("Deploy", "any")]
    assert told.jobs[0].steps == ("sh 'make'",)
    assert told.secrets == ("deploy-key",)
    assert "Jenkinsfile: no timeout" in config.missing


@pytest.mark.parametrize(
    "text", ["", "a: [", "- 1", "jobs: 3", "on: push\njobs: {a: 1}", "jobs: {a: {steps: 3, needs: 1}}", "\0"]
)
def test_a_broken_workflow_is_told_not_raised(tmp_path: Path, text: str) -> None:
    config = described(tmp_path, {".github/workflows/x.yml": text})
    assert config.workflows[0].problem or config.workflows[0].missing


def test_no_pipeline_at_all_is_a_lack(tmp_path: Path) -> None:
    assert "there is no pipeline" in describe(FolderTree(tmp_path)).missing[0]


def test_a_secret_in_a_command_goes_through_the_redactor(tmp_path: Path) -> None:
    write(tmp_path, {".github/workflows/x.yml": LOOSE})

    def redact(text: str) -> str:
        return text.replace("hunter2hunter2", "[redacted:value]")

    dumped: Any = describe(FolderTree(tmp_path), redact).model_dump_json()
    assert "hunter2" not in dumped
    assert "[redacted:value]" in dumped
