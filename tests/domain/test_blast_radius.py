"""One number for how much a plan can take with it, and what stands on what is destroyed."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from midas_devops.domain.blast_radius import HIGHEST, measure
from midas_devops.domain.changes import ResourceChange
from midas_devops.domain.plan_document import read_plan

ACTIONS = [("create",), ("update",), ("delete",), ("delete", "create"), ("create", "delete"), ("forget",)]
TYPES = ["aws_db_instance", "aws_instance", "google_storage_bucket", "random_id"]
changes = st.lists(
    st.builds(
        lambda number, kind, actions: ResourceChange(address=f"{kind}.r{number}", type=kind, actions=actions),
        st.integers(0, 40),
        st.sampled_from(TYPES),
        st.sampled_from(ACTIONS),
    ),
    unique_by=lambda change: change.address,
    max_size=12,
)


def change(address: str, *actions: str) -> ResourceChange:
    return ResourceChange(address=address, type=address.split(".", maxsplit=1)[0], actions=actions)


def test_a_database_weighs_more_than_many_replaceable_things() -> None:
    database = measure([change("aws_db_instance.main", "delete")], 0)
    instances = measure([change(f"aws_instance.web{n}", "delete") for n in range(4)], 0)
    assert (database.score, database.destroyed, database.stateful) == (40, 1, 1)
    assert instances.score == 32


def test_creating_loses_nothing() -> None:
    assert measure([change("aws_db_instance.main", "create")], 0).score == 0


def test_the_end_of_an_environment_is_the_most_there_is() -> None:
    assert measure([change("aws_instance.web", "delete")], 0, whole_environment=True).score == HIGHEST


@given(changes, st.integers(0, 30))
def test_the_score_stays_in_its_range_and_more_destruction_never_lowers_it(
    some: list[ResourceChange], dependents: int
) -> None:
    radius = measure(some, dependents)
    assert 0 <= radius.score <= HIGHEST
    assert measure([*some, change("aws_s3_bucket.more", "delete")], dependents).score >= radius.score
    assert measure(some, dependents + 1).score >= radius.score


def resource(address: str, *depends_on: str, **fields: Any) -> dict[str, Any]:
    kind, name = address.split(".")[-2:]
    given = {"address": address, "mode": "managed", "type": kind, "name": name}
    return {**given, "depends_on": list(depends_on), **fields}


def document(gone: str, *prior: dict[str, Any], child: list[dict[str, Any]] | None = None) -> bytes:
    root: dict[str, Any] = {"resources": list(prior)}
    if child:
        root["child_modules"] = [{"address": "module.app", "resources": child}]
    plan = {
        "format_version": "1.2",
        "planned_values": {},
        "prior_state": {"values": {"root_module": root}},
        "resource_changes": [{"address": gone, "mode": "managed", "change": {"actions": ["delete"]}}],
    }
    return json.dumps(plan).encode()


def test_what_is_built_on_a_destroyed_resource_is_found_over_any_number_of_steps() -> None:
    read = read_plan(
        document(
            "aws_vpc.main",
            resource("aws_vpc.main"),
            resource("aws_subnet.a", "aws_vpc.main"),
            resource("aws_instance.web[0]", "aws_subnet.a"),
            resource("aws_s3_bucket.logs"),
        )
    )
    assert read.dependents == ("aws_instance.web[0]", "aws_subnet.a")


def test_dependents_in_modules_and_behind_instance_keys_are_found() -> None:
    read = read_plan(
        document(
            'aws_vpc.main["eu.west"]',
            resource('aws_vpc.main["eu.west"]'),
            child=[resource("module.app.aws_instance.web", "aws_vpc.main")],
        )
    )
    assert read.dependents == ("module.app.aws_instance.web",)


def test_a_circle_ends_and_what_is_destroyed_itself_is_no_dependent() -> None:
    read = read_plan(document("a.x", resource("a.x", "a.y"), resource("a.y", "a.x")))
    assert read.dependents == ("a.y",)


def test_a_plan_that_destroys_nothing_has_none() -> None:
    plan = json.loads(document("a.x", resource("a.x"), resource("a.y", "a.x")))
    plan["resource_changes"][0]["change"]["actions"] = ["update"]
    assert read_plan(json.dumps(plan).encode()).dependents == ()
