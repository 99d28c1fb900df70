"""``pipeline setup`` and ``pipeline show`` as runs of the agent and as commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from midas_devops.adapters.pipelines_local import BRANCH
from midas_devops.agent import DevOpsAgent
from midas_devops.interfaces.cli.main import run
from tests.pipelines.test_repositories import needs_validators
from tests.projects import commit, git, project, write

CI = ".github/workflows/ci.yml"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project(
        tmp_path / "service",
        {
            "midas.toml": '[environments.staging]\nkind = "staging"\n',
            ".gitignore": ".midas/\n",
            "requirements.txt": "pytest\n",
            "test_app.py": "def test_a(): pass\n",
        },
    )


def command(capsys: pytest.CaptureFixture[str], root: Path, *words: str) -> tuple[int, Any]:
    code = run(["--project", str(root), *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


@needs_validators
def test_setup_is_a_run_that_proposes_once(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    code, first = command(capsys, root, "pipeline", "setup", str(root), "--platform", "github-actions")
    assert (code, first["operation"], first["status"]) == (0, "setup_pipeline", "succeeded")
    tip = git(root, "rev-parse", BRANCH)
    assert git(root, "diff", "--name-only", f"HEAD..{BRANCH}") == CI
    assert git(root, "status", "--porcelain") == ""

    code, second = command(capsys, root, "pipeline", "setup", str(root), "--platform", "github-actions")
    assert (code, second["status"]) == (0, "succeeded")
    assert git(root, "rev-parse", BRANCH) == tip


def test_setup_beside_another_pipeline_claims_nothing_about_it(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    write(root, {CI: "on: push\njobs:\n  a:\n    steps: [\n"})
    commit(root, "their broken pipeline")

    code, run = command(capsys, root, "pipeline", "setup", str(root), "--platform", "github-actions")
    assert (code, run["status"]) == (0, "succeeded")
    said = run["report"]["summary"]
    assert said.startswith(f"{CI} stands there already, with other content, and is left alone")
    assert "pipeline show" in said
    assert not [note for note in run["plan"]["notes"] if "passes" in note]


@needs_validators
def test_details_come_from_a_file(capsys: pytest.CaptureFixture[str], root: Path, tmp_path: Path) -> None:
    details = tmp_path / "details.json"
    details.write_text(json.dumps({"environments": [{"name": "staging"}], "platform": "jenkins"}))
    code, _ = command(capsys, root, "pipeline", "setup", str(root), "--details", str(details))
    assert code == 0
    assert "midas-devops deploy staging" in git(root, "show", f"{BRANCH}:Jenkinsfile")


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ('{"platfrom": "jenkins"}', (), "Did you mean 'platform'"),
        ('{"platform": "jenkins"}', ("--platform", "github-actions"), "Give one of them"),
        ("[]", (), "Write {"),
        ("{", (), "JSON file with one object"),
        ("{}", ("--platform", "gitlab"), ""),
    ],
)
def test_a_mistake_in_the_details_is_exit_2_before_a_run_begins(
    capsys: pytest.CaptureFixture[str],
    root: Path,
    tmp_path: Path,
    text: str,
    words: tuple[str, ...],
    said: str,
) -> None:
    details = tmp_path / "details.json"
    details.write_text(text)
    code, shown = command(capsys, root, "pipeline", "setup", str(root), "--details", str(details), *words)
    assert code == 2
    assert said in shown["error"]["hint"]
    assert command(capsys, root, "runs", "list")[1] == {"runs": []}


def test_a_repository_that_is_not_there_is_exit_2(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    code, shown = command(capsys, root, "pipeline", "setup", "acme/orders")
    assert code == 2
    assert "GitHub is not configured" in shown["error"]["message"]


@needs_validators
def test_a_proposal_that_somebody_edited_blocks_the_run_before_any_effect(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    command(capsys, root, "pipeline", "setup", str(root))
    git(root, "switch", "-q", BRANCH)
    write(root, {CI: "name: mine\n"})
    commit(root, "mine")
    git(root, "switch", "-q", "main")

    code, shown = command(capsys, root, "pipeline", "setup", str(root))

    assert (code, shown["status"], shown["effects"]) == (4, "blocked", [])
    assert "changed by somebody" in shown["reason"]


@needs_validators
def test_the_pipeline_config_of_a_merged_proposal_lacks_nothing(root: Path) -> None:
    with DevOpsAgent.from_project(root) as agent:
        assert "there is no pipeline" in agent.get_pipeline_config()["missing"][0]
        made = agent.setup_pipeline(".", {"environments": [{"name": "staging", "pass_env": ["DEPLOY_KEY"]}]})
        assert made.status == "succeeded"
        git(root, "merge", "-q", BRANCH)
        config = agent.get_pipeline_config()

    assert config["missing"] == []
    workflow = config["workflows"][0]
    assert (workflow["file"], workflow["secrets"], workflow["permissions"]) == (CI, ["DEPLOY_KEY"], {})
    jobs = {job["id"]: job for job in workflow["jobs"]}
    assert list(jobs) == ["python", "scan", "deploy-staging"]
    assert jobs["deploy-staging"]["environment"] == "staging"
    assert jobs["deploy-staging"]["needs"] == ["python", "scan"]
    assert jobs["python"]["timeout_minutes"] == 20


@needs_validators
def test_a_pipeline_that_stands_there_is_nothing_to_do(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    write(root, {CI: "name: theirs\n"})
    commit(root, "their pipeline")
    code, shown = command(capsys, root, "pipeline", "setup", str(root))
    assert (code, shown["status"]) == (0, "succeeded")
    assert git(root, "branch", "--list", BRANCH) == ""


def test_show_prints_what_the_agent_says_and_works_without_settings(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    write(root, {CI: "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps: [{run: make}]\n"})
    code, shown = command(capsys, root, "pipeline", "show")
    with DevOpsAgent.from_project(root) as agent:
        assert (code, shown) == (0, agent.get_pipeline_config())
    (root / "midas.toml").unlink()
    assert command(capsys, root, "pipeline", "show") == (0, shown)

    assert run(["--project", str(root), "pipeline", "show"]) == 0
    text = capsys.readouterr().out
    assert "ubuntu-24.04" in text
    assert "no timeout" in text


def test_without_the_validators_it_is_exit_2_and_names_the_extra(
    capsys: pytest.CaptureFixture[str], root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as bare:
        bare.setenv("PATH", str(tmp_path))
        bare.setattr("sysconfig.get_path", lambda _: str(tmp_path))
        code, shown = command(capsys, root, "pipeline", "setup", str(root))
    assert (code, shown["error"]["code"]) == (2, "missing_extra")
    assert "midas-devops[pipelines]" in shown["error"]["hint"]
    assert command(capsys, root, "runs", "list")[1] == {"runs": []}
