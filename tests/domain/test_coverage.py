"""Whether an approval covers a fresh plan."""

from __future__ import annotations

from typing import Any

from midas_devops.domain.coverage import uncovered_changes


def change(address: str, *actions: str, after: Any = None, unknown: Any = None) -> dict[str, Any]:
    return {
        "address": address,
        "change": {"actions": list(actions), "after": after, "after_unknown": unknown or {}},
    }


def plan(*changes: dict[str, Any]) -> dict[str, Any]:
    return {"resource_changes": list(changes)}


APPROVED = plan(
    change("a.one", "create", after={"name": "one"}, unknown={"id": True}),
    change("a.two", "create", after={"name": "two", "tags": ["x"]}, unknown={"parent": True}),
)


def test_what_remains_of_an_approved_plan_is_covered() -> None:
    remains = plan(change("a.two", "create", after={"name": "two", "tags": ["x"], "parent": "id-1"}))
    assert uncovered_changes(APPROVED, remains) == []


def test_another_address_is_not_covered() -> None:
    assert uncovered_changes(APPROVED, plan(change("a.three", "create"))) == ["a.three"]


def test_another_action_is_not_covered() -> None:
    tainted = plan(change("a.one", "delete", "create", after={"name": "one"}, unknown={"id": True}))
    assert uncovered_changes(APPROVED, tainted) == ["a.one"]


def test_another_value_is_not_covered() -> None:
    other = plan(change("a.one", "create", after={"name": "ONE"}, unknown={"id": True}))
    assert uncovered_changes(APPROVED, other) == ["a.one"]


def test_another_item_of_a_list_is_not_covered() -> None:
    longer = plan(change("a.two", "create", after={"name": "two", "tags": ["x", "y"]}))
    assert uncovered_changes(APPROVED, longer) == ["a.two"]


def test_a_value_that_became_unknown_is_not_covered() -> None:
    unknown = plan(change("a.one", "create", after={}, unknown={"id": True, "name": True}))
    assert uncovered_changes(APPROVED, unknown) == ["a.one"]


def test_the_other_object_of_an_address_is_not_covered() -> None:
    deposed = {**change("a.one", "create", after={"name": "one"}, unknown={"id": True}), "deposed": "ab12"}
    assert uncovered_changes(APPROVED, plan(deposed)) == ["a.one"]


def test_a_plan_that_does_nothing_is_covered() -> None:
    assert uncovered_changes(APPROVED, plan(change("a.nine", "no-op"), change("b", "read"))) == []
    assert uncovered_changes(APPROVED, {}) == []
