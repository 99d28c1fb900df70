"""The validators really run, and a pipeline that they refuse goes nowhere."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from midas_devops.errors import MissingExtraError, ToolError
from midas_devops.pipelines import groovy, validate
from midas_devops.pipelines.pins import TOOLS
from tests.pipelines.cases import case
from tests.pipelines.test_repositories import needs_validators
from tests.tools import found, needs

GOOD = case("python-pip").folder / "github-actions.golden"
JENKINSFILE = case("jenkins-python").folder / "jenkins.golden"
PATH = ".github/workflows/ci.yml"


@needs_validators
@pytest.mark.parametrize(
    ("old", "new", "validator"),
    [
        ("    runs-on: ubuntu-24.04\n", "    run-on: ubuntu-24.04\n", "schema"),
        ("jobs:\n", "jobs: [\n", "schema"),
        (
            "        with:\n          persist-credentials: false\n      - uses: actions/setup",
            "      - uses: actions/setup",
            "zizmor: artipacked",
        ),
        ("@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0", "@v5", "zizmor: unpinned-uses"),
        (
            "    permissions:\n      contents: read\n",
            "    permissions: write-all\n",
            "zizmor: excessive-permissions",
        ),
        ("python -m pytest", "echo ${{ github.head_ref }} ", "zizmor: template-injection"),
    ],
)
def test_a_spoiled_workflow_is_refused_by_name(old: str, new: str, validator: str) -> None:
    text = GOOD.read_text()
    assert old in text
    with pytest.raises(ToolError, match=f"does not pass .*{validator}"):
        validate.validate("github-actions", PATH, text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("    stages {\n", "    stages \n", "closes nothing"),
        ("    options {\n", "    optoins {\n", "no section 'optoins'"),
        ("            steps {\n", "            step {\n", "no section 'step'"),
        ("    agent { label 'linux' }\n", "", "no agent"),
        ("pipeline {", "node {", "0 blocks 'pipeline'"),
        ("                    '''\n", "                    ''\n", "."),
        ("stage('scan')", "stage('python')", "stands there twice"),
    ],
)
def test_a_spoiled_jenkinsfile_is_refused(old: str, new: str, problem: str) -> None:
    text = JENKINSFILE.read_text()
    assert old in text
    with pytest.raises(ToolError, match=problem):
        validate.validate("jenkins", "Jenkinsfile", text.replace(old, new, 1))


def test_braces_in_strings_and_comments_are_no_blocks() -> None:
    text = "pipeline { agent any // {\n /* } */ stages { stage('a }') { steps { sh '''}{''' } } } }"
    assert groovy.problems(text) == []


def test_a_jenkinsfile_says_how_it_was_checked() -> None:
    said = validate.validate("jenkins", "Jenkinsfile", JENKINSFILE.read_text())[0]
    there = importlib.util.find_spec("groovy_parser")
    linter = shutil.which("npm-groovy-lint")
    assert ("npm-groovy-lint" if linter else "parses as Groovy" if there else "was not parsed") in said


@pytest.mark.skipif(
    importlib.util.find_spec("groovy_parser") is None,
    reason="groovy-parser not installed: pip install 'midas-devops[pipelines]'",
)
def test_what_is_no_groovy_is_refused_though_its_blocks_are_right() -> None:
    text = JENKINSFILE.read_text().replace("label: 'Deploy', script", "label: 'Deploy' script")
    assert groovy.problems(text) == []
    with pytest.raises(ToolError, match=r"does not pass (the Groovy parser|npm-groovy-lint)"):
        validate.validate("jenkins", "Jenkinsfile", text)


@pytest.mark.slow
@needs("npm-groovy-lint")
def test_groovys_own_parser_refuses_by_npm_groovy_lint(tmp_path: Path) -> None:
    file = tmp_path / "Jenkinsfile"
    file.write_text(JENKINSFILE.read_text().replace("label: 'Deploy', script", "label: 'Deploy' script"))
    problems = validate.groovy_lint_problems(found("npm-groovy-lint"), file)
    assert len(problems) == 1
    assert problems[0].startswith("line ")


@needs("actionlint")
def test_actionlint_refuses_what_schema_and_zizmor_let_pass(tmp_path: Path) -> None:
    text = GOOD.read_text().replace("fail-fast: false", "fail-fast: ${{ matrix.nothing }}")
    file = tmp_path / "ci.yml"
    file.write_text(text)
    problems = " ".join(validate.lint_problems(found("actionlint"), file))
    assert "nothing" in problems or "matrix" in problems


def test_without_the_validators_nothing_is_proposed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    with pytest.raises(MissingExtraError) as missing:
        validate.validate("github-actions", PATH, GOOD.read_text())
    assert missing.value.hint == "pip install 'midas-devops[pipelines]'"


def test_the_pipeline_installs_the_version_that_wrote_it() -> None:
    from midas_devops import __version__

    assert TOOLS["midas-devops"] == __version__
