"""Logs, knowledge and the picture, through the command line."""

from __future__ import annotations

import json

import pytest

LOG = "".join(f"step {number} fine\n" for number in range(400)) + "ERROR: no such file: main.tf\n"


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build.log").write_text(LOG)
    return "build.log"


def test_condense_keeps_within_its_budget_and_says_what_it_kept(cli, log):
    told = cli("condense", log, "--budget", "120", "--json").json
    said = cli("condense", log, "--budget", "120")

    assert told.keys() >= {"text", "tokens", "budget", "lines_total", "lines_kept", "spans", "templates"}
    assert told["tokens"] <= told["budget"] == 120
    assert "no such file: main.tf" in told["text"]
    assert said.out.rstrip("\n") == told["text"].rstrip("\n")
    assert "of 120 tokens" in said.err


def test_diagnose_quotes_the_line_and_names_the_file_as_given(cli, log):
    told = cli("diagnose", log, "--json").json

    assert told.keys() >= {
        "category",
        "summary",
        "confidence",
        "retryable",
        "spans",
        "causes",
        "remedies",
        "sources",
        "verdict",
    }
    assert told["category"] == "not_found"
    assert told["spans"][0]["file"] == "build.log"
    assert "│ build.log:401  ERROR: no such file: main.tf" in cli("diagnose", log).out


def test_secrets_of_the_environment_do_not_leave_through_a_log(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DB_PASSWORD", "correct-horse-battery")
    (tmp_path / "x.log").write_text("ERROR: login with correct-horse-battery failed: access denied\n")

    for words in (("diagnose", "x.log", "--json"), ("condense", "x.log", "--json"), ("diagnose", "x.log")):
        assert "correct-horse-battery" not in cli(*words).out


def test_terminal_escapes_of_a_log_do_not_reach_the_terminal(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.log").write_text("\x1b]0;owned\x07\x1b[2JERROR: no such file: a.tf\n")

    assert "\x1b" not in cli("diagnose", "x.log").out


def test_the_graph_is_a_mermaid_picture(cli, project):
    said = cli("graph").out

    assert said.startswith(("graph", "---", "%%", "flowchart"))
    for node in (
        "plan",
        "gate_check",
        "human_review",
        "iac_apply",
        "deploy",
        "verify",
        "diagnose",
        "rollback",
    ):
        assert node in said
    assert cli("graph", "--json").json == {"mermaid": said}


def test_knowledge_is_added_once_and_found(cli, project):
    (project.root / "docs").mkdir()
    (project.root / "docs" / "runbook.md").write_text(
        "# Database locked\n\nRestart the orders worker first.\n"
    )

    first = cli("knowledge", "add", "docs", "--json").json
    second = cli("knowledge", "add", "docs", "--json").json
    found = cli("knowledge", "search", "database locked", "-k", "1", "--json").json["results"]

    assert (first["added"], second["added"], second["unchanged"]) == (1, 0, 1)
    assert found[0].keys() >= {"source", "first_line", "last_line", "kind", "score", "text"}
    assert "Restart the orders worker" in json.dumps(found)
    assert "docs/runbook.md:" in cli("knowledge", "search", "database locked", "-k", "1").out


def test_a_path_or_a_glob_that_stands_for_nothing_is_exit_2_and_named(cli, project):
    for missing in ("/nope", "infra/*.nothing"):
        told = cli("knowledge", "add", missing, "--json")
        assert told.code == 2
        assert missing in told.json["error"]["message"]
        assert "stands for no file" in told.json["error"]["message"]


def test_a_blank_question_is_exit_2(cli, project):
    assert cli("knowledge", "search", "  ", "--json").code == 2
