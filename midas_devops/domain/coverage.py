"""Whether an approval of one plan still covers a later one (a retry plans afresh)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_IDLE: tuple[list[str], ...] = (["no-op"], ["read"], [])


def uncovered_changes(approved: Mapping[str, Any], fresh: Mapping[str, Any]) -> list[str]:
    """Addresses whose change in ``fresh`` was not in ``approved`` by address, action and values.

    Both are plan JSON as ``terraform show -json`` prints it. A value that was "known after apply" when it was
    approved may have become known since; every other difference is uncovered.
    """
    known = {_key(change): change for change in _acting(approved)}
    uncovered = []
    for change in _acting(fresh):
        before = known.get(_key(change))
        if before is None or not _same_change(before["change"], change["change"]):
            uncovered.append(str(change.get("address", "?")))
    return uncovered


def _acting(plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        change
        for change in plan.get("resource_changes") or []
        if change.get("change", {}).get("actions", []) not in _IDLE
    ]


def _key(change: Mapping[str, Any]) -> tuple[str, str]:
    return str(change.get("address", "")), str(change.get("deposed", ""))


def _same_change(approved: Mapping[str, Any], fresh: Mapping[str, Any]) -> bool:
    return approved.get("actions") == fresh.get("actions") and _within(
        approved.get("after"), approved.get("after_unknown"), fresh.get("after"), fresh.get("after_unknown")
    )


def _within(approved: Any, approved_unknown: Any, fresh: Any, fresh_unknown: Any) -> bool:
    if approved_unknown is True:
        return True
    if fresh_unknown is True:
        return False
    if isinstance(fresh, dict) or isinstance(approved, dict):
        was, now = approved or {}, fresh or {}
        if not isinstance(was, dict) or not isinstance(now, dict):
            return False
        return all(
            _within(was.get(key), _part(approved_unknown, key), now.get(key), _part(fresh_unknown, key))
            for key in {*was, *now, *_keys(approved_unknown), *_keys(fresh_unknown)}
        )
    if isinstance(fresh, list) and isinstance(approved, list):
        return len(fresh) == len(approved) and all(
            _within(was, _item(approved_unknown, index), now, _item(fresh_unknown, index))
            for index, (was, now) in enumerate(zip(approved, fresh, strict=True))
        )
    return bool(approved == fresh)


def _keys(unknown: Any) -> set[str]:
    return set(unknown) if isinstance(unknown, dict) else set()


def _part(unknown: Any, key: str) -> Any:
    return unknown.get(key) if isinstance(unknown, dict) else None


def _item(unknown: Any, index: int) -> Any:
    return unknown[index] if isinstance(unknown, list) and index < len(unknown) else None
