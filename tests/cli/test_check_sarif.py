"""``infra check --sarif``: the guard's findings for code scanning."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from midas_devops import __version__
from midas_devops.adapters.sarif import SarifResults
from midas_devops.interfaces.sarif import RULES
from tests.cli.test_check import SETTINGS, plan

DELETED = ("aws_db_instance.orders", ["delete"])


@pytest.fixture
def check(cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "midas.toml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)

    def judge(document: dict[str, Any], env: str, *flags: str):
        (tmp_path / "plan.json").write_text(json.dumps(document))
        return cli("infra", "check", "plan.json", "--env", env, *flags)

    return judge


def findings(text: str) -> list[tuple[str, str, str]]:
    """(rule, level, address) of every result."""
    (run,) = json.loads(text)["runs"]
    return [
        (one["ruleId"], one["level"], one["locations"][0]["logicalLocations"][0]["fullyQualifiedName"])
        for one in run["results"]
    ]


@pytest.mark.parametrize(
    ("env", "change", "kept", "code", "expected"),
    [
        ("production", DELETED, True, 3, ("stateful_type", "warning")),
        ("production", ("aws_x.a", ["delete"]), True, 3, ("production", "warning")),
        ("staging", DELETED, True, 3, ("protected_list", "warning")),
        ("staging", ("aws_x.a", ["delete"]), True, 0, ("destroyed", "note")),
        ("staging", ("aws_s3_bucket.a", ["forget"]), True, 0, ("stateful_type", "note")),
        ("staging", ("aws_x.a", ["vanish"]), True, 0, ("unknown_action", "note")),
        ("staging", ("aws_db_instance.a", ["vanish"]), True, 3, ("unknown_action", "warning")),
        ("staging", ("aws_x.a", ["delete"]), False, 4, ("destroyed", "error")),
        ("review", ("aws_x.a", ["delete"]), False, 3, ("destroyed", "warning")),
    ],
)
def test_the_level_says_what_the_verdict_makes_of_a_finding(check, env, change, kept, code, expected):
    document = plan(change, kept=("aws_vpc.main",) if kept else ())
    result = check(document, env, "--sarif", "-")

    assert result.code == code
    assert findings(result.out) == [(*expected, change[0])]


def test_a_plan_that_needs_approval_for_one_address_warns_of_that_one_only(check):
    result = check(plan(DELETED, ("aws_x.a", ["delete"])), "staging", "--sarif", "-")

    assert findings(result.out) == [
        ("protected_list", "warning", DELETED[0]),
        ("destroyed", "note", "aws_x.a"),
    ]


def test_there_is_one_rule_for_every_rule_of_the_guard(check):
    (run,) = json.loads(check(plan(DELETED), "production", "--sarif", "-").out)["runs"]
    driver = run["tool"]["driver"]

    assert (driver["name"], driver["version"]) == ("midas-devops", __version__)
    assert [rule["id"] for rule in driver["rules"]] == list(RULES)
    (result,) = run["results"]
    assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    assert DELETED[0] in result["message"]["text"]
    assert run["properties"] == {
        "verdict": "needs_approval",
        "environment": "production",
        "production": True,
        "wholeEnvironment": False,
    }


def test_the_file_holds_what_stdout_would_and_the_summary_stays(check, tmp_path):
    document = plan(DELETED)
    plain = check(document, "production", "--json")
    with_file = check(document, "production", "--json", "--sarif", "guard.sarif")
    on_stdout = check(document, "production", "--sarif", "-")

    assert (with_file.code, with_file.json) == (plain.code, plain.json)
    assert (tmp_path / "guard.sarif").read_text() == on_stdout.out
    assert check(document, "production", "--sarif", "-").out == on_stdout.out


def test_the_plan_file_is_the_physical_location_and_stdin_is_none(check, cli, monkeypatch):
    document = plan(DELETED)
    (named,) = json.loads(check(document, "production", "--sarif", "-").out)["runs"][0]["results"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(document).encode())))
    piped = cli("infra", "check", "-", "--sarif", "-").out

    assert named["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "plan.json"
    assert findings(piped) == [("stateful_type", "warning", DELETED[0])]
    assert "physicalLocation" not in piped


def test_our_own_gate_reads_it(check, tmp_path):
    check(plan(DELETED, ("aws_x.a", ["delete"])), "staging", "--sarif", "guard.sarif")
    reading = SarifResults(tmp_path, "guard.sarif").read("0" * 40)

    assert reading.failure is None
    assert reading.executed
    assert reading.tools == ("midas-devops",)
    assert reading.by_level == {"warning": 1, "note": 1}
    assert reading.incomplete == ""


def test_a_harmless_plan_has_an_empty_list_of_results(check):
    assert findings(check(plan(("aws_x.a", ["create"])), "production", "--sarif", "-").out) == []


def test_two_documents_for_one_stdout_are_refused(check):
    result = check(plan(DELETED), "production", "--json", "--sarif", "-")

    assert (result.code, result.json["error"]["location"]) == (2, "--sarif")


def test_a_folder_that_is_not_there_is_exit_2_and_says_so(check):
    result = check(plan(DELETED), "production", "--json", "--sarif", "nowhere/guard.sarif")

    assert (result.code, result.json["error"]["code"]) == (2, "usage")
    assert "nowhere/guard.sarif" in result.json["error"]["message"]
