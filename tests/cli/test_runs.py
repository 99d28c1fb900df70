"""A release on its way through the command line: deploy, wait, answer, look back."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import sys
from time import monotonic

import pytest

from midas_devops.interfaces.cli.main import run
from tests.cli.conftest import PROGRAM, Project

RUN_KEYS = {
    "run_id",
    "operation",
    "environment",
    "status",
    "url",
    "plan",
    "gates",
    "pending",
    "diagnosis",
    "recovery",
    "report",
    "artifacts",
    "effects",
    "requested_by",
    "timeline",
}


@pytest.fixture
def waiting(cli, project: Project) -> dict[str, object]:
    """v1 is verified on staging, and waits for a person on its way to production."""
    assert cli("deploy", "staging", "v1", "--quiet").code == 0
    result = cli("deploy", "production", "v1", "--requested-by", "ana", "--json")
    assert result.code == 3
    return result.json


def test_a_release_is_approved_by_its_digest_and_can_be_looked_back_on(cli, waiting, project):
    run_id, digest = waiting["run_id"], waiting["pending"]["digest"]
    answer = ("runs", "approve", run_id, "--by", "ben", "--reason", "looked at it")

    assert waiting.keys() >= RUN_KEYS
    assert waiting["status"] == "awaiting_approval"
    assert waiting["plan"]["digest"] == digest

    refused = cli(*answer, "--digest", "0" * 64, "--json")
    assert (refused.code, refused.json["error"]["code"]) == (4, "approval_refused")
    assert cli("runs", "show", run_id, "--json").json["status"] == "awaiting_approval"

    approved = cli(*answer, "--digest", digest, "--json")
    assert (approved.code, approved.json["status"]) == (0, "succeeded")
    assert approved.json["effects"][0]["state"] == "done"

    again = cli(*answer, "--digest", digest, "--json")
    assert again.code == 4

    resumed = cli("runs", "resume", run_id, "--json")
    assert (resumed.code, resumed.json["status"]) == (0, "succeeded")

    listed = cli("runs", "list", "--json").json["runs"]
    assert [(entry["environment"], entry["status"]) for entry in listed] == [
        ("production", "succeeded"),
        ("staging", "succeeded"),
    ]
    assert {
        entry["environment"] for entry in cli("runs", "list", "--env", "staging", "--json").json["runs"]
    } == {"staging"}
    shown = cli("runs", "show", run_id)
    assert shown.code == 0
    assert "✔ succeeded" in shown.out
    assert cli("runs", "show", run_id, "--json").json.keys() >= RUN_KEYS

    environments = {entry["name"]: entry for entry in cli("env", "list", "--json").json["environments"]}
    assert environments["production"]["version"] == "v1"
    assert environments["production"]["verified"] is True
    assert "✔ yes" in cli("env", "list").out
    url = environments["production"]["url"]
    assert cli("env", "url", "production").out == f"{url}\n"
    assert cli("env", "url", "production", "--json").json == {"environment": "production", "url": url}

    page = project.root / "out.html"
    assert cli("runs", "report", run_id, "-o", str(page)).out == "out.html\n"
    assert "approved by ben" in page.read_text()
    assert cli("runs", "prune", "--json").json["waiting_runs"] == []


def test_a_waiting_run_prints_the_exact_command_that_approves_it(cli, waiting):
    run_id, digest = waiting["run_id"], waiting["pending"]["digest"]

    said = cli("runs", "show", run_id).out

    assert f"midas-devops runs approve {run_id} --digest {digest} --by NAME --reason TEXT\n" in said


def test_a_rejected_run_is_exit_4_and_has_done_nothing(cli, waiting):
    result = cli("runs", "reject", waiting["run_id"], "--by", "ben", "--reason", "not today", "--json")

    assert (result.code, result.json["status"]) == (4, "rejected")
    assert cli("env", "list", "--json").json["environments"][0]["version"] == ""


def test_json_is_one_document_and_progress_goes_elsewhere(shell, project):
    result = shell("deploy", "staging", "v1", "--json")

    assert result.code == 0, result.err
    assert result.json["status"] == "succeeded"
    assert result.json["report"]["path"].endswith(f"{result.json['run_id']}.html")
    assert "gate check" in result.err


def test_quiet_leaves_one_line(shell, project):
    result = shell("-q", "deploy", "staging", "v1")

    assert result.code == 0, result.err
    assert re.fullmatch(r"succeeded\trun-\S+\thttp://127\.0\.0\.1:\d+\n", result.out)
    assert result.err == ""


def test_a_suggested_command_names_the_project_that_was_given(cli, waiting, project, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    said = cli("runs", "show", waiting["run_id"], "--project", "orders").out

    assert "midas-devops --project orders runs approve" in said


def test_infrastructure_is_planned_and_applied_by_its_folder(cli, project):
    folder = project.root / "infra" / "staging"
    folder.mkdir(parents=True)
    (folder / "main.tf").write_text('resource "terraform_data" "a" {\n  input = "x"\n}\n')
    settings = project.root / "midas.toml"
    settings.write_text(
        settings.read_text() + '[environments.staging.infrastructure]\nconfig = "infra/staging"\n'
    )

    planned = cli("infra", "plan", "infra/staging", "--json")
    applied = cli("infra", "apply", "infra/staging/main.tf")
    nothing_left = cli("infra", "plan", "infra/staging", "--json")

    assert (planned.code, planned.json["environment"], planned.json["plan"]["add"]) == (0, "staging", 1)
    assert (applied.code, "1 to add" in applied.out) == (0, True)
    assert (nothing_left.code, nothing_left.json["plan"]["has_changes"]) == (0, False)


def test_a_report_of_somebody_elses_deployment_is_put_on_record(cli, project):
    result = cli("report", "staging", "succeeded", "by hand", "--requested-by", "ana", "--json")

    assert result.code == 0
    assert result.json["status"] == "succeeded"
    assert result.json["reported_by"] == "ana"


def at_a_terminal(words: list[str], answers: list[tuple[str, str]], **environ: str) -> tuple[int, str]:
    """Run it on a pseudo-terminal; type each answer once its question is on the screen."""
    pid, screen = pty.fork()
    if pid == 0:
        os.environ.update(environ, TERM="xterm-256color", COLUMNS="140")
        os.execv(sys.executable, [*PROGRAM, *words])
    seen, waiting, deadline = b"", list(answers), monotonic() + 120
    while monotonic() < deadline:
        if select.select([screen], [], [], 0.2)[0]:
            try:
                seen += os.read(screen, 1 << 16)
            except OSError:  # the other side has ended
                break
        if waiting and waiting[0][0].encode() in seen:
            os.write(screen, waiting.pop(0)[1].encode() + b"\n")
    os.close(screen)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), seen.decode("utf-8", "replace")


def test_at_a_terminal_the_person_is_asked_and_the_run_goes_on(waiting, project):
    code, screen = at_a_terminal(
        ["deploy", "production", "v1", "--requested-by", "ana"],
        [("Approve this digest?", "approve"), ("Your name", "ben"), ("Why", "looked at it")],
    )

    assert code == 0
    assert waiting["pending"]["digest"] in screen
    assert "succeeded" in screen


def test_at_a_terminal_the_answer_can_be_left_for_later(waiting, project):
    code, screen = at_a_terminal(
        ["deploy", "production", "v1"], [("Approve this digest?", "later")], NO_COLOR="1"
    )

    assert code == 3
    assert "runs approve" in screen
    assert not re.search(r"\x1b\[(?:3\d|9\d|38;)[\d;]*m", screen)


@pytest.mark.parametrize(
    "answers", [[("Approve this digest?", "\x04")], [("digest?", "reject"), ("Your name", "\x04")]]
)
def test_at_a_terminal_ctrl_d_leaves_the_run_waiting(waiting, project, answers):
    code, screen = at_a_terminal(["deploy", "production", "v1"], answers)

    assert code == 3
    assert "runs approve" in screen
    assert "mistake in midas-devops" not in screen


def test_with_no_input_nobody_is_asked_even_at_a_terminal(waiting, project):
    code, screen = at_a_terminal(["--no-input", "deploy", "production", "v1"], [])

    assert code == 3
    assert "Approve this digest?" not in screen


def test_prune_names_the_runs_that_lose_their_plan(cli, waiting):
    result = cli("runs", "prune", "--json")

    assert result.code == 0
    assert result.json["waiting_runs"] == [waiting["run_id"]]
    assert waiting["run_id"] in result.err


def test_a_project_without_runs_has_an_empty_list(cli, project):
    assert cli("runs", "list", "--json").json == {"runs": []}
    assert cli("runs", "list").out == "no runs yet\n"
    assert not (project.root / ".midas").exists()


def test_the_entry_point_carries_the_exit_code(project, capsys):
    assert run(["env", "list", "--json"]) == 0
    assert [entry["name"] for entry in json.loads(capsys.readouterr().out)["environments"]] == [
        "production",
        "staging",
    ]


def test_a_list_says_what_was_done_and_knows_its_environments(cli, project):
    assert cli("deploy", "staging", "v1", "--quiet").code == 0
    assert "release v1 → staging" in " ".join(cli("runs", "list").out.split())
    unknown = cli("runs", "list", "--env", "stagin", "--json")
    assert (unknown.code, unknown.json["error"]["hint"]) == (2, "Did you mean 'staging'?")
    assert cli("runs", "list", "--env", "production").out == "no runs yet for production\n"
