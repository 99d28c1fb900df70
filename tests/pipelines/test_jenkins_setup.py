"""``pipeline setup --platform jenkins``: the branch, then the job, each once, never over others' work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from midas_devops.adapters.jenkins_job import MARKER, JobDefinition, written_as
from midas_devops.adapters.pipelines_local import BRANCH
from midas_devops.interfaces.cli.main import run
from tests.pipelines.jenkins_server import (
    READER,
    READER_TOKEN,
    TOKEN,
    USER,
    JenkinsServer,
    Job,
    reformatted,
    serving,
)
from tests.pipelines.test_repositories import needs_validators
from tests.projects import REPOSITORY, git, project, write

pytest.importorskip("api4jenkins", reason="api4jenkins not installed: pip install 'midas-devops[jenkins]'")
pytestmark = needs_validators

JOB = "team/orders"
ORIGIN = "https://git.example.org/acme/orders.git"


@pytest.fixture
def server() -> Iterator[JenkinsServer]:
    with serving() as server:
        server.folder("team")
        yield server


@pytest.fixture
def root(tmp_path: Path, server: JenkinsServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JENKINS_USER", USER)
    monkeypatch.setenv("JENKINS_TOKEN", TOKEN)
    settings = f'[jenkins]\nurl = "{server.url}"\njob = "{JOB}"\n\n[environments.staging]\nkind = "staging"\n'
    root = project(
        tmp_path / "service",
        {
            "midas.toml": settings,
            ".gitignore": ".midas/\n",
            "requirements.txt": "pytest\n",
            "test_app.py": "def test_a(): pass\n",
        },
    )
    git(root, "remote", "add", "origin", "https://ada:pass-phrase@git.example.org/acme/orders.git")
    return root


def setup(capsys: pytest.CaptureFixture[str], root: Path) -> tuple[int, dict[str, Any]]:
    words = ["--project", str(root), "pipeline", "setup", str(root), "--platform", "jenkins", "--json"]
    code = run(words)
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, shown


def standing(server: JenkinsServer) -> Job:
    found = server.find("job/team/job/orders")
    assert found is not None
    return found


def test_the_job_is_created_beside_the_branch_and_runs_its_jenkinsfile(
    capsys: pytest.CaptureFixture[str], root: Path, server: JenkinsServer
) -> None:
    code, shown = setup(capsys, root)

    assert (code, shown["status"]) == (0, "succeeded")
    assert [effect["state"] for effect in shown["effects"]] == ["done", "done"]
    assert git(root, "diff", "--name-only", f"HEAD..{BRANCH}") == "Jenkinsfile"
    written = JobDefinition.from_xml(standing(server).xml)
    assert written is not None
    assert (written.repository, written.branches, written.script_path) == (ORIGIN, ("*/main",), "Jenkinsfile")
    assert written_as(standing(server).xml) == written.sha256
    assert standing(server).parameters == [MARKER]
    assert server.writes == ["POST job/team/createItem"]


def test_the_job_clones_by_the_credentials_that_midas_toml_names(
    capsys: pytest.CaptureFixture[str], root: Path, server: JenkinsServer
) -> None:
    settings = (root / "midas.toml").read_text()
    write(root, {"midas.toml": settings.replace("[env", 'credentials_id = "Deploy-Key"\n\n[env')})
    setup(capsys, root)
    written = JobDefinition.from_xml(standing(server).xml)
    assert written is not None
    assert written.credentials_id == "Deploy-Key"


def test_show_tells_the_job_and_what_is_only_proposed(
    capsys: pytest.CaptureFixture[str], root: Path, server: JenkinsServer
) -> None:
    show = ["--project", str(root), "pipeline", "show"]
    run(show)
    assert "✘ there is no pipeline: midas-devops pipeline setup . proposes one" in capsys.readouterr().out
    setup(capsys, root)
    run(show)
    said = " ".join(capsys.readouterr().out.split())
    assert f"✘ no pipeline file stands here: merge {BRANCH}, which proposes Jenkinsfile" in said
    assert f"{JOB} on Jenkins at {server.url}" in said
    assert "job orders: active" in said
    git(root, "branch", "-q", "-D", BRANCH)
    run(show)
    said = " ".join(capsys.readouterr().out.split())
    assert f"✘ no pipeline file stands here, yet {JOB} on Jenkins at {server.url} has orders" in said


def test_show_prints_ids_of_credentials_as_they_are(
    capsys: pytest.CaptureFixture[str], root: Path, server: JenkinsServer
) -> None:
    setup(capsys, root)
    write(
        root,
        {
            "Jenkinsfile": "pipeline { agent any\n stages { stage('Build') { steps {"
            " withCredentials([string(credentialsId: 'Deploy-Key', variable: 'K')]) { sh 'make' } } } } }\n"
        },
    )
    run(["--project", str(root), "pipeline", "show"])
    said = capsys.readouterr().out
    assert "secret Deploy-Key is used" in said
    assert "DEPLOY-KEY" not in said


def test_a_second_call_changes_nothing(
    capsys: pytest.CaptureFixture[str], root: Path, server: JenkinsServer
) -> None:
    setup(capsys, root)
    tip, xml = git(root, "rev-parse", BRANCH), standing(server).xml
    code, shown = setup(capsys, root)
    assert (code, shown["status"]) == (0, "succeeded")
    assert (git(root, "rev-parse", BRANCH), standing(server).xml) == (tip, xml)
    assert len(server.writes) == 1


def test_a_merged_jenkinsfile_still_gets_its_job(
    capsys: pytest.CaptureFixture[str], root: Path, server: JenkinsServer
) -> None:
    setup(capsys, root)
    git(root, "merge", "-q", BRANCH)
    folder = server.find("job/team")
    assert folder is not None
    assert folder.jobs is not None
    folder.jobs.clear()
    code, _ = setup(capsys, root)
    assert code == 0
    assert standing(server).parameters == [MARKER]


def test_a_job_of_ours_follows_a_changed_request(
    capsys: pytest.CaptureFixture[str], root: Path, server: JenkinsServer
) -> None:
    setup(capsys, root)
    git(root, "remote", "set-url", "origin", "git@git.example.org:acme/moved.git")
    code, _ = setup(capsys, root)
    assert code == 0
    written = JobDefinition.from_xml(standing(server).xml)
    assert written is not None
    assert written.repository == "git@git.example.org:acme/moved.git"
    assert server.writes[-1] == "POST job/team/job/orders/config.xml"


def test_a_job_that_is_not_ours_blocks_before_any_effect(
    capsys: pytest.CaptureFixture[str], root: Path, server: JenkinsServer
) -> None:
    theirs = server.job(JOB).xml
    code, shown = setup(capsys, root)
    assert (code, shown["status"], shown["effects"]) == (4, "blocked", [])
    assert "was not set up by midas-devops" in shown["reason"]
    assert (standing(server).xml, server.writes) == (theirs, [])
    assert git(root, "branch", "--list", BRANCH) == ""


def test_a_job_that_a_person_changed_is_theirs_from_then_on(
    capsys: pytest.CaptureFixture[str], root: Path, server: JenkinsServer
) -> None:
    setup(capsys, root)
    changed = standing(server).xml.replace("H/5 * * * *", "@daily")
    assert changed != standing(server).xml
    standing(server).xml = changed
    code, shown = setup(capsys, root)
    assert code == 4
    assert "changed by somebody in Jenkins" in shown["reason"]
    assert standing(server).xml == changed


def test_a_user_who_may_not_write_is_told_so(
    capsys: pytest.CaptureFixture[str], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JENKINS_USER", READER)
    monkeypatch.setenv("JENKINS_TOKEN", READER_TOKEN)
    code, shown = setup(capsys, root)
    assert code == 1
    assert "403" in json.dumps(shown)


def test_a_folder_that_is_missing_is_named(
    capsys: pytest.CaptureFixture[str], root: Path, server: JenkinsServer
) -> None:
    server.root.jobs = {}
    code, shown = setup(capsys, root)
    assert code == 1
    assert "no folder team" in json.dumps(shown)


def test_a_repository_without_a_remote_gets_its_branch_and_is_told_why_no_job(
    capsys: pytest.CaptureFixture[str], root: Path, server: JenkinsServer
) -> None:
    git(root, "remote", "remove", "origin")
    code, _ = setup(capsys, root)
    assert code == 0
    assert "no remote 'origin'" in git(root, "log", "-1", "--format=%B", BRANCH)
    assert server.writes == []


def test_a_token_that_is_not_set_is_exit_2(
    capsys: pytest.CaptureFixture[str], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JENKINS_TOKEN")
    code, shown = setup(capsys, root)
    assert code == 2, shown
    assert "JENKINS_TOKEN" in json.dumps(shown)


def test_killed_between_the_job_and_its_receipt_it_is_not_made_twice(
    root: Path, server: JenkinsServer
) -> None:
    words = ["pipeline", "setup", str(root), "--platform", "jenkins", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    program = [sys.executable, "-m", "midas_devops", "--project", str(root)]
    child = subprocess.Popen(
        [*program, *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    server.after_write = lambda _: os.kill(child.pid, signal.SIGKILL)
    assert child.wait(timeout=120) == -signal.SIGKILL
    server.after_write = lambda _: None
    assert standing(server)

    def ask(*arguments: str) -> dict[str, Any]:
        ended = subprocess.run(
            [*program, *arguments, "--json"], env=environment, capture_output=True, text=True, check=False
        )
        told: dict[str, Any] = json.loads(ended.stdout)
        return told

    run_id = ask("runs", "list")["runs"][0]["run_id"]
    states = {effect["state"] for effect in ask("runs", "show", run_id)["effects"]}
    assert states == {"done", "in_doubt"}
    resumed = ask("runs", "resume", run_id)

    assert resumed["status"] == "succeeded"
    assert {effect["state"] for effect in resumed["effects"]} == {"done"}
    assert server.writes == ["POST job/team/createItem"]


def test_doctor_looks_at_the_job(
    capsys: pytest.CaptureFixture[str], root: Path, server: JenkinsServer
) -> None:
    def line() -> dict[str, str]:
        run(["--project", str(root), "doctor", "--json"])
        checks = json.loads(capsys.readouterr().out)["checks"]
        found: dict[str, str] = next(check for check in checks if check["name"] == "jenkins")
        return found

    before = line()
    assert before["status"] == "degraded"
    assert "pipeline setup" in before["fix"]
    setup(capsys, root)
    assert (line()["status"], "WorkflowJob" in line()["detail"]) == ("ok", True)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('url = "ci.example.org"\njob = "a"', "must be an address"),
        ('url = "https://u:p@ci.example.org"\njob = "a"', "jenkins.url"),
        ('url = "https://ci.example.org"\njob = "a//b"', "full name"),
        ('url = "https://ci.example.org"', "jenkins.job"),
        ('url = "https://ci.example.org"\njob = "a"\ntoken = "0123456789"', "jenkins.token"),
        ('url = "https://ci.example.org"\njob = "a"\nuserenv = "U"', "user_env"),
    ],
)
def test_mistakes_in_the_table_are_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, written: str, said: str
) -> None:
    (tmp_path / "midas.toml").write_text(f"[jenkins]\n{written}\n")
    code = run(["--project", str(tmp_path), "env", "list", "--json"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert code == 2
    assert said in json.dumps(error)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<",
        "<project/>",
        "<flow-definition/>",
        '<!DOCTYPE a [<!ENTITY b "c">]><flow-definition>&b;</flow-definition>',
    ],
)
def test_what_is_no_pipeline_job_is_nobodys_definition(text: str) -> None:
    assert JobDefinition.from_xml(text) is None
    assert written_as(text) is None


@pytest.mark.parametrize(
    "definition",
    [
        JobDefinition(script="pipeline { agent any /* <&> */ }\n  ", poll=""),
        JobDefinition(repository=ORIGIN, credentials_id="deploy & key", branches=("*/main", "*/release/*")),
    ],
)
def test_a_definition_survives_what_jenkins_makes_of_it(definition: JobDefinition) -> None:
    assert JobDefinition.from_xml(reformatted(definition.to_xml())) == definition
