"""Reads state files and saved plans: identity, outputs, tainted objects. Never writes one."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from midas_devops.domain.changes import StateIdentity
from midas_devops.domain.plan_document import object_name
from midas_devops.errors import ToolError


class _Instance(msgspec.Struct):
    index_key: int | str | None = None
    status: str = ""
    deposed: str = ""


class _Resource(msgspec.Struct):
    type: str = ""
    name: str = ""
    module: str = ""
    mode: str = "managed"
    instances: list[_Instance] | None = None


class _Output(msgspec.Struct):
    value: Any = None
    sensitive: bool = False


class _StateFile(msgspec.Struct):
    version: int = 0
    lineage: str = ""
    serial: int = 0
    outputs: dict[str, _Output] | None = None
    resources: list[_Resource] | None = None
    encrypted_data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Identity(msgspec.Struct):
    lineage: str = ""
    serial: int = 0


@dataclass(frozen=True)
class StateFacts:
    """What is needed of a state after an apply."""

    identity: StateIdentity = field(default_factory=StateIdentity)
    outputs: dict[str, str] | None = None
    """Non-sensitive ones as text."""
    sensitive_outputs: tuple[str, ...] = ()
    """Names of the others."""
    tainted: tuple[str, ...] = ()
    deposed: tuple[str, ...] = ()
    """Objects that a replacement left over, as ``object_name`` writes them."""
    addresses: frozenset[str] = frozenset()
    """Of every managed object."""
    encrypted: bool = False
    """True for a state that OpenTofu encrypted: only its identity can be read from the file."""


def read_state(data: bytes, source: str, workspace: str = "") -> StateFacts:
    """Facts of a version 4 state; empty data is an empty state. Raises ``ToolError`` for anything else."""
    if not data.strip():
        return StateFacts(identity=StateIdentity(workspace=workspace))
    try:
        state = msgspec.json.decode(data, type=_StateFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ToolError(
            f"the state cannot be read: {error}",
            hint="nothing was done; restore it from its backup, or ask who else writes it",
            location=source,
        ) from error
    return StateFacts(
        identity=StateIdentity(lineage=state.lineage, serial=state.serial, workspace=workspace),
        outputs={
            name: as_text(output.value)
            for name, output in (state.outputs or {}).items()
            if not output.sensitive
        },
        sensitive_outputs=tuple(name for name, output in (state.outputs or {}).items() if output.sensitive),
        tainted=tuple(
            address
            for address, instance in _instances(state)
            if instance.status == "tainted" and not instance.deposed
        ),
        deposed=tuple(
            object_name(address, instance.deposed)
            for address, instance in _instances(state)
            if instance.deposed
        ),
        addresses=frozenset(address for address, _ in _instances(state)),
        encrypted=state.encrypted_data is not msgspec.UNSET,
    )


def _instances(state: _StateFile) -> Iterator[tuple[str, _Instance]]:
    for resource in state.resources or ():
        if resource.mode == "managed":
            for instance in resource.instances or ():
                key = instance.index_key
                yield instance_address(resource.module, resource.type, resource.name, key), instance


def plan_time_identity(saved_plan: Path, workspace: str) -> StateIdentity | None:
    """Identity of the state of ``workspace`` that a plan was made against; None when the file does not tell.

    A saved plan is a zip archive that holds the prior state as ``tfstate``; OpenTofu may encrypt all of it.
    """
    try:
        with zipfile.ZipFile(saved_plan) as archive:
            state = msgspec.json.decode(archive.read("tfstate"), type=_Identity)
    except (zipfile.BadZipFile, KeyError, msgspec.DecodeError, OSError):
        return None
    return StateIdentity(lineage=state.lineage, serial=state.serial, workspace=workspace)


def instance_address(module: str, resource_type: str, name: str, key: int | str | None) -> str:
    """Address of an instance, written as the engine writes it."""
    address = f"{module}.{resource_type}.{name}" if module else f"{resource_type}.{name}"
    return address if key is None else f"{address}[{json.dumps(key, ensure_ascii=False)}]"


def as_text(value: Any) -> str:
    """An output value as a person would read it: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
