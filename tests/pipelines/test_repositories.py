"""Each small repository: what is found in it, what is rendered for either platform, and that it is valid."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from midas_devops.errors import UsageError
from midas_devops.pipelines import groovy, validate
from midas_devops.pipelines.detect import detect
from midas_devops.pipelines.plan import draft_pipeline, plan_pipeline
from midas_devops.pipelines.tree import FolderTree
from midas_devops.pipelines.validate import validators_missing
from tests.pipelines.cases import Case, cases
from tests.tools import found, needs

needs_validators = pytest.mark.skipif(
    bool(validators_missing()),
    reason=f"{', '.join(validators_missing())} not installed: pip install 'midas-devops[pipelines]'",
)


def test_there_are_at_least_twenty() -> None:
    assert len(cases()) >= 20


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.folder.name)
def test_findings_are_those_expected_and_each_cites_a_file_that_is_there(case: Case) -> None:
    found = detect(FolderTree(case.tree))

    assert [f for f in found.findings if not (case.tree / f.file).is_file()] == []
    listed = {
        "components": [f"{part.name}: {part.tool} in {part.folder}" for part in found.components],
        "findings": [f"{f.what}: {f.value} ({f.file})" for f in found.findings],
        "services": {name: one.model_dump(exclude_defaults=True) for name, one in found.services.items()},
        "notes": list(found.notes),
    }
    case.assert_golden("findings.json", json.dumps(listed, indent=2) + "\n")


@pytest.mark.parametrize("platform", ["github-actions", "jenkins"])
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.folder.name)
def test_the_pipeline_is_the_golden_one(case: Case, platform: str) -> None:
    try:
        proposal = draft_pipeline("here", FolderTree(case.tree), case.details | {"platform": platform})
    except UsageError as refused:
        case.assert_golden(f"{platform}.golden", f"refused: {refused.message}\nnext: {refused.hint}\n")
        return
    assert len(proposal.files) == 1
    case.assert_golden(f"{platform}.golden", proposal.files[0].text)
    case.assert_golden(f"{platform}.reasons", "".join(f"{line}\n" for line in proposal.reasons))


@needs_validators
def test_every_golden_workflow_passes_schema_and_zizmor(tmp_path: Path) -> None:
    files = goldens("github-actions", tmp_path, ".github/workflows/ci.yml")
    checker, zizmor = validate.required_validators()
    assert validate.schema_problems(checker, *files) == []
    assert validate.security_problems(zizmor, *files) == []


@needs("actionlint")
def test_every_golden_workflow_passes_actionlint(tmp_path: Path) -> None:
    files = goldens("github-actions", tmp_path, ".github/workflows/ci.yml")
    assert validate.lint_problems(found("actionlint"), *files) == []


def test_every_golden_jenkinsfile_has_the_blocks_of_a_declarative_pipeline(tmp_path: Path) -> None:
    for file in goldens("jenkins", tmp_path, "Jenkinsfile"):
        assert groovy.problems(file.read_text()) == [], file


@pytest.mark.slow
@needs("npm-groovy-lint")
def test_golden_jenkinsfiles_pass_npm_groovy_lint(tmp_path: Path) -> None:
    # One of each kind: its own parser starts anew for every file.
    kinds = {"jenkins-python", "monorepo", "kotlin-gradle", "terraform-only", "container-only"}
    files = [f for f in goldens("jenkins", tmp_path, "Jenkinsfile") if f.parent.name in kinds]
    assert len(files) == len(kinds)
    assert validate.groovy_lint_problems(found("npm-groovy-lint"), *files) == []


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("groovy_parser") is None,
    reason="groovy-parser not installed: pip install 'midas-devops[pipelines]'",
)
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.folder.name)
def test_every_golden_jenkinsfile_parses_as_groovy(case: Case) -> None:
    text = (case.folder / "jenkins.golden").read_text()
    assert text.startswith("refused: ") or validate.groovy_problems(text) == []


@pytest.mark.slow
@needs_validators
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.folder.name)
def test_every_repository_is_planned_with_every_validator(case: Case) -> None:
    golden = (case.folder / "github-actions.golden").read_text()
    if golden.startswith("refused: "):
        pytest.skip("it cannot be expressed: the golden file says why")
    proposal = plan_pipeline("here", FolderTree(case.tree), case.details)
    file = proposal.files[0]
    assert file.text == golden
    passed = validate.validate(proposal.platform, file.path, file.text)
    assert "zizmor" in passed[-1]
    # Beside somebody's own file nothing is proposed, so nothing is said to pass.
    assert proposal.reasons[-len(passed) :] == tuple(passed) or file.instead


def goldens(platform: str, folder: Path, name: str) -> list[Path]:
    """Every golden pipeline under the name that the platform looks for, each in a folder of its own."""
    found = []
    for case in cases():
        text = (case.folder / f"{platform}.golden").read_text(encoding="utf-8")
        if not text.startswith("refused: "):
            file = folder / case.folder.name / name
            file.parent.mkdir(parents=True)
            file.write_text(text, encoding="utf-8")
            found.append(file)
    assert len(found) >= 20
    return found
