"""A preview of Pulumi, as our rules read it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from midas_devops.adapters.pulumi.deployment import Deployment, StackResource
from midas_devops.adapters.pulumi.events import ResourceState, Step, address_of
from midas_devops.adapters.pulumi.plan import drift_document, plan_document
from midas_devops.adapters.terraform.drift import read_drift
from midas_devops.domain.changes import GuardVerdict
from midas_devops.domain.guard import evaluate
from midas_devops.domain.plan_document import PlanDocument, read_plan
from midas_devops.errors import UnreadableError

BUCKET = "aws:s3/bucket:Bucket"
PREFIX = "urn:pulumi:prod::orders::"
URN = f"{PREFIX}{BUCKET}::logs"
ADDRESS = f"{BUCKET}::logs"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
OLD = ResourceState(custom=True, id="logs-1", inputs={"acl": "private"})
NEW = ResourceState(custom=True, inputs={"acl": "public"})


def step(op: str, urn: str = URN, old: ResourceState | None = OLD, new: ResourceState | None = NEW) -> Step:
    return Step(op=op, urn=urn, type=urn.split("::")[2].rsplit("$", 1)[-1], old=old, new=new)


def update_plan(**steps: list[str]) -> str:
    plans = {f"{PREFIX}{BUCKET}::{name}": {"steps": operations} for name, operations in steps.items()}
    return json.dumps({"manifest": {}, "resourcePlans": plans})


def document(steps: list[Step], plan: str = "", before: Deployment | None = None) -> dict[str, Any]:
    return plan_document(steps, plan, before or Deployment(), "pulumi 3.204.0")


def read(steps: list[Step], plan: str = "", before: Deployment | None = None) -> PlanDocument:
    return read_plan(json.dumps(document(steps, plan, before)).encode())


@pytest.mark.parametrize(
    ("operations", "actions"),
    [
        (["create"], ("create",)),
        (["update"], ("update",)),
        (["delete"], ("delete",)),
        (["import"], ("create",)),
        (["create-replacement", "replace", "delete-replaced"], ("create", "delete")),
        (["delete-replaced", "replace", "create-replacement"], ("delete", "create")),
        (["import-replacement", "replace", "delete-replaced"], ("create", "delete")),
        (["replace"], ("delete", "create")),
        (["obliterate"], ("obliterate",)),
    ],
)
def test_operations_are_named_as_terraform_names_them(
    operations: list[str], actions: tuple[str, ...]
) -> None:
    (change,) = read([step(op) for op in operations]).changes
    assert (change.address, change.type, change.actions) == (ADDRESS, BUCKET, actions)


@pytest.mark.parametrize("operation", ["same", "refresh", "discard", "remove-pending-replace", "read"])
def test_what_changes_nothing_is_no_change(operation: str) -> None:
    assert read([step(operation)]).changes == ()


def test_a_retained_resource_is_forgotten_and_not_deleted() -> None:
    kept = ResourceState(custom=True, id="logs-1", retainOnDelete=True)
    assert read([step("delete", old=kept, new=None)]).changes[0].actions == ("forget",)
    replaced = [
        step("create-replacement", old=kept),
        step("replace", old=kept),
        step("delete-replaced", old=kept),
    ]
    assert read(replaced).changes[0].actions == ("create", "forget")


def test_what_an_earlier_replacement_left_is_an_object_of_its_own() -> None:
    left = ResourceState(custom=True, id="logs-0", delete=True)
    changes = read([step("update"), step("delete", old=left, new=None)]).changes
    assert [(change.actions, change.deposed) for change in changes] == [
        (("update",), ""),
        (("delete",), "logs-0"),
    ]


def test_components_providers_and_the_stack_itself_are_no_resources() -> None:
    component = ResourceState(custom=False)
    steps = [
        step("create", f"{PREFIX}pulumi:pulumi:Stack::orders-prod", None, component),
        step("create", f"{PREFIX}pulumi:providers:aws::default", None, NEW),
        step("delete", f"{PREFIX}acme:net:Network::main", component, None),
        step("delete", f"{PREFIX}acme:net:Network${BUCKET}::logs", OLD, None),
    ]
    assert [change.address for change in read(steps).changes] == [f"acme:net:Network${BUCKET}::logs"]


def test_a_deletion_that_only_the_update_plan_names_is_seen() -> None:
    plan = update_plan(logs=["delete-replaced", "replace", "create-replacement"], audit=["delete"])
    changes = {change.address: change.actions for change in read([step("update")], plan).changes}
    assert changes == {ADDRESS: ("delete", "create"), f"{BUCKET}::audit": ("delete",)}


def test_values_that_are_not_known_yet_are_marked() -> None:
    inputs = {"name": UNKNOWN, "tags": {"a": "1", "b": UNKNOWN}, "rules": ["x", UNKNOWN]}
    (shown,) = document([step("create", old=None, new=ResourceState(custom=True, inputs=inputs))])[
        "resource_changes"
    ]
    assert shown["change"]["after"] == {"tags": {"a": "1"}, "rules": ["x", None]}
    assert shown["change"]["after_unknown"] == {"name": True, "tags": {"b": True}, "rules": [False, True]}


def test_the_end_of_the_environment_is_seen() -> None:
    resources = (
        StackResource(urn=URN, type=BUCKET, custom=True),
        StackResource(urn=f"{PREFIX}pulumi:pulumi:Stack::orders-prod", type="pulumi:pulumi:Stack"),
    )
    plan = read([step("delete", new=None)], before=Deployment(exists=True, resources=resources))
    report = evaluate(plan.changes, plan.prior_addresses, production=False, protected=(), allow_destroy=False)
    assert report.whole_environment
    assert report.verdict == GuardVerdict.BLOCKED


@pytest.mark.parametrize("glob", [f"{BUCKET}::*", "*::logs", "aws:s3*", "acme:net:Network$*"])
def test_owners_protect_resources_by_type_and_name(glob: str) -> None:
    urn = f"{PREFIX}acme:net:Network${BUCKET}::logs" if "acme" in glob else URN
    others = (StackResource(urn=f"{PREFIX}{BUCKET}::other", type=BUCKET, custom=True),)
    plan = read([step("delete", urn, new=None)], before=Deployment(exists=True, resources=others))
    report = evaluate(
        plan.changes, plan.prior_addresses, production=False, protected=(glob,), allow_destroy=False
    )
    assert report.verdict == GuardVerdict.NEEDS_APPROVAL
    assert [(finding.address, finding.rule) for finding in report.findings] == [
        (address_of(urn), "protected_list")
    ]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"manifest": {}, "resourcePlans": {"u": {"steps": 3}}}'])
def test_an_update_plan_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError):
        document([], text)


def test_drift_names_attributes_and_no_value() -> None:
    old = ResourceState(custom=True, outputs={"acl": "private", "tags": {"a": "1"}})
    new = ResourceState(custom=True, outputs={"acl": "private", "tags": {"a": "2"}})
    gone = f"{PREFIX}{BUCKET}::gone"
    steps = [
        step("update", old=old, new=new),
        step("delete", gone, old, None),
        step("same", f"{PREFIX}{BUCKET}::x"),
    ]
    changes = read_drift(json.dumps(drift_document(steps)).encode())
    assert [(change.address, change.actions, change.attributes) for change in changes] == [
        (ADDRESS, ("update",), ("tags.a",)),
        (f"{BUCKET}::gone", ("delete",), ()),
    ]
