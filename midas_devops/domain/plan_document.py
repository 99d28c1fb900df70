"""Reads ``terraform show -json`` of a plan: what would change, and what was there before.

Format: https://developer.hashicorp.com/terraform/internals/json-format, major versions 0 and 1. Fields that
no rule needs are skipped, not built: a plan of any size costs little more memory than its own bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import msgspec

from midas_devops.domain.addresses import declared, type_of
from midas_devops.domain.changes import ChangeCounts, ResourceChange
from midas_devops.errors import UnreadableError

_HINT = "write it with `terraform plan -out=FILE` and then `terraform show -json FILE`"
_READ_MAJORS = frozenset({"0", "1"})
_IDLE = frozenset({"no-op", "read"})
_GOING = frozenset({"delete", "forget"})
_KNOWN = frozenset({"no-op", "create", "read", "update", "delete", "forget"})


class PlannedChange(msgspec.Struct, frozen=True, gc=False):
    """A :class:`ResourceChange` at a quarter of its memory, for plans with many of them."""

    address: str
    type: str
    actions: tuple[str, ...]
    deposed: str = ""
    previous_address: str = ""

    def as_value(self) -> ResourceChange:
        return ResourceChange(
            address=self.address,
            type=self.type,
            actions=self.actions,
            deposed=self.deposed,
            previous_address=self.previous_address,
        )


class AnyChange(Protocol):
    """What the rules read of a change: :class:`ResourceChange` and :class:`PlannedChange` have it."""

    @property
    def address(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def actions(self) -> tuple[str, ...]: ...
    @property
    def deposed(self) -> str: ...
    @property
    def previous_address(self) -> str: ...


class _Change(msgspec.Struct, gc=False):
    actions: tuple[str, ...] | None = None


class _ResourceChange(msgspec.Struct, gc=False):
    address: str
    previous_address: str | None = None
    mode: str = "managed"
    type: str = ""
    deposed: str | None = None
    change: _Change | None = None


class _Resource(msgspec.Struct, gc=False):
    address: str
    mode: str = "managed"
    index: int | str | None = None
    deposed_key: str | None = None
    depends_on: list[str] | None = None


class _Module(msgspec.Struct):
    address: str = ""
    resources: list[_Resource] | None = None
    child_modules: list[_Module] | None = None


class _Values(msgspec.Struct):
    root_module: _Module | None = None


class _State(msgspec.Struct):
    values: _Values | None = None


class _Document(msgspec.Struct):
    format_version: str = ""
    terraform_version: str = ""
    errored: bool = False
    resource_changes: list[_ResourceChange] | None = None
    output_changes: dict[str, _Change | None] | None = None
    prior_state: _State | None = None
    # Only to tell a plan from something else.
    planned_values: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    values: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    lineage: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    version: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """What the rules need to know of a plan."""

    format_version: str
    engine_version: str
    changes: tuple[PlannedChange, ...]
    """Managed objects that the plan does something to, in its order."""
    prior_addresses: tuple[str, ...]
    """Managed objects of the prior state; see :func:`object_name` for deposed ones."""
    outputs_changed: bool
    dependents: tuple[str, ...] = ()
    """Managed objects of the prior state that stay, and depend on something that is destroyed; sorted."""

    @property
    def counts(self) -> ChangeCounts:
        return count(self.changes)

    @property
    def has_changes(self) -> bool:
        """Outputs count: applying them is a change too."""
        return bool(self.changes) or self.outputs_changed


def object_name(address: str, deposed: str) -> str:
    """Names one object of a state; a resource can have deposed objects beside its current one."""
    return f"{address} (deposed {deposed})" if deposed else address


@lru_cache(maxsize=256)
def leaves_nothing(actions: tuple[str, ...]) -> bool:
    """Whether the object is gone afterwards: deleted or forgotten, and not created again."""
    kinds = set(actions)
    return "create" not in kinds and (bool(kinds & _GOING) or not kinds or not kinds <= _KNOWN)


@lru_cache(maxsize=256)
def destroys(actions: tuple[str, ...]) -> bool:
    """Whether the actions delete, replace or forget. No action, or one that nobody knows, does."""
    kinds = set(actions)
    return bool(kinds & _GOING) or not kinds or not kinds <= _KNOWN


def unknown_actions(actions: tuple[str, ...]) -> tuple[str, ...]:
    """Actions that format 1.x does not have."""
    return tuple(action for action in actions if action not in _KNOWN)


@lru_cache(maxsize=256)
def existed(actions: tuple[str, ...]) -> bool:
    """Whether there was an object before."""
    return set(actions) != {"create"}


def count(changes: Iterable[AnyChange]) -> ChangeCounts:
    """Counts as the engine's own summary has them, with replaced and forgotten resources apart."""
    add = change = destroy = replace = forget = 0
    for item in changes:
        kinds = set(item.actions)
        if "create" in kinds:
            replace, add = (replace + 1, add) if len(kinds) > 1 else (replace, add + 1)
        elif kinds == {"update"}:
            change += 1
        elif kinds == {"forget"}:
            forget += 1
        elif destroys(item.actions):
            destroy += 1
    return ChangeCounts(add=add, change=change, destroy=destroy, replace=replace, forget=forget)


def read_plan(data: bytes) -> PlanDocument:
    """Read a plan in JSON: UTF-8 or UTF-16, with or without a byte order mark.

    Raises ``UnreadableError`` for anything that is not a complete plan of a known format.
    """
    document = _decode(data)
    _refuse_other_documents(document)
    changes: list[PlannedChange] = []
    # The same few types and action lists repeat for every resource: one copy of each will do.
    types: dict[str, str] = {}
    action_lists: dict[tuple[str, ...], tuple[str, ...]] = {}
    prior = dict.fromkeys(_prior_objects(document))
    for item in document.resource_changes or ():
        if item.mode == "data":
            continue
        actions = (item.change.actions if item.change else None) or ()
        if existed(actions):
            prior[object_name(item.address, item.deposed or "")] = None
        if actions and _IDLE.issuperset(actions):
            continue
        kind = item.type or type_of(item.address)
        changes.append(
            PlannedChange(
                address=item.address,
                type=types.setdefault(kind, kind),
                actions=action_lists.setdefault(actions, actions),
                deposed=item.deposed or "",
                previous_address=item.previous_address or "",
            )
        )
    return PlanDocument(
        format_version=document.format_version,
        engine_version=document.terraform_version,
        changes=tuple(changes),
        prior_addresses=tuple(prior),
        outputs_changed=any(
            not change or not _IDLE.issuperset(change.actions or ("unknown",))
            for change in (document.output_changes or {}).values()
        ),
        dependents=_dependents(document, changes),
    )


def _dependents(document: _Document, changes: Iterable[PlannedChange]) -> tuple[str, ...]:
    """What is built on the destroyed objects, over any number of steps, and is not destroyed itself."""
    destroyed = {change.address for change in changes if destroys(change.actions)}
    if not destroyed:
        return ()
    built_on: dict[str, set[str]] = {}
    addresses: dict[str, set[str]] = {}
    for module, resource in _prior_resources(document):
        address = _full_address(module, resource)
        addresses.setdefault(declared(address), set()).add(address)
        for dependency in resource.depends_on or ():
            built_on.setdefault(declared(dependency), set()).add(declared(address))
    reached: set[str] = set()
    coming = {declared(address) for address in destroyed}
    while coming:
        coming = {above for name in coming for above in built_on.get(name, ())} - reached
        reached |= coming
    return tuple(sorted(set().union(*(addresses[name] for name in reached)) - destroyed))


def _decode(data: bytes) -> _Document:
    if data[:4] == b"PK\x03\x04":
        raise UnreadableError(
            "this is a saved plan file in the engine's own format, not its JSON",
            hint="convert it with `terraform show -json FILE`",
        )
    if not data.strip(b" \t\r\n\0"):
        raise UnreadableError("the plan is empty", hint=_HINT)
    try:
        return msgspec.json.decode(as_utf8(data), type=_Document)
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"the plan is not text in UTF-8 or UTF-16 (byte {error.start})", hint=_HINT
        ) from error
    except RecursionError as error:
        raise UnreadableError("the plan is nested too deeply to be one", hint=_HINT) from error
    except msgspec.ValidationError as error:
        raise UnreadableError(f"this JSON is not a Terraform plan: {error}", hint=_HINT) from error
    except msgspec.DecodeError as error:
        if b'"@level"' in data[:400]:
            raise UnreadableError(
                "this is the engine's log stream (`plan -json`), not the plan", hint=_HINT
            ) from error
        raise UnreadableError(f"the plan is no complete JSON document: {error}", hint=_HINT) from error


def as_utf8(data: bytes) -> bytes:
    """JSON text as UTF-8 without a byte order mark. Raises ``UnicodeDecodeError``."""
    encoding = json.detect_encoding(data)
    if encoding == "utf-8":
        return data
    if encoding == "utf-8-sig":
        return data[3:]
    return data.decode(encoding).encode()


def _refuse_other_documents(document: _Document) -> None:
    unset = msgspec.UNSET
    is_plan = document.planned_values is not unset or document.resource_changes is not None
    if document.lineage is not unset or (document.version is not unset and not document.format_version):
        raise UnreadableError("this is a state file, not a plan", hint=_HINT)
    if not document.format_version:
        raise UnreadableError("this JSON has no format_version, so it is not a Terraform plan", hint=_HINT)
    major = document.format_version.split(".")[0]
    if major not in _READ_MAJORS:
        raise UnreadableError(
            f"the plan has format {document.format_version}; formats 0.x and 1.x can be read",
            hint="update midas-devops, or write the plan with an engine that it knows",
        )
    if not is_plan and document.values is not unset:
        raise UnreadableError(
            "this is the JSON of a state (`terraform show -json`), not of a plan", hint=_HINT
        )
    if document.errored:
        raise UnreadableError(
            "planning ended with an error, so this plan does not say all that would change",
            hint="correct what the engine complained about and plan again",
        )


def _prior_objects(document: _Document) -> Iterator[str]:
    for module, resource in _prior_resources(document):
        yield object_name(_full_address(module, resource), resource.deposed_key or "")


def _prior_resources(document: _Document) -> Iterator[tuple[str, _Resource]]:
    """Managed objects of the prior state, each with the address of its module."""
    state = document.prior_state
    if state is None or state.values is None or state.values.root_module is None:
        return
    modules = [state.values.root_module]
    while modules:
        module = modules.pop()
        modules.extend(module.child_modules or ())
        for resource in module.resources or ():
            if resource.mode != "data":
                yield module.address, resource


def _full_address(module: str, resource: _Resource) -> str:
    """Terraform 0.12 left module and instance key out of the address of a resource in a state."""
    address = resource.address
    if module and not address.startswith(f"{module}."):
        address = f"{module}.{address}"
    if resource.index is not None and not address.endswith("]"):
        address += f"[{json.dumps(resource.index, ensure_ascii=False)}]"
    return address
