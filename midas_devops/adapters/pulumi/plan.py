"""Pulumi's preview as the plan that the rules read, and the saved plan as the one file that is approved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from midas_devops.adapters.pulumi.deployment import STACK_TYPE, Deployment, StackResource, is_managed_type
from midas_devops.adapters.pulumi.events import ResourceState, Step, address_of
from midas_devops.errors import UnreadableError

FORMAT = "midas-devops/pulumi-plan/1"
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for a value that is known after the update only, by Pulumi's definition."""
_IDLE = frozenset({"same", "refresh", "remove-pending-replace", "discard", "discard-replaced"})
_READS = frozenset({"read", "read-replacement"})
_ARRIVES = ("create-replacement", "import-replacement")
_REPLACES = frozenset({"replace", "delete-replaced", *_ARRIVES})
_AS_TERRAFORM = {"import": "create"}


class SavedPlan(msgspec.Struct):
    """What is approved and carried out: Pulumi's own plan, and what it may be carried out against."""

    operation: Literal["up", "destroy"]
    project: str
    stack: str
    state_sha256: str
    """Of the state that the plan was made against."""
    engine: str
    """Name and version: another version may read the plan otherwise."""
    planned: list[str]
    """Addresses that something is done to, for the report of a failure."""
    config_sha256: str
    """Of the program: Pulumi runs it again for the update, so it has to be the one that was previewed."""
    commit: str = ""
    """Commit of the configuration; empty for the one in the project."""
    plan: str = ""
    """What ``--save-plan`` wrote, to the letter. Pulumi saves none for a destroy."""
    format: str = FORMAT


class _Goal(msgspec.Struct):
    outputDiff: dict[str, Any] | None = None  # noqa: N815 - the name in the file


class _ResourcePlan(msgspec.Struct):
    steps: list[str] | None = None
    goal: _Goal | None = None


class _UpdatePlan(msgspec.Struct):
    resourcePlans: dict[str, _ResourcePlan] | None = None  # noqa: N815 - the name in the file
    manifest: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def read_saved_plan(data: bytes) -> SavedPlan:
    """Raises ``UnreadableError`` for anything that :func:`SavedPlan` did not write."""
    try:
        saved = msgspec.json.decode(data, type=SavedPlan)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableError(f"this is no saved plan of ours: {error}", hint="plan again") from error
    if saved.format != FORMAT:
        raise UnreadableError(f"the saved plan has the format {saved.format}", hint="plan again")
    return saved


def plan_document(steps: Sequence[Step], update_plan: str, before: Deployment, engine: str) -> dict[str, Any]:
    """The plan as ``terraform show -json`` would say it, which is what every rule of ours reads.

    The steps that were previewed and those in the update plan are put together: where they differ, the
    resource counts as changed by both. Raises ``UnreadableError`` when the update plan cannot be read.
    """
    plans = _resource_plans(update_plan) if update_plan else {}
    groups: dict[tuple[str, bool], list[Step]] = {}
    for step in steps:
        if step.managed or step.op in _READS:
            groups.setdefault((step.urn, step.left_over and step.op == "delete"), []).append(step)
    types = {resource.urn: resource for resource in before.resources}
    for urn, planned in plans.items():
        if (urn, False) not in groups and (found := _unseen(urn, planned, types.get(urn))):
            groups[(urn, False)] = found
    changes = []
    for (urn, left_over), group in groups.items():
        only = plans.get(urn) if not left_over and (urn, True) not in groups else None
        if change := _change(group, only.steps or () if only else (), left_over=left_over):
            changes.append(change)
    outputs = any(_sets_outputs(plan) for urn, plan in plans.items() if _type_of(urn) == STACK_TYPE)
    return {
        "format_version": "1.2",
        "terraform_version": engine,
        "planned_values": {"root_module": {}},
        "resource_changes": changes,
        "output_changes": {"stack outputs": {"actions": ["update"]}} if outputs else {},
        "prior_state": {"values": {"root_module": {"resources": [*map(_prior, _managed(before))]}}},
    }


def drift_document(steps: Sequence[Step]) -> dict[str, Any]:
    """The result of a refresh, as the drift of a plan."""
    drifted = []
    for step in steps:
        if step.managed and step.op not in (*_IDLE, *_READS):
            old, new = step.old or ResourceState(), step.new or ResourceState()
            change = {"actions": [step.op], "before": old.outputs, "after": new.outputs}
            drifted.append({"address": address_of(step.urn), "mode": "managed", "change": change})
    return {
        "format_version": "1.2",
        "planned_values": {"root_module": {}},
        "resource_changes": [],
        "resource_drift": drifted,
    }


def _resource_plans(text: str) -> dict[str, _ResourcePlan]:
    try:
        found = msgspec.json.decode(text.encode(), type=_UpdatePlan)
    except msgspec.DecodeError as error:
        raise UnreadableError(f"Pulumi's update plan cannot be read: {error}", hint="plan again") from error
    if found.manifest is msgspec.UNSET:
        raise UnreadableError("Pulumi's update plan has no manifest, so it is none", hint="plan again")
    return found.resourcePlans or {}


def _unseen(urn: str, planned: _ResourcePlan, known: StackResource | None) -> list[Step]:
    """Steps that only the update plan names. A component or a provider is nothing in the world."""
    kind = _type_of(urn)
    if not is_managed_type(kind) or (known is not None and not known.custom):
        return []
    return [Step(op=op, urn=urn, type=kind) for op in planned.steps or () if op not in (*_IDLE, *_READS)]


def _change(group: list[Step], planned: Iterable[str], *, left_over: bool) -> dict[str, Any] | None:
    first = group[0]
    operations = dict.fromkeys(step.op for step in group)
    operations |= dict.fromkeys(op for op in planned if op in ("delete", "replace", "delete-replaced"))
    kept = next((step.old for step in group if step.op in ("delete", "delete-replaced") and step.old), None)
    actions = _actions(list(operations), kept is not None and kept.retainOnDelete)
    old = next((step.old for step in group if step.old is not None), None)
    new = next((step.new for step in reversed(group) if step.new is not None), None)
    if actions == ["no-op"]:
        return None
    stays = "create" in actions or not {"delete", "forget"}.intersection(actions)
    inputs = new.inputs if new is not None and stays else None
    change: dict[str, Any] = {
        "actions": actions,
        "before": old.inputs if old else None,
        "after": _known(inputs),
        "after_unknown": _unknown(inputs),
    }
    shown: dict[str, Any] = {
        "address": address_of(first.urn),
        "mode": "data" if actions == ["read"] else "managed",
        "type": first.type or _type_of(first.urn),
        "change": change,
    }
    if left_over:
        shown["deposed"] = (old.id if old else "") or "left over"
    return shown


def _actions(operations: list[str], retained: bool) -> list[str]:
    """As Terraform names them, and in its order; an operation that nobody knows stays what it is."""
    working = [op for op in operations if op not in _IDLE]
    if not working:
        return ["no-op"]
    if _READS.issuperset(working):
        return ["read"]
    gone = "forget" if retained else "delete"
    if _REPLACES.intersection(working):
        order = [op for op in working if op in (*_ARRIVES, "delete-replaced")]
        deletes_first = not order or order[0] == "delete-replaced"
        unknown = [op for op in working if op not in _REPLACES and op not in ("create", "update", "delete")]
        return [*([gone, "create"] if deletes_first else ["create", gone]), *unknown]
    return [gone if op == "delete" else _AS_TERRAFORM.get(op, op) for op in working]


def _managed(before: Deployment) -> Iterable[StackResource]:
    return (resource for resource in before.resources if resource.managed)


def _prior(resource: StackResource) -> dict[str, Any]:
    prior: dict[str, Any] = {"address": address_of(resource.urn), "mode": "managed", "type": resource.type}
    if resource.delete:
        prior["deposed_key"] = resource.id or "left over"
    return prior


def _type_of(urn: str) -> str:
    return address_of(urn).partition("::")[0].rsplit("$", 1)[-1]


def _sets_outputs(plan: _ResourcePlan) -> bool:
    if plan.goal is None or plan.goal.outputDiff is None:
        return False
    return any(plan.goal.outputDiff.values())


def _known(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items() if item != _UNKNOWN}
    if isinstance(value, list):
        return [None if item == _UNKNOWN else _known(item) for item in value]
    return value


def _unknown(value: Any) -> Any:
    """Marks in the shape of the value, where it is known after the update only."""
    if isinstance(value, dict):
        marks = {key: _unknown(item) for key, item in value.items()}
        return {key: mark for key, mark in marks.items() if mark}
    if isinstance(value, list):
        marks_of_items = [_unknown(item) or False for item in value]
        return marks_of_items if any(marks_of_items) else []
    return value == _UNKNOWN
