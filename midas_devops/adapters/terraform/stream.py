"""Reads what an engine says while it works (``-json``), line by line, and writes it down as text.

Format: https://developer.hashicorp.com/terraform/internals/machine-readable-ui. Lines that are no JSON
(warnings about the command line, crash reports, ``TF_LOG``) are kept as they are.
"""

from __future__ import annotations

import posixpath
import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from midas_devops.adapters.terraform.state import as_text
from midas_devops.domain.excerpt import excerpt
from midas_devops.domain.outcome import Diagnostic

_MOST_DIAGNOSTICS = 50
_MOST_DETAIL = 4000
_NOT_CHANGING = frozenset({"noop", "read", "move"})
_WRAPPED = 55
"""Characters from which on the first line of a summary may have been wrapped."""
_ANNOUNCES = re.compile(r"(?:Terraform|OpenTofu) encountered problems during initiali")
_PLACE = re.compile(r"on (?P<file>.+) line (?P<line>\d+)(?:, in .+)?:")
_ADDRESS = re.compile(r"with (?P<address>[\w.-]+\.[\w.-]+(?:\[.+\])?[\w.\[\]\"-]*),")
_SOURCE = re.compile(r"\d+: ")
_NEEDS_INIT = re.compile(
    r"\b(?:terraform|tofu) init\b|initiali[sz]ation required|Module not installed|plugins are not installed"
)


class _Point(msgspec.Struct):
    line: int = 0


class _Range(msgspec.Struct):
    filename: str = ""
    start: _Point = msgspec.field(default_factory=_Point)


class _Snippet(msgspec.Struct):
    context: str | None = None
    code: str = ""


class EngineDiagnostic(msgspec.Struct):
    """A diagnostic as the engine writes it in JSON."""

    severity: str = "error"
    summary: str = ""
    detail: str = ""
    address: str = ""
    range: _Range | None = None
    snippet: _Snippet | None = None


class _Resource(msgspec.Struct):
    addr: str = ""


class _Hook(msgspec.Struct):
    resource: _Resource = msgspec.field(default_factory=_Resource)
    action: str = ""


class _Output(msgspec.Struct):
    sensitive: bool = False
    value: Any = None


class _Message(msgspec.Struct):
    text: str = msgspec.field(name="@message", default="")
    level: str = msgspec.field(name="@level", default="info")
    at: str = msgspec.field(name="@timestamp", default="")
    type: str = ""
    terraform: str = ""
    tofu: str = ""
    hook: _Hook | None = None
    change: _Hook | None = None
    outputs: dict[str, _Output] | None = None
    diagnostic: EngineDiagnostic | None = None


class EngineStream:
    """What one engine command said so far."""

    def __init__(self, folder: str) -> None:
        """``folder`` of the configuration in the project: files that diagnostics name are relative to it."""
        self._folder = folder
        self.version = ""
        self.diagnostics: list[Diagnostic] = []
        self.planned: dict[str, str] = {}
        self.started: dict[str, str] = {}
        self.completed: list[tuple[str, str]] = []
        """(address, create | update | delete), in order."""
        self.errored: dict[str, str] = {}
        self.outputs: dict[str, str] | None = None
        self.finished = False
        """Whether the engine summed its work up, which it does only at the end of a success."""
        self.touched = False
        """Whether the engine got as far as looking at resources."""
        self.lock_holder = ""
        self.last_line = ""
        self._in_plain = False
        """Whether plain text belongs to the last diagnostic."""
        self._in_summary = False
        """Whether it may still be the summary, wrapped."""

    def read(self, line: str) -> tuple[str, str]:
        """One line → the same as text for the log, and a line for a person who watches (mostly empty)."""
        if not line.startswith("{"):
            self._plain(line.lstrip("╷│╵ ").rstrip())
            return line, ""
        try:
            message = msgspec.json.decode(line, type=_Message)
        except msgspec.DecodeError:
            return line, ""
        self._in_plain = False
        if message.diagnostic is not None:
            return self.diagnose(message.diagnostic), ""
        watched = self._follow(message)
        return message.text.strip("\n"), watched

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(item for item in self.diagnostics if item.severity == "error")

    @property
    def needs_init(self) -> bool:
        """Whether the engine refused to work before ``init``."""
        return not self.started and any(
            _NEEDS_INIT.search(f"{item.summary}\n{item.detail}") for item in self.errors
        )

    def unfinished(self) -> tuple[str, ...]:
        """Addresses that were begun and neither completed nor reported as failed."""
        done = {address for address, _ in self.completed} | set(self.errored)
        return tuple(address for address in self.started if address not in done)

    def cut_off_creations(self) -> tuple[str, ...]:
        """Addresses whose creation was begun, and of which nothing was heard again."""
        return tuple(address for address in self.unfinished() if self.started[address] == "create")

    def not_begun(self) -> tuple[str, ...]:
        """Addresses that were planned and not begun."""
        return tuple(address for address in self.planned if address not in self.started)

    def completed_with(self, action: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(address for address, done in self.completed if done == action))

    def _follow(self, message: _Message) -> str:
        hook, address = message.hook, message.hook.resource.addr if message.hook else ""
        match message.type:
            case "version":
                self.version = message.tofu or message.terraform
            case "change_summary":
                self.finished = True
                return message.text
            case "outputs" if message.outputs is not None:
                self.outputs = {
                    name: as_text(output.value)
                    for name, output in message.outputs.items()
                    if not output.sensitive
                }
            case "planned_change" if message.change is not None:
                self.touched = True
                if message.change.action not in _NOT_CHANGING:
                    self.planned[message.change.resource.addr] = message.change.action
            case "refresh_start":
                self.touched = True
            case "apply_start" if hook is not None and hook.action not in _NOT_CHANGING:
                self.started[address] = hook.action
                return f"{address}: {hook.action}"
            case "apply_complete" if hook is not None and hook.action not in _NOT_CHANGING:
                self.completed.append((address, hook.action))
                return f"{address}: {hook.action} done"
            case "apply_errored" if hook is not None:
                self.errored[address] = hook.action
                return f"{address}: {hook.action} failed"
        return ""

    def _plain(self, text: str) -> None:
        """Text for people: ``init``, refused arguments, a crash."""
        self.last_line = text or self.last_line
        if text.startswith(("Error: ", "Warning: ")):
            severity, _, summary = text.partition(": ")
            before = len(self.diagnostics)
            # What only announces the errors below it is none of them.
            if not _ANNOUNCES.match(summary):
                self.diagnose(EngineDiagnostic(severity=severity.lower(), summary=summary))
            self._in_plain = len(self.diagnostics) > before
            self._in_summary = True
        elif self._in_plain and text:
            self.diagnostics[-1] = self._continued(self.diagnostics[-1], text)
        else:
            self._in_summary = False

    def _continued(self, last: Diagnostic, text: str) -> Diagnostic:
        """A diagnostic for people with its next line: where it is, the source there, what it means."""
        in_summary, self._in_summary = self._in_summary, False
        if in_summary and len(last.summary) > _WRAPPED:
            self._in_summary = True
            return last.model_copy(update={"summary": f"{last.summary} {text}"})
        if not last.detail and not last.line and (place := _PLACE.fullmatch(text)):
            return last.model_copy(update={"file": self._named(place["file"]), "line": int(place["line"])})
        if not last.detail and not last.address and (found := _ADDRESS.fullmatch(text)):
            return last.model_copy(update={"address": found["address"]})
        if (last.line and not last.detail and _SOURCE.match(text)) or len(last.detail) >= _MOST_DETAIL:
            return last
        detail = f"{last.detail}\n{text}".lstrip("\n")
        return last.model_copy(update={"detail": detail})

    def _named(self, file: str) -> str:
        """A file by its path in the project; what is no file (``<value for var.size>``) as it is."""
        return file if file.startswith("<") else posixpath.normpath(posixpath.join(self._folder, file))

    def diagnose(self, found: EngineDiagnostic) -> str:
        """Keep a diagnostic; the same as text."""
        place = found.range
        if len(self.diagnostics) < _MOST_DIAGNOSTICS:
            self.diagnostics.append(
                Diagnostic(
                    summary=found.summary,
                    detail=excerpt(found.detail, _MOST_DETAIL),
                    address=found.address,
                    file=self._named(place.filename) if place else "",
                    line=place.start.line if place else 0,
                    severity="warning" if found.severity == "warning" else "error",
                )
            )
        self.lock_holder = self.lock_holder or _lock_holder(found.detail)
        return "\n".join(_as_printed(found))


def _as_printed(found: EngineDiagnostic) -> list[str]:
    """The way the engine prints a diagnostic for people, which known failures are recognised by."""
    lines = [f"{found.severity.capitalize()}: {found.summary}"]
    if found.address:
        lines.append(f"  with {found.address},")
    if found.range is not None:
        context = f", in {found.snippet.context}" if found.snippet and found.snippet.context else ""
        lines.append(f"  on {found.range.filename} line {found.range.start.line}{context}:")
    if found.snippet is not None and found.snippet.code and found.range is not None:
        first = found.range.start.line
        lines += [f"  {first + n}: {code}" for n, code in enumerate(found.snippet.code.split("\n")[:10])]
    return [*lines, *found.detail.split("\n")] if found.detail else lines


def _lock_holder(detail: str) -> str:
    """Who holds the state lock, for what and for how long, from the engine's ``Lock Info``."""
    _, found, info = detail.partition("Lock Info:")
    if not found:
        return ""
    fields = dict(re.findall(r"^\s+(\w+):[ \t]+(\S.*?)\s*$", info, re.MULTILINE))
    if re.search(r"(?:Workspace is already locked|Already locked for workspace creation): ", detail):
        # The pg backend holds an advisory lock, and describes the lock that was refused: our own.
        return "somebody else; the pg backend does not say who, or since when"
    held = re.search(r"already locked: ID=(\S+)", detail)
    if held and held[1] != fields.get("ID"):
        # Up to Terraform 1.11 the http backend describes the lock that was refused, not the one in its way.
        return f"somebody else (lock {held[1]})"
    who, what = fields.get("Who", "somebody"), fields.get("Operation", "").removeprefix("OperationType")
    parts = [who, f"for {what.lower()}" if what else "", _age(fields.get("Created", ""))]
    lock_id = f"(lock {fields['ID']})" if "ID" in fields else ""
    return " ".join(part for part in (*parts, lock_id) if part)


def _age(created: str) -> str:
    """``2026-01-31 18:10:41.63 +0000 UTC`` → ``since …, for 12 s``."""
    match = re.match(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)", created)
    if match is None:
        return f"since {created}" if created else ""
    began = datetime.fromisoformat(f"{match[1]}T{match[2]}+00:00")
    seconds = max(0, round((datetime.now(UTC) - began).total_seconds()))
    minutes, hours = seconds // 60, seconds // 3600
    age = f"{hours} h {minutes % 60} min" if hours else f"{minutes} min" if minutes else f"{seconds} s"
    return f"since {match[1]} {match[2]} UTC, for {age}"
