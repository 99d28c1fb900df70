"""Reads a stack's state (``pulumi stack export``): identity, outputs, resources, operations cut off half-way.

Format: ``DeploymentV3`` of Pulumi's ``apitype``. Never writes one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from midas_devops.adapters.terraform.state import as_text
from midas_devops.domain.changes import StateIdentity
from midas_devops.domain.digest import canonical_json, sha256_hex
from midas_devops.errors import ToolError

STACK_TYPE = "pulumi:pulumi:Stack"
_PROVIDER_TYPE = "pulumi:providers:"
_SIGNATURE = "4dabf18193072939515e22adb298388d"
"""Key that marks an object of a state as more than a plain value, by Pulumi's definition."""
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the mark of secrets, by Pulumi's definition


class StackResource(msgspec.Struct):
    """One resource of a state, as far as the rules need it."""

    urn: str
    type: str = ""
    custom: bool = False
    delete: bool = False
    """True for what a replacement left, to be deleted by the next update."""
    id: str = ""
    external: bool = False
    outputs: dict[str, Any] = {}
    initErrors: list[str] | None = None  # noqa: N815 - the name in the file
    pendingReplacement: bool = False  # noqa: N815 - the name in the file
    taint: bool = False

    @property
    def managed(self) -> bool:
        """A real thing that Pulumi owns: no component, no provider, nothing that is only read."""
        return self.custom and not self.external and is_managed_type(self.type)


class _Operation(msgspec.Struct):
    resource: StackResource
    type: str = ""


class _Manifest(msgspec.Struct):
    time: str = ""


class _Deployment(msgspec.Struct):
    manifest: _Manifest = msgspec.field(default_factory=_Manifest)
    resources: list[StackResource] | None = None
    pending_operations: list[_Operation] | None = None


class _Exported(msgspec.Struct):
    version: int
    deployment: msgspec.Raw = msgspec.Raw(b"{}")


@dataclass(frozen=True)
class Deployment:
    """What is needed of a stack's state."""

    exists: bool = False
    """Whether there is such a stack at all."""
    identity: StateIdentity = field(default_factory=StateIdentity)
    sha256: str = ""
    """Of the whole state: two states of the same moment would have the same identity."""
    resources: tuple[StackResource, ...] = ()
    outputs: dict[str, str] = field(default_factory=dict)
    """Those that are not secret, as text."""
    secret_outputs: tuple[str, ...] = ()
    creating: tuple[str, ...] = ()
    """URNs whose creation was cut off: nobody knows whether they exist."""
    unsound: tuple[str, ...] = ()
    """URNs that exist and were not finished."""


def read_deployment(data: bytes, project: str, stack: str) -> Deployment:
    """Facts of an exported state. Lineage: ``project/stack``; serial: the microsecond of its last change.

    Raises ``ToolError`` for anything that is not version 3 or 4 of the format.
    """
    try:
        exported = msgspec.json.decode(data, type=_Exported)
        # Some versions export a stack that nothing was deployed to as null.
        whole = json.loads(bytes(exported.deployment)) or {}
        found = msgspec.convert(whole, _Deployment)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise _unreadable(f"{error}", stack) from error
    if exported.version not in (3, 4):
        raise _unreadable(f"it has version {exported.version}", stack)
    resources = tuple(found.resources or ())
    root = next((item for item in resources if item.type == STACK_TYPE), None)
    values = root.outputs if root else {}
    pending = found.pending_operations or ()
    return Deployment(
        exists=True,
        identity=_identity(found.manifest.time, project, stack),
        sha256=sha256_hex(canonical_json(whole)),
        resources=resources,
        outputs={name: as_text(value) for name, value in values.items() if not any(_secrets(value))},
        secret_outputs=tuple(name for name, value in values.items() if any(_secrets(value))),
        creating=tuple(item.resource.urn for item in pending if item.type == "creating"),
        unsound=tuple(
            item.urn for item in resources if item.initErrors or item.pendingReplacement or item.taint
        ),
    )


def secret_values(data: bytes) -> set[str]:
    """Plain texts of the secrets of a state that was exported with ``--show-secrets``. Never store them."""
    try:
        document = json.loads(data)
    except ValueError:
        return set()
    found: set[str] = set()
    for marked in _secrets(document):
        try:
            found.update(_texts(json.loads(marked.get("plaintext", "null"))))
        except ValueError:
            found.add(str(marked["plaintext"]))
    return found


def is_managed_type(resource_type: str) -> bool:
    """False for the stack itself and for providers."""
    return resource_type != STACK_TYPE and not resource_type.startswith(_PROVIDER_TYPE)


def _identity(time: str, project: str, stack: str) -> StateIdentity:
    try:
        changed = datetime.fromisoformat(time)
    except ValueError:
        return StateIdentity()
    if changed.year <= 1:  # a stack that nothing was ever deployed to
        return StateIdentity()
    since = changed.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    microseconds = (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
    return StateIdentity(lineage=f"{project}/{stack.rsplit('/', 1)[-1]}", serial=microseconds)


def _secrets(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in ``value`` that is marked as secret."""
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET:
            yield value
            return
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _secrets(item)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
    elif isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        yield str(value)


def _unreadable(reason: str, stack: str) -> ToolError:
    return ToolError(
        f"the state of stack {stack} cannot be read: {reason}",
        hint="nothing was done; look at it with `pulumi stack export`",
        location=stack,
    )
