"""Reads what drifted out of ``show -json`` of a refresh-only plan: names of attributes, never their values.

Format: https://developer.hashicorp.com/terraform/internals/json-format, ``resource_drift``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from midas_devops.domain.plan_document import as_utf8, object_name, read_plan
from midas_devops.ports.iac import DriftChange

_IDLE = frozenset({"no-op", "read"})
_NAME = re.compile(r"[A-Za-z_][\w-]*")


class _Change(msgspec.Struct):
    actions: tuple[str, ...] = ()
    before: Any = None
    after: Any = None
    before_sensitive: Any = False
    after_sensitive: Any = False


class _Drifted(msgspec.Struct):
    address: str
    mode: str = "managed"
    deposed: str | None = None
    change: _Change = msgspec.field(default_factory=_Change)


class _Plan(msgspec.Struct):
    resource_drift: list[_Drifted] | None = None


def read_drift(plan_json: bytes) -> tuple[DriftChange, ...]:
    """What changed outside, in the plan's order. Raises ``UnreadableError`` for what is no known plan.

    A resource that only has a new address did not drift. Nor did one whose empty values merely became
    absent, or the other way round: providers write now one, now the other, for the same thing.
    """
    read_plan(plan_json)  # refuses what is no complete plan of a known format
    plan = msgspec.json.decode(as_utf8(plan_json), type=_Plan)
    found = (_drifted(item) for item in plan.resource_drift or () if item.mode != "data")
    return tuple(change for change in found if change is not None)


def _drifted(item: _Drifted) -> DriftChange | None:
    change = item.change
    if change.actions and _IDLE.issuperset(change.actions):
        return None
    address = object_name(item.address, item.deposed or "")
    if change.actions != ("update",):
        return DriftChange(address=address, actions=change.actions)
    paths = _differing(change.before, change.after, change.before_sensitive, change.after_sensitive, "")
    attributes = tuple(paths)
    return DriftChange(address=address, actions=change.actions, attributes=attributes) if attributes else None


def _differing(before: Any, after: Any, was_marked: Any, is_marked: Any, path: str) -> Iterator[str]:
    """Paths at which two values differ; where a mark says sensitive, the path ends."""
    if before == after or (_is_empty(before) and _is_empty(after)):
        return
    marked = was_marked is True or is_marked is True
    if not marked and _may_be(dict, before) and _may_be(dict, after):
        before, after = before or {}, after or {}
        for key in sorted({*before, *after}):
            inner = _below(path, key)
            marks = (_mark(was_marked, key), _mark(is_marked, key))
            yield from _differing(before.get(key), after.get(key), *marks, inner)
    elif not marked and isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for position, (old, new) in enumerate(zip(before, after, strict=True)):
            marks = (_mark(was_marked, position), _mark(is_marked, position))
            yield from _differing(old, new, *marks, f"{path}[{position}]")
    else:
        yield path


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)


def _may_be(kind: type, value: Any) -> bool:
    return value is None or isinstance(value, kind)


def _mark(marks: Any, key: str | int) -> Any:
    """The mark of a part. Marks have the shape of the value, without the parts that have none."""
    if isinstance(marks, dict):
        return marks.get(key, False)
    if isinstance(marks, list) and isinstance(key, int) and key < len(marks):
        return marks[key]
    return False


def _below(path: str, key: str) -> str:
    if not _NAME.fullmatch(key):
        return f"{path}[{msgspec.json.encode(key).decode()}]"
    return f"{path}.{key}" if path else key
