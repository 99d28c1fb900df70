"""Typed access to parsed JSON whose shape nobody has checked yet."""

from __future__ import annotations

from midas_devops.adapters.report_files import ReportError

Shape = dict[str, object]


def array(owner: Shape, key: str) -> list[object]:
    """A list, empty when absent or null. Raises ``ReportError`` for anything else."""
    value = owner.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ReportError(f"'{key}' is no list")
    return value


def objects(owner: Shape, key: str) -> list[Shape]:
    """A list of objects, empty when absent or null. Raises ``ReportError`` for anything else."""
    found: list[Shape] = []
    for value in array(owner, key):
        if not isinstance(value, dict):
            raise ReportError(f"'{key}' holds something that is no object")
        found.append(value)
    return found


def member(owner: Shape, key: str) -> Shape:
    """An object, empty when absent or null. Raises ``ReportError`` for anything else."""
    value = owner.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ReportError(f"'{key}' is no object")
    return value


def text(owner: Shape, key: str) -> str:
    """A text, empty when absent or null. Raises ``ReportError`` for anything else."""
    value = owner.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ReportError(f"'{key}' is no text")
    return value


def index(owner: Shape, key: str) -> int:
    """A position, -1 when absent or null. Raises ``ReportError`` for anything else."""
    value = owner.get(key)
    if value is None:
        return -1
    if not isinstance(value, int) or isinstance(value, bool):
        raise ReportError(f"'{key}' is no number")
    return value
