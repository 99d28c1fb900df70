"""``infra check``: anybody's plan, judged by the environment's rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SETTINGS = """
[environments.staging]
kind = "staging"
[environments.staging.infrastructure]
config = "infra/staging"
protected = ["aws_db_instance.*"]
[environments.review]
kind = "development"
[environments.review.infrastructure]
config = "infra/review"
allow_destroy = true
[environments.production]
kind = "production"
"""


def plan(*changes: tuple[str, list[str]], kept: tuple[str, ...] = ("aws_vpc.main",)) -> dict[str, Any]:
    def resource(address: str) -> dict[str, Any]:
        kind, name = address.split(".")
        return {"address": address, "mode": "managed", "type": kind, "name": name}

    prior = [address for address, actions in changes if actions != ["create"]] + list(kept)
    return {
        "format_version": "1.2",
        "terraform_version": "1.9.0",
        "planned_values": {},
        "prior_state": {"values": {"root_module": {"resources": [resource(one) for one in prior]}}},
        "resource_changes": [
            {**resource(address), "change": {"actions": actions}} for address, actions in changes
        ],
    }


@pytest.fixture
def check(cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "midas.toml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)

    def judge(document: dict[str, Any], env: str, *flags: str, encoding: str = "utf-8"):
        (tmp_path / "plan.json").write_text(json.dumps(document), encoding=encoding)
        return cli("infra", "check", "plan.json", "--env", env, *flags)

    return judge


@pytest.mark.parametrize(
    ("env", "change", "code", "verdict"),
    [
        ("production", ("aws_instance.a", ["create"]), 0, "allowed"),
        ("production", ("aws_instance.a", ["delete"]), 3, "needs_approval"),
        ("nowhere", ("aws_instance.a", ["delete"]), 3, "needs_approval"),
        ("staging", ("aws_instance.a", ["delete"]), 0, "allowed"),
        ("staging", ("aws_db_instance.a", ["delete", "create"]), 3, "needs_approval"),
        ("staging", ("aws_db_instance.a", ["update"]), 0, "allowed"),
    ],
)
def test_the_verdict_is_the_exit_code(check, env, change, code, verdict):
    result = check(plan(change), env, "--json")

    assert (result.code, result.json["verdict"]) == (code, verdict)


def test_findings_name_every_destroyed_address_with_its_rule(check):
    result = check(
        plan(("aws_db_instance.orders", ["delete"]), ("aws_sns_topic.t", ["update"])), "production", "--json"
    )

    (finding,) = result.json["findings"]
    assert finding["address"] == "aws_db_instance.orders"
    assert finding["actions"] == ["delete"]
    assert finding["type"] == "aws_db_instance"
    assert finding["rule"] == "stateful_type"
    assert "deleted" in finding["reason"]


def test_the_end_of_an_environment_is_blocked_unless_it_may_be_destroyed(check):
    everything = plan(("aws_instance.a", ["delete"]), kept=())

    assert check(everything, "staging").code == 4
    assert check(everything, "production").code == 4
    assert check(everything, "review").code == 3


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_plans_as_other_shells_write_them_are_read(check, encoding):
    result = check(plan(("aws_instance.a", ["delete"])), "production", encoding=encoding)

    assert result.code == 3
    assert "aws_instance.a" in result.out


def test_without_settings_the_rules_of_production_hold(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.json").write_text(json.dumps(plan(("aws_instance.a", ["delete"]))))

    assert cli("infra", "check", "plan.json").code == 3
    assert cli("infra", "check", "plan.json", "--env", "staging").code == 3


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", '{"format_version": "7.0"}', '{"version": 4, "lineage": "x"}']
)
def test_what_is_no_plan_is_exit_2(cli, tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.json").write_text(text)

    result = cli("infra", "check", "plan.json", "--json")

    assert (result.code, result.json["error"]["code"]) == (2, "unreadable")


def test_a_missing_plan_says_how_to_write_one(cli, tmp_path):
    result = cli("infra", "check", str(tmp_path / "none.json"), "--json")

    assert result.code == 2
    assert "terraform show -json" in result.json["error"]["hint"]


def test_the_blast_radius_stands_beside_the_verdict(check):
    document = plan(("aws_db_instance.main", ["delete"]))

    radius = check(document, "production", "--json").json["blast_radius"]
    shown = check(document, "production").out

    assert radius == {"score": 40, "destroyed": 1, "stateful": 1, "dependents": 0, "updated": 0}
    assert "blast radius 40/100: 1 destroyed, 1 of them stateful" in shown
