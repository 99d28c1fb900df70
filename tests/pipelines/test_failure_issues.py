"""``pipeline health --report-issues``: one issue per failing workflow, for as long as it fails."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from midas_devops import DevOpsAgent
from midas_devops.adapters.github_issues import GitHubOpenedIssues
from midas_devops.domain.failure_issue import LABEL
from midas_devops.errors import ConfigError, RemoteError
from midas_devops.interfaces.cli.main import run
from tests.pipelines.actions_routes import NAME
from tests.pipelines.actions_server import TOKEN, ActionsServer, Fault
from tests.pipelines.test_pipeline_health import HEADLESS, LOG, fails, github, health, passes, root

__all__ = ["github", "root"]

MARKER = "<!-- midas-devops:pipeline:.github/workflows/ci.yml@main -->"


def reported(root: Path) -> list[tuple[str, int]]:
    return [(issue["action"], issue["number"]) for issue in health(root, report_issues=True)["issues"]]


def test_a_failing_workflow_gets_one_issue_with_the_reason(github: ActionsServer, root: Path) -> None:
    fails(github)
    assert reported(root) == [("opened", 1)]
    (issue,) = github.issues
    assert issue["title"] == "Pipeline fails on main: CI"
    assert [label["name"] for label in issue["labels"]] == [LABEL]
    assert "diagnosis: **test failure**" in issue["body"]
    assert "E       assert 118.99999999999999 == 119" in issue["body"]
    assert issue["body"].endswith(MARKER)


def test_the_same_failure_again_writes_nothing(github: ActionsServer, root: Path) -> None:
    fails(github)
    reported(root)
    github.writes.clear()
    assert reported(root) == [("unchanged", 1)]
    assert github.writes == []


def test_another_failure_updates_the_same_issue(github: ActionsServer, root: Path) -> None:
    fails(github, 30)
    reported(root)
    fails(github, 5)
    assert reported(root) == [("updated", 1)]
    assert "2 runs in a row" in github.issues[0]["body"]


def test_an_issue_is_closed_with_a_word_when_the_workflow_passes_again(
    github: ActionsServer, root: Path
) -> None:
    fails(github, 30)
    reported(root)
    made = passes(github, 5)
    assert reported(root) == [("closed", 1)]
    assert github.issues[0]["state"] == "closed"
    (comment,) = github.comments[1]
    assert "passes again" in comment["body"]
    assert made["html_url"] in comment["body"]
    assert reported(root) == []
    assert len(github.comments[1]) == 1


def test_a_workflow_that_fails_again_reopens_its_issue(github: ActionsServer, root: Path) -> None:
    fails(github, 50)
    reported(root)
    passes(github, 30)
    reported(root)
    fails(github, 10)
    assert reported(root) == [("reopened", 1)]
    assert (github.issues[0]["state"], len(github.issues)) == ("open", 1)


def test_an_issue_that_somebody_closed_stays_closed_for_that_failure(
    github: ActionsServer, root: Path
) -> None:
    fails(github, 50)
    reported(root)
    github.issues[0]["state"] = "closed"
    assert reported(root) == [("unchanged", 1)]
    assert github.issues[0]["state"] == "closed"
    fails(github, 10)
    assert reported(root) == [("reopened", 1)]


def test_passing_alone_opens_nothing(github: ActionsServer, root: Path) -> None:
    passes(github)
    assert reported(root) == []
    assert github.issues == []


def test_workflows_of_one_name_have_an_issue_each(github: ActionsServer, root: Path) -> None:
    github.workflows.append(github.workflow(202, "CI", ".github/workflows/other.yml"))
    fails(github)
    fails(github, workflow=202)
    assert sorted(reported(root)) == [("opened", 1), ("opened", 2)]
    assert sorted(reported(root)) == [("unchanged", 1), ("unchanged", 2)]


def test_a_branch_of_its_own_has_an_issue_of_its_own(github: ActionsServer, root: Path) -> None:
    fails(github)
    fails(github, branch="release/1")
    reported(root)
    health(root, branch="release/1", report_issues=True)
    assert [issue["title"] for issue in github.issues] == [
        "Pipeline fails on main: CI",
        "Pipeline fails on release/1: CI",
    ]


def test_a_token_that_may_not_label_still_opens_one_issue_only(github: ActionsServer, root: Path) -> None:
    github.keeps_labels = False
    for number in range(150):
        github.issue(f"Something else {number}", "text")
    fails(github)
    assert reported(root) == [("opened", 151)]
    for number in range(150):
        github.issue(f"Later {number}", "text")
    assert reported(root) == [("unchanged", 151)]


def test_a_marker_in_a_strangers_issue_leads_nowhere(github: ActionsServer, root: Path) -> None:
    strange = github.issue("Look here", f"hello\n\n{MARKER}", by="NONE")
    strange["user"] = {"id": 2, "login": "mallory", "type": "User", "url": f"{github.url}/users/mallory"}
    fails(github)
    assert reported(root) == [("opened", 2)]
    assert strange["body"].startswith("hello")


def test_a_log_cannot_point_another_workflow_at_this_issue(github: ActionsServer, root: Path) -> None:
    github.workflows.append(github.workflow(202, "Other", ".github/workflows/other.yml"))
    other = MARKER.replace("ci.yml", "other.yml")
    fails(github, log=LOG.replace(b"== 119", f"== '{other}'".encode()))
    reported(root)
    fails(github, workflow=202)
    assert len(reported(root)) == len(github.issues) == 2
    assert other not in github.issues[0]["body"]


def test_text_from_outside_notifies_nobody_and_breaks_nothing(github: ActionsServer, root: Path) -> None:
    github.workflows[0]["name"] = "CI @acme/everyone `x` <img src=x> -->"
    made = fails(github, log=LOG.replace(b"== 119", b"== '````' @acme/everyone <!-- x"))
    made["html_url"] = "javascript:alert(1)"
    reported(root)
    body = github.issues[0]["body"]
    fenced, outside = False, ""
    for line in body.split("\n"):
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced:
            outside += line + "\n"
    assert not fenced
    assert "javascript:" not in body
    assert "@acme" not in outside
    assert "@acme" not in github.issues[0]["title"]
    assert "<img" not in outside
    assert body.count("<!--") == 1
    assert reported(root) == [("unchanged", 1)]


def test_two_at_once_open_one_issue(github: ActionsServer, root: Path) -> None:
    fails(github)
    command = [*HEADLESS, "pipeline", "health", "--report-issues", "--json"]
    both = [
        subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)
    ]
    told = [json.loads(one.communicate(timeout=60)[0])["issues"][0]["action"] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert sorted(told) == ["opened", "unchanged"]
    assert len(github.issues) == 1


def test_of_two_issues_made_on_two_machines_at_once_the_older_stays(github: ActionsServer) -> None:
    first = github.issue("Made meanwhile", f"text\n\n{MARKER}", labels=(LABEL,))
    tracker = GitHubOpenedIssues(NAME, TOKEN, github.url)
    marker = MARKER.removeprefix("<!-- midas-devops:").removesuffix(" -->")
    found = tracker.open_issue("Ours", "text", marker=marker, label=LABEL)
    assert found.number == first["number"]
    assert [issue["state"] for issue in github.issues] == ["open", "closed"]


@pytest.mark.parametrize(("cut", "issues"), [("POST /issues", 0), ("PATCH /issues", 1)])
def test_what_was_cut_off_is_finished_by_the_next_call(
    github: ActionsServer, root: Path, cut: str, issues: int
) -> None:
    fails(github, 30)
    if issues:
        reported(root)
        fails(github, 10)
    github.faults.append(Fault(cut, status=502, times=1))
    with pytest.raises(RemoteError):
        reported(root)
    assert len(github.issues) == issues
    reported(root)
    assert len(github.issues) == 1
    assert reported(root) == [("unchanged", 1)]


def test_a_token_that_may_not_write_issues_is_told_what_it_lacks(
    github: ActionsServer, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fails(github)
    github.faults.append(Fault("POST /issues", status=403))
    assert run(["pipeline", "health", "--report-issues"]) == 1
    assert "issues: read and write" in capsys.readouterr().err


def test_what_was_done_is_on_record(github: ActionsServer, root: Path) -> None:
    fails(github)
    with DevOpsAgent.from_project(root) as agent:
        agent.pipeline_health(report_issues=True)
        agent.pipeline_health(report_issues=True)
        told = [line for line in agent.ports.ledger.audit_trail("") if "pipeline issue" in line.event]
    assert [line.event for line in told] == ["pipeline issue opened"]


def test_issues_need_a_tracker(root: Path, github: ActionsServer) -> None:
    (root / "midas.toml").write_text('[project]\nname = "orders"\nrepository = "acme/orders"\n')
    with pytest.raises(ConfigError):
        health(root, report_issues=True)


def test_the_command_names_the_issue(
    github: ActionsServer, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fails(github)
    assert run(["pipeline", "health", "--report-issues"]) == 0
    said: Any = capsys.readouterr().out
    assert f"issue opened for CI: https://github.example/{NAME}/issues/1" in said
