"""Reading drift out of refresh-only plans: a recorded one of the AWS provider, and the format's corners."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from midas_devops.adapters.terraform.drift import read_drift
from midas_devops.adapters.terraform.engine import TerraformEngine
from midas_devops.config import Infrastructure
from midas_devops.errors import UnreadableError
from midas_devops.ports.iac import DriftChange, DriftResult
from midas_devops.testing.iac import Watcher, applied, planned

from .projects import TerraformProject

RECORDED = Path(__file__).parents[2] / "fixtures" / "drift" / "aws.json"


PROTECTED = """
resource "terraform_data" "a" {
  triggers_replace = "%s"
  lifecycle {
    prevent_destroy = true
  }
}
"""


def plan(*drifted: dict[str, Any], version: str = "1.2") -> bytes:
    document = {
        "format_version": version,
        "terraform_version": "1.9.0",
        "planned_values": {},
        "resource_drift": list(drifted),
    }
    return json.dumps(document).encode()


def entry(before: Any, after: Any, **other: Any) -> dict[str, Any]:
    marks = {key: other.pop(key) for key in ("before_sensitive", "after_sensitive") if key in other}
    actions = other.pop("actions", ["update"])
    change = {"actions": actions, "before": before, "after": after, **marks}
    return {"address": "aws_x.a", "mode": "managed", "type": "aws_x", "change": change, **other}


def attributes(before: Any, after: Any, **marks: Any) -> tuple[str, ...]:
    found = read_drift(plan(entry(before, after, **marks)))
    return found[0].attributes if found else ()


def test_a_recorded_plan_names_what_changed_outside_and_nothing_else():
    """A queue was deleted, a parameter got a value and a tag; a bucket's absent tags were read as empty."""
    assert read_drift(RECORDED.read_bytes()) == (
        DriftChange(address="aws_sqs_queue.orders", actions=("delete",)),
        DriftChange(
            address="aws_ssm_parameter.token",
            actions=("update",),
            attributes=("tags.cost-centre", "tags_all.cost-centre", "value", "version"),
        ),
    )


def test_no_value_of_the_recorded_plan_is_in_what_is_read():
    text = DriftResult(changes=read_drift(RECORDED.read_bytes())).model_dump_json()

    assert "second-77ab" in RECORDED.read_text()
    assert not [value for value in ("first-9f1c", "second-77ab", "orders-logs") if value in text]


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        ({"size": 1, "name": "a"}, {"size": 2, "name": "a"}, ("size",)),
        ({"tags": {"Name": "a"}}, {"tags": {"Name": "b"}}, ("tags.Name",)),
        ({"tags": None}, {"tags": {"Name": "b"}}, ("tags.Name",)),
        ({"tags": {"Name": "a", "B": "1"}}, {"tags": {"B": "1"}}, ("tags.Name",)),
        ({"tags": {"a.b/c": "1"}}, {"tags": {"a.b/c": "2"}}, ('tags["a.b/c"]',)),
        ({"rule": [{"port": 1}, {"port": 2}]}, {"rule": [{"port": 1}, {"port": 3}]}, ("rule[1].port",)),
        ({"cidrs": ["a"]}, {"cidrs": ["a", "b"]}, ("cidrs",)),
        ({"count": 0}, {"count": None}, ("count",)),
        ({"on": False}, {"on": None}, ("on",)),
        ({"name": "a"}, {"name": ""}, ("name",)),
    ],
)
def test_paths_lead_to_what_differs(before, after, paths):
    assert attributes(before, after) == paths


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"tags": None}, {"tags": {}}),
        ({"policy": ""}, {"policy": None}),
        ({"rule": []}, {}),
        ({"tags": {"Name": ""}}, {"tags": {"Name": None}}),
    ],
)
def test_empty_instead_of_absent_is_no_drift(before, after):
    assert read_drift(plan(entry(before, after))) == ()


@pytest.mark.parametrize("mark", ["before_sensitive", "after_sensitive"])
def test_a_path_ends_where_something_is_marked_as_sensitive(mark):
    before = {"env": {"token-4711": "a"}, "rule": [{"secret": {"k": "a"}, "port": 1}]}
    after = {"env": {"token-4712": "b"}, "rule": [{"secret": {"k": "b"}, "port": 2}]}

    assert attributes(before, after, **{mark: {"env": True, "rule": [{"secret": True}]}}) == (
        "env",
        "rule[0].port",
        "rule[0].secret",
    )


@pytest.mark.parametrize("other", [{"actions": ["no-op"], "previous_address": "aws_x.b"}, {"mode": "data"}])
def test_a_new_address_and_data_that_was_read_are_no_drift(other):
    assert read_drift(plan(entry({"a": "1"}, {"a": "2"}, **other))) == ()


def test_deposed_objects_are_told_apart():
    gone = {"actions": ["delete"]}
    found = read_drift(plan(entry({"a": "1"}, None, deposed="0b5e", **gone), entry({"a": "1"}, None, **gone)))

    assert [change.address for change in found] == ["aws_x.a (deposed 0b5e)", "aws_x.a"]


def test_a_plan_without_drift_has_none():
    assert read_drift(b'{"format_version": "1.2", "planned_values": {}}') == ()


@pytest.mark.parametrize("text", [b"", b"[]", plan(version="7.0")])
def test_what_is_no_plan_of_a_known_format_is_refused(text):
    with pytest.raises(UnreadableError):
        read_drift(text)


def test_what_the_configuration_now_asks_for_is_not_planned(tmp_path: Path):
    """Only a refresh: this change could not even be planned."""
    project = TerraformProject(tmp_path / "project")
    project.write(PROTECTED % "1")
    state = applied(project, planned(project)).state
    project.write(PROTECTED % "2")
    assert project.engine().plan(Watcher()).failure is not None

    result = project.engine().drift(Watcher())

    assert (result.failure, result.changes) == (None, ())
    assert project.engine().state_identity() == state


def test_a_variables_file_that_was_named_is_used(tmp_path: Path):
    project = TerraformProject(tmp_path / "project")
    project.write('variable "size" {}\nresource "terraform_data" "a" {\n  input = var.size\n}\n')
    project.write('size = "1"\n', "small.tfvars")

    assert project.engine().drift(Watcher()).failure is not None
    named = TerraformEngine(
        project.root,
        "staging",
        Path("infra/staging/small.tfvars"),
        Infrastructure.model_validate({"config": "infra/staging"}),
        project.artifacts,
        project.environ,
    )
    assert named.drift(Watcher()).failure is None
