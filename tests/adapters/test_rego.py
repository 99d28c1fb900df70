"""A team's policies in Rego, evaluated by the real interpreter."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from midas_devops.adapters.rego import RegoPolicies
from midas_devops.domain.gates import GateResult
from midas_devops.domain.policy_rules import judge_policies

pytest.importorskip("regopy", reason="needs regopy: pip install 'midas-devops[policies]'")

PLAN = json.dumps(
    {
        "format_version": "1.2",
        "resource_changes": [
            {"address": "aws_s3_bucket.logs", "type": "aws_s3_bucket", "change": {"actions": ["delete"]}}
        ],
    }
).encode()
FACTS = {"environment": "production", "kind": "production", "production": True}
DENIES = """package main
import rego.v1

deny contains msg if {
  some change in input.resource_changes
  "delete" in change.change.actions
  msg := sprintf("%s would go", [change.address])
}
"""


def judged(root: Path, text: str, *, seconds: float = 30, name: str = "policies/a.rego") -> GateResult:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    reading = RegoPolicies(root, ("policies/**/*.rego",), timedelta(seconds=seconds)).read(PLAN, FACTS)
    return judge_policies("policies", reading)


@pytest.mark.parametrize(
    ("policy", "verdict", "reason"),
    [
        (DENIES, "failed", "denied: main: aws_s3_bucket.logs would go"),
        ('package team.s3\ndeny[msg] { input.resource_changes; msg := "old" }', "failed", "team.s3: old"),
        ('package main\nviolation[{"msg": "no"}] { true }', "failed", "denied: main: no"),
        ("package main\ndeny if { count(input.resource_changes) > 5 }", "passed", "main denies nothing"),
        ("package main\ndeny if { count(input.resource_changes) > 0 }", "failed", "denied: main: it holds"),
        ('package main\nwarn contains "look" if data.midas.production', "passed", "; warned: main: look"),
        ("package main\nallow := true", "inconclusive", "no policy has a rule"),
        ("package main\ndeny contains m if { m := http.send({}) }", "errored", "main.deny cannot be"),
        ("package main\ndeny contains m if { m := ; }", "errored", "policies/a.rego: Invalid assignment"),
        ("deny contains 1", "errored", "policies/a.rego has no package"),
    ],
)  # fmt: skip
def test_what_a_policy_decides(tmp_path: Path, policy: str, verdict: str, reason: str) -> None:
    gate = judged(tmp_path, policy)
    assert (gate.verdict, gate.evidence) == (verdict, ("policies/a.rego",))
    assert reason in gate.reason


def test_no_policy_at_all_is_no_pass(tmp_path: Path) -> None:
    reading = RegoPolicies(tmp_path, ("policies/*.rego",), timedelta(seconds=9)).read(PLAN, FACTS)
    assert judge_policies("policies", reading).verdict == "inconclusive"


def test_tests_of_policies_decide_nothing(tmp_path: Path) -> None:
    gate = judged(tmp_path, "package main\nallow := true")
    assert judged(tmp_path, DENIES, name="policies/a_test.rego").verdict == gate.verdict


def test_the_evidence_changes_with_the_policy_and_with_what_it_says(tmp_path: Path) -> None:
    first = judged(tmp_path, "package main\ndeny if { false }")
    same = judged(tmp_path, "package main\ndeny if { false }")
    other = judged(tmp_path, "package main\ndeny if { false } # reviewed")
    assert first.evidence_sha256 == same.evidence_sha256 != other.evidence_sha256


def test_a_policy_that_takes_too_long_is_no_pass(tmp_path: Path) -> None:
    slow = "package main\ndeny contains m if { n := numbers.range(1, 4000)[_]; k := numbers.range(1, 4000)[_]; n * k == -1; m := n }"  # noqa: E501
    gate = judged(tmp_path, slow, seconds=1)
    assert (gate.verdict, gate.reason) == ("errored", "the policies did not decide within 1 s")
