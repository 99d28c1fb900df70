"""``pipeline health`` from the command line and from Python, in front of a GitHub on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from midas_devops import DevOpsAgent
from midas_devops.errors import ConfigError, RemoteError, UsageError
from midas_devops.interfaces.cli.main import run
from tests.pipelines.actions_routes import NAME
from tests.pipelines.actions_server import TOKEN, ActionsServer, Fault, serving
from tests.projects import project

LOG = (Path(__file__).parent / "logs" / "pytest.log").read_bytes()
SECRET = "a-password-that-nobody-may-see"
HEADLESS = (sys.executable, "-m", "midas_devops")


@pytest.fixture
def github() -> Iterator[ActionsServer]:
    with serving() as server:
        yield server


@pytest.fixture
def root(github: ActionsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings = (
        f'[project]\nname = "orders"\nrepository = "{NAME}"\n'
        f'[tracker]\nusing = "github"\napi_url = "{github.url}"\n'
        '[environments.live]\nkind = "production"\n'
    )
    found = project(tmp_path / "orders", {"midas.toml": settings})
    monkeypatch.chdir(found)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("DATABASE_PASSWORD", SECRET)
    return found


def health(root: Path, **options: Any) -> dict[str, Any]:
    with DevOpsAgent.from_project(root) as agent:
        return agent.pipeline_health(**options)


def fails(github: ActionsServer, minutes_ago: float = 10, log: bytes = LOG, **given: Any) -> dict[str, Any]:
    made = github.run("failure", minutes_ago=minutes_ago, **given)
    github.job(made, "test", "failure", log=log)
    return made


def passes(github: ActionsServer, minutes_ago: float = 10, **given: Any) -> dict[str, Any]:
    made = github.run("success", minutes_ago=minutes_ago, **given)
    github.job(made, "test")
    return made


def test_a_failing_workflow_is_told_with_the_diagnosis_of_its_log(github: ActionsServer, root: Path) -> None:
    passes(github, 60)
    made = fails(github, 30)
    report = health(root)
    (ci,) = report["workflows"]
    assert (report["failing"], ci["state"], ci["success_rate"]) == (["CI"], "failing", 0.5)
    last = ci["last_failure"]
    assert (last["run_id"], last["job"], last["step"]) == (str(made["id"]), "test", "Run tests")
    assert last["diagnosis"]["category"] == "test_failure"
    (quote, *_) = last["diagnosis"]["spans"]
    assert quote["file"] == last["log"]
    lines = LOG.decode().split("\n")[quote["first_line"] - 1 : quote["last_line"]]
    assert quote["text"] == "\n".join(lines)


def test_the_default_branch_is_watched_and_others_on_demand(github: ActionsServer, root: Path) -> None:
    passes(github, branch="main")
    fails(github, branch="feature")
    assert health(root)["branch"] == "main"
    assert health(root)["failing"] == []
    assert health(root, branch="feature")["failing"] == ["CI"]
    everywhere = health(root, branch="*")
    assert (everywhere["branch"], everywhere["workflows"][0]["runs_total"]) == ("", 2)


def test_the_window_is_in_days_and_in_runs(github: ActionsServer, root: Path) -> None:
    for day in range(10):
        passes(github, minutes_ago=day * 24 * 60 + 1)
    assert health(root, days=3)["workflows"][0]["runs_total"] == 3
    assert health(root, runs=4)["workflows"][0]["runs_total"] == 4
    with pytest.raises(UsageError):
        health(root, days=0)


def test_a_flaky_job_is_found_in_the_attempts_of_a_run_that_passed(github: ActionsServer, root: Path) -> None:
    made = github.run("success", attempt=2)
    github.job(made, "test", "failure", attempt=1)
    github.job(made, "test", "success", attempt=2)
    (flaky,) = health(root)["workflows"][0]["flaky"]
    assert (flaky["name"], flaky["commits"]) == ("test", [made["head_sha"]])


@pytest.mark.parametrize("gone", ["deleted", "blob deleted"])
def test_a_log_that_is_gone_leaves_the_figures_and_says_so(
    github: ActionsServer, root: Path, gone: str
) -> None:
    fails(github)
    if gone == "deleted":
        github.logs.clear()
    else:
        github.faults.append(Fault("/blob/", status=404))
    last = health(root)["workflows"][0]["last_failure"]
    assert last["diagnosis"] is None
    assert "410" in last["note"]


def test_a_run_that_could_not_start_has_no_job_to_look_into(github: ActionsServer, root: Path) -> None:
    github.run("startup_failure")
    last = health(root)["workflows"][0]["last_failure"]
    assert (last["job"], last["diagnosis"]) == ("", None)
    assert "could not start" in last["note"]


def test_no_secret_of_a_log_or_a_name_leaves(github: ActionsServer, root: Path, tmp_path: Path) -> None:
    log = LOG.replace(b"assert total(100) == 119", f"assert '{SECRET}' == 119".encode())
    fails(github, log=log)["display_title"] = SECRET
    github.workflows[0]["name"] = f"CI {SECRET}"
    report = health(root, report_issues=True)
    page = tmp_path / "health.html"
    assert run(["pipeline", "health", "--html", str(page), "--report-issues"]) == 0
    everything = json.dumps(report) + page.read_text() + json.dumps([github.issues, github.comments])
    assert "[redacted:" in everything
    assert SECRET not in everything
    files = [path for path in (root / ".midas").rglob("*") if path.is_file()]
    kept = [path for path in files if SECRET.encode() in path.read_bytes()]
    assert [path.parent.parent.name for path in kept] == ["private"]
    assert kept[0].stat().st_mode & 0o777 == 0o600


def test_a_repository_without_workflows_is_no_error(github: ActionsServer, root: Path) -> None:
    github.workflows.clear()
    assert health(root)["workflows"] == []
    assert run(["pipeline", "health", "--fail-on-failure"]) == 0


def test_looking_writes_nothing_at_the_host(github: ActionsServer, root: Path) -> None:
    fails(github)
    health(root)
    assert run(["pipeline", "health", "--json"]) == 0
    assert github.writes == []


def test_the_command_tells_people_and_scripts(
    github: ActionsServer, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    passes(github, 60)
    fails(github)
    assert run(["pipeline", "health"]) == 0
    said = capsys.readouterr().out
    assert "1 of 1 workflow failing" in said
    assert "50 % of 2" in said
    assert "test failure: " in said
    assert run(["pipeline", "health", "--fail-on-failure", "--quiet"]) == 1
    assert capsys.readouterr().out == "CI\n"
    assert run(["pipeline", "health", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["failing"] == ["CI"]


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--days", "0"], 2), (["--runs", "x"], 2), (["--runs", "0"], 2)]
)
def test_a_window_that_is_none_is_a_mistake_of_usage(root: Path, arguments: list[str], code: int) -> None:
    assert run(["pipeline", "health", *arguments]) == code


def test_a_page_that_cannot_be_written_is_told_before_anybody_is_asked(
    github: ActionsServer, root: Path, tmp_path: Path
) -> None:
    assert run(["pipeline", "health", "--html", str(tmp_path / "none" / "x.html"), "--report-issues"]) == 2
    assert github.asked == []


def test_without_a_host_it_says_what_to_set(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "midas.toml").write_text('[project]\nname = "orders"\n')
    assert run(["pipeline", "health", "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["location"]) == ("configuration", "midas.toml: tracker.using")
    assert 'using = "github"' in error["hint"]
    with pytest.raises(ConfigError):
        health(root, report_issues=True)


def test_a_host_that_is_away_is_an_error_without_a_traceback(github: ActionsServer, root: Path) -> None:
    github.hang_up()
    ended = subprocess.run(
        [*HEADLESS, "pipeline", "health", "--json"], cwd=root, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    error = json.loads(ended.stdout)["error"]
    assert error["code"] == "remote"
    assert "no connection" in error["message"]
    assert "Traceback" not in ended.stderr
    with pytest.raises(RemoteError):
        health(root)


def test_the_command_loads_nothing_heavy(github: ActionsServer, root: Path) -> None:
    fails(github)
    program = (
        "import sys\n"
        "from midas_devops.interfaces.cli.main import run\n"
        "assert run(['pipeline', 'health', '--json']) == 0\n"
        "heavy = {'langgraph', 'chromadb', 'openai', 'sqlalchemy', 'langchain_core'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False, env=os.environ
    )
    assert ended.returncode == 0, ended.stderr
