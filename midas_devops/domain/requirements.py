"""What the architect asked for against what a plan provides: the gap, by resource and by attribute."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import Field

from midas_devops.domain.addresses import matches
from midas_devops.domain.base import Value

MISSING = object()
_OPERATORS = frozenset({"min", "max", "one_of", "not", "contains", "matches", "present"})
_INDEX = re.compile(r"\[(\d+)\]")
_SHOWN = 80


class RequiredResource(Value):
    """One component that must be there.

    ``attributes`` maps a path (``tags.Owner``, ``ingress[0].from_port``) to the value that it must have, or
    to conditions: ``{min = 100}``, ``{max = 5}``, ``{one_of = [...]}``, ``{not = …}``, ``{contains = …}``,
    ``{matches = "regular expression"}``, ``{present = true}``. A path through a list of blocks holds when it
    holds for one of them.
    """

    type: str = Field(min_length=1)
    name: str = ""
    """Glob of its name, or of its address as ``protected`` has them; empty: any of this type."""
    count: int = Field(default=1, ge=1)
    """How many there must be, at least."""
    attributes: dict[str, Any] = {}
    reason: str = ""


class ProvidedResource(Value):
    """A managed resource as it will be once the plan was carried out."""

    address: str
    type: str
    name: str
    values: dict[str, Any] = {}
    unknown: Any = None
    """True at the paths that are known only after the apply, as ``after_unknown`` of the plan has them."""
    sensitive: Any = None
    """True at the paths whose value must not be shown."""


GapKind = Literal["missing", "too_few", "different", "not_set", "not_known"]


class Gap(Value):
    """One thing that was asked for and is not provided."""

    kind: GapKind
    type: str
    name: str = ""
    address: str = ""
    """The provided resource that comes nearest; empty when there is none."""
    attribute: str = ""
    wanted: str = ""
    found: str = ""
    reason: str = ""
    """Why it was asked for."""


class RequirementsReport(Value):
    """How much of what was asked for a plan provides."""

    asked: int = 0
    met: int = 0
    gaps: tuple[Gap, ...] = ()
    modules: tuple[str, ...] = ()
    """Places of the knowledge base that fit the gaps best, ``file:first-last`` line."""


def compare(required: Iterable[RequiredResource], provided: Sequence[ProvidedResource]) -> RequirementsReport:
    """The gap. A requirement is met when as many resources as it asks for have all its attributes."""
    asked = met = 0
    gaps: list[Gap] = []
    for one in required:
        asked += 1
        found = _gaps(one, provided)
        gaps.extend(found)
        met += not found
    return RequirementsReport(asked=asked, met=met, gaps=tuple(gaps))


def _gaps(required: RequiredResource, provided: Sequence[ProvidedResource]) -> list[Gap]:
    common = {"type": required.type, "name": required.name, "reason": required.reason}
    candidates = [one for one in provided if one.type == required.type and _named(required.name, one)]
    if not candidates:
        return [Gap(kind="missing", **common)]
    judged = sorted(((one, _attribute_gaps(required, one)) for one in candidates), key=lambda j: len(j[1]))
    lacking = [
        Gap.model_validate({**common, "address": one.address, **gap})
        for one, gaps in judged[: required.count]
        for gap in gaps
    ]
    if len(candidates) < required.count:
        few = Gap(kind="too_few", wanted=str(required.count), found=str(len(candidates)), **common)
        lacking.append(few)
    return lacking


def _named(pattern: str, one: ProvidedResource) -> bool:
    return not pattern or fnmatchcase(one.name, pattern) or matches(one.address, pattern)


def _attribute_gaps(required: RequiredResource, one: ProvidedResource) -> list[dict[str, str]]:
    gaps = []
    for path, wanted in required.attributes.items():
        steps = _steps(path)
        found = list(_at(one.values, steps))
        if any(_holds(value, wanted) for value in found) or (not found and _holds(MISSING, wanted)):
            continue
        gap = {"attribute": path, "wanted": _condition(wanted)}
        if _marked(one.unknown, steps):
            gap["kind"] = "not_known"
        elif all(value is None for value in found):
            gap["kind"] = "not_set"
        else:
            hidden = _marked(one.sensitive, steps)
            shown = "a sensitive value" if hidden else " or ".join(_short(value) for value in found[:3])
            gap |= {"kind": "different", "found": shown}
        gaps.append(gap)
    return gaps


def _steps(path: str) -> list[str]:
    return [step for part in path.split(".") for step in _INDEX.sub(r".\1", part).split(".") if step]


def _at(value: Any, steps: Sequence[str]) -> Iterable[Any]:
    """The values at a path; through a list without an index, those of every element."""
    if not steps:
        yield value
    elif isinstance(value, Mapping):
        if steps[0] in value:
            yield from _at(value[steps[0]], steps[1:])
        elif len(steps) > 1:
            # A key may hold dots itself: tags such as app.kubernetes.io/name.
            yield from _at(value, [f"{steps[0]}.{steps[1]}", *steps[2:]])
    elif isinstance(value, list):
        if steps[0].isdigit():
            if int(steps[0]) < len(value):
                yield from _at(value[int(steps[0])], steps[1:])
        else:
            for element in value:
                yield from _at(element, steps)


def _marked(marks: Any, steps: Sequence[str]) -> bool:
    """Whether a path, or what it lies in, is marked with ``true``."""
    if marks is True:
        return True
    if not steps:
        return any(_marked(below, ()) for below in _below(marks))
    if isinstance(marks, Mapping):
        return _marked(marks.get(steps[0]), steps[1:])
    if isinstance(marks, list):
        if steps[0].isdigit():
            return int(steps[0]) < len(marks) and _marked(marks[int(steps[0])], steps[1:])
        return any(_marked(element, steps) for element in marks)
    return False


def _below(marks: Any) -> Iterable[Any]:
    if isinstance(marks, Mapping):
        return marks.values()
    return marks if isinstance(marks, list) else ()


def _holds(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping) and wanted and _OPERATORS.issuperset(wanted):
        return all(_condition_holds(value, operator, operand) for operator, operand in wanted.items())
    return value is not MISSING and _same(value, wanted)


def _condition_holds(value: Any, operator: str, operand: Any) -> bool:
    there = value is not MISSING and value is not None
    if operator == "present":
        return there == bool(operand)
    if operator == "not":
        return not there or not _same(value, operand)
    if not there:
        return False
    if operator == "one_of":
        return any(_same(value, one) for one in operand)
    if operator == "contains":
        if isinstance(value, list | Mapping):
            members = [*value, *value.values()] if isinstance(value, Mapping) else value
            return any(_same(one, operand) for one in members)
        return str(operand) in str(value)
    if operator == "matches":
        return re.search(str(operand), str(value)) is not None
    number, limit = _number(value), _number(operand)
    if number is None or limit is None:
        return False
    return number >= limit if operator == "min" else number <= limit


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(value, Mapping) and all(
            key in value and _same(value[key], inner) for key, inner in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return isinstance(value, list) and len(value) == len(wanted) and all(map(_same, value, wanted))
    if isinstance(value, bool) or isinstance(wanted, bool):
        # The engine takes "true" for true, and so may whoever wrote the requirement.
        return str(value).lower() == str(wanted).lower()
    left, right = _number(value), _number(wanted)
    return left == right if left is not None and right is not None else str(value) == str(wanted)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _condition(wanted: Any) -> str:
    if isinstance(wanted, Mapping) and wanted and _OPERATORS.issuperset(wanted):
        words = {"min": "at least", "max": "at most", "one_of": "one of", "present": "present:"}
        return " and ".join(f"{words.get(key, key)} {_short(operand)}" for key, operand in wanted.items())
    return _short(wanted)


def _short(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
