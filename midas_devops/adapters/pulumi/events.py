"""Reads what Pulumi's engine does (``--event-log``), event by event.

Format: ``EngineEvent`` of Pulumi's ``apitype``, one JSON object a line; secrets are blinded in it already.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

import msgspec

from midas_devops.adapters.pulumi.deployment import is_managed_type
from midas_devops.domain.excerpt import excerpt
from midas_devops.domain.outcome import Diagnostic

_MOST_DIAGNOSTICS = 50
_MOST_DETAIL = 4000
_CREATED = frozenset({"create", "create-replacement", "import", "import-replacement"})
_DESTROYED = frozenset({"delete", "delete-replaced"})
WORKING = frozenset({*_CREATED, *_DESTROYED, "update"})
"""Operations that change the world."""
_PYTHON_LINE = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
_NODE_LINE = re.compile(r"\((?P<file>/[^():]+):(?P<line>\d+):\d+\)")


class ResourceState(msgspec.Struct):
    """A resource before or after a step."""

    custom: bool = False
    delete: bool = False
    id: str = ""
    retainOnDelete: bool = False  # noqa: N815 - the name in the file
    inputs: dict[str, Any] | None = None
    outputs: dict[str, Any] | None = None


class Step(msgspec.Struct):
    """One operation of the engine on one resource."""

    op: str
    urn: str
    type: str = ""
    old: ResourceState | None = None
    new: ResourceState | None = None

    @property
    def managed(self) -> bool:
        """On a real thing, not on a component or a provider. What cannot be told counts as real."""
        known = self.new or self.old
        return is_managed_type(self.type) and (known is None or known.custom)

    @property
    def left_over(self) -> bool:
        """On what an earlier replacement left."""
        return self.old is not None and self.old.delete


class _Occurred(msgspec.Struct):
    metadata: Step
    planning: bool = False


class _Diagnostic(msgspec.Struct):
    message: str = ""
    prefix: str = ""
    severity: str = ""
    urn: str = ""
    ephemeral: bool = False


class _Event(msgspec.Struct):
    resourcePreEvent: _Occurred | None = None  # noqa: N815 - the name in the file
    resOutputsEvent: _Occurred | None = None  # noqa: N815 - the name in the file
    resOpFailedEvent: _Occurred | None = None  # noqa: N815 - the name in the file
    diagnosticEvent: _Diagnostic | None = None  # noqa: N815 - the name in the file
    summaryEvent: dict[str, Any] | None = None  # noqa: N815 - the name in the file


_EVENT = msgspec.json.Decoder(_Event)


def address_of(urn: str) -> str:
    """What names a resource within its stack: ``aws:s3/bucket:Bucket::logs``, with its parents' types."""
    parts = urn.split("::", 2)
    return parts[2] if len(parts) == 3 and urn.startswith("urn:pulumi:") else urn  # noqa: PLR2004


class EventLog:
    """What became known so far. ``folder`` is where the program lies, ``shown`` its name in the project."""

    def __init__(self, folder: str, shown: str) -> None:
        self._folder = folder
        self._shown = shown
        self.begun: list[Step] = []
        self.done: list[Step] = []
        self.failed: list[Step] = []
        self.diagnostics: list[Diagnostic] = []
        self.finished = False
        """Whether the engine summed up, which it does at the end, however that was."""
        self.unreadable = 0

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(item for item in self.diagnostics if item.severity == "error")

    def read(self, line: str) -> str:
        """Take one line; what a person who watches wants to know of it, or nothing."""
        if not line.strip():
            return ""
        try:
            event = _EVENT.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.unreadable += 1
            return ""
        if event.resourcePreEvent is not None:
            return self._noted(self.begun, event.resourcePreEvent, "")
        if event.resOutputsEvent is not None:
            said = self._noted(self.done, event.resOutputsEvent, " done")
            return "" if event.resOutputsEvent.planning else said
        if event.resOpFailedEvent is not None:
            return self._noted(self.failed, event.resOpFailedEvent, " failed")
        if event.diagnosticEvent is not None:
            self._diagnose(event.diagnosticEvent)
        self.finished = self.finished or event.summaryEvent is not None
        return ""

    def created(self) -> tuple[str, ...]:
        return self._done_by(_CREATED)

    def changed(self) -> tuple[str, ...]:
        return self._done_by(frozenset({"update"}))

    def destroyed(self) -> tuple[str, ...]:
        return self._done_by(_DESTROYED)

    def not_finished(self) -> tuple[str, ...]:
        """Addresses that failed, then those that were begun and of which nothing more was heard."""
        over = {(step.urn, step.op) for step in self.done}
        left = [step for step in self.begun if _works(step) and (step.urn, step.op) not in over]
        return tuple(dict.fromkeys(address_of(step.urn) for step in (*self.failed, *left) if step.managed))

    def untouched(self, planned: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the planned addresses that nothing was begun for."""
        touched = {address_of(step.urn) for step in self.begun if _works(step)}
        return tuple(address for address in planned if address not in touched)

    def _noted(self, into: list[Step], occurred: _Occurred, what: str) -> str:
        step = occurred.metadata
        into.append(step)
        return f"{address_of(step.urn)}: {step.op}{what}" if _works(step) else ""

    def _done_by(self, operations: frozenset[str]) -> tuple[str, ...]:
        steps = (step for step in self.done if step.op in operations and step.managed)
        return tuple(dict.fromkeys(address_of(step.urn) for step in steps))

    def _diagnose(self, found: _Diagnostic) -> None:
        if found.ephemeral or found.severity not in ("error", "warning"):
            return
        if len(self.diagnostics) >= _MOST_DIAGNOSTICS:
            return
        text = _plain(found.message).strip()
        summary, _, detail = text.partition("\n")
        file, line = self._place(text)
        self.diagnostics.append(
            Diagnostic(
                summary=summary or "the engine reported an error without a text",
                detail=excerpt(detail.strip(), _MOST_DETAIL),
                address=address_of(found.urn) if _is_resource(found.urn) else "",
                file=file,
                line=line,
                severity="warning" if found.severity == "warning" else "error",
            )
        )

    def _place(self, text: str) -> tuple[str, int]:
        """The innermost line of the program itself in a traceback."""
        seen = [*_PYTHON_LINE.finditer(text), *_NODE_LINE.finditer(text)]
        for match in reversed(seen):
            inside = (
                posixpath.relpath(match["file"], self._folder) if match["file"][:1] == "/" else match["file"]
            )
            if not inside.startswith("..") and "site-packages" not in inside and "node_modules" not in inside:
                return posixpath.join(self._shown, inside), int(match["line"])
        return "", 0


def _works(step: Step) -> bool:
    return step.op in WORKING and step.managed


def _is_resource(urn: str) -> bool:
    return bool(urn) and "::pulumi:pulumi:Stack::" not in urn


def _plain(text: str) -> str:
    """Without Pulumi's colour marks, ``<{%reset%}>``."""
    return re.sub(r"<\{%[^%]*%\}>", "", text)
