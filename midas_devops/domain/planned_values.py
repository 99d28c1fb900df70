"""Every resource of a plan as it will be afterwards, from ``terraform show -json``.

Read only where somebody asked for something: unlike the guard's reading it builds every value.
"""

from __future__ import annotations

from typing import Any

import msgspec

from midas_devops.domain.plan_document import as_utf8
from midas_devops.domain.requirements import ProvidedResource
from midas_devops.errors import UnreadableError


class _Resource(msgspec.Struct):
    address: str
    type: str = ""
    name: str = ""
    mode: str = "managed"
    values: dict[str, Any] | None = None
    sensitive_values: Any = None


class _Module(msgspec.Struct):
    resources: list[_Resource] = []
    child_modules: list[_Module] = []


class _Values(msgspec.Struct):
    root_module: _Module | None = None


class _Change(msgspec.Struct):
    after_unknown: Any = None


class _Changed(msgspec.Struct):
    address: str
    deposed: str | None = None
    change: _Change | None = None


class _Document(msgspec.Struct):
    planned_values: _Values | None = None
    resource_changes: list[_Changed] | None = None


def planned_resources(data: bytes) -> tuple[ProvidedResource, ...]:
    """The managed resources that will be there. Raises ``UnreadableError`` when the plan does not say."""
    try:
        document = msgspec.json.decode(as_utf8(data), type=_Document)
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        raise UnreadableError(f"the planned values cannot be read: {error}") from error
    if document.planned_values is None:
        raise UnreadableError("the plan does not say which values its resources will have")
    unknown = {
        item.address: item.change.after_unknown
        for item in document.resource_changes or ()
        if item.change and not item.deposed
    }
    found = []
    modules = [document.planned_values.root_module or _Module()]
    while modules:
        module = modules.pop()
        modules.extend(module.child_modules)
        found += [
            ProvidedResource(
                address=one.address,
                type=one.type,
                name=one.name,
                values=one.values or {},
                unknown=unknown.get(one.address),
                sensitive=one.sensitive_values,
            )
            for one in module.resources
            if one.mode == "managed"
        ]
    return tuple(sorted(found, key=lambda one: one.address))
