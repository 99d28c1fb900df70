"""Our folders for one configuration of one environment: data directory, running logs, effects in flight."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from midas_devops.adapters.terraform.configuration import Configuration
from midas_devops.adapters.terraform.repository import repository_top
from midas_devops.safety.private import private_folder, project_folder, write_private


@dataclass(frozen=True)
class Place:
    """Where engine commands run: the configuration itself, or an earlier commit of it."""

    configuration: Configuration
    data: Path
    """The engine's data directory."""
    real: Configuration
    """Where the configuration stands in the project; its state lies there."""

    @property
    def is_copy(self) -> bool:
        return self.configuration != self.real


@dataclass(frozen=True)
class EffectRecord:
    """An apply that was begun, so that a later process can find its engine."""

    effect: str
    plan_sha256: str
    plan: Path
    log: Path
    pid: int = 0
    started: float = 0.0
    """Start time of the engine's process, seconds since the epoch."""


class Workspace:
    """Folders below ``.midas``. What may hold a secret is under ``artifacts/private`` (0700, files 0600)."""

    def __init__(self, root: Path, environment: str, configuration: Configuration) -> None:
        identity = f"{environment}\0{configuration.relative}"
        readable = re.sub(r"[^A-Za-z0-9]+", "-", f"{environment}-{configuration.relative}").strip("-")[:60]
        slug = f"{readable}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
        self._root = root
        self._slug = slug
        self._configuration = configuration

    @property
    def engines(self) -> Path:
        """Where what is known of the engines themselves is kept."""
        return project_folder(self._root) / "terraform"

    @property
    def folder(self) -> Path:
        return private_folder(self.engines / self._slug)

    @property
    def private(self) -> Path:
        project_folder(self._root)
        return private_folder(self._root / ".midas" / "artifacts" / "private" / "engine" / self._slug)

    def in_place(self) -> Place:
        return Place(self._configuration, self.folder / "data", self._configuration)

    def copy_of(self, commit: str) -> tuple[Place, Path]:
        """Where an earlier commit is planned and applied, and the folder for the whole repository at it.

        Raises ``ToolError`` when the project is not in a repository.
        """
        inner = self._root.relative_to(repository_top(self._root))
        folder = self.private / "commits" / commit
        copy = self._configuration.shifted(folder / "tree" / inner)
        return Place(copy, folder / "data", self._configuration), folder / "tree"

    def remember_plan(self, plan_sha256: str, json_sha256: str, commit: str) -> None:
        """A saved plan is applied in the folder that it was made in; its JSON marks what is sensitive."""
        if commit:
            write_private(private_folder(self.folder / "plans") / plan_sha256, commit.encode())
        write_private(self.folder / "last-plan", json_sha256.encode())

    def commit_of(self, plan_sha256: str) -> str:
        """The commit that a saved plan was made of; empty for the configuration as it stood."""
        return _text(self.folder / "plans" / plan_sha256)

    def last_plan_json(self) -> str:
        """Hash of the JSON of the newest plan; empty when there is none."""
        return _text(self.folder / "last-plan")

    def write_effect(self, record: EffectRecord) -> None:
        body = {
            "effect": record.effect,
            "plan_sha256": record.plan_sha256,
            "plan": str(record.plan),
            "log": str(record.log),
            "pid": record.pid,
            "started": record.started,
        }
        write_private(self._effect_file(record.effect), json.dumps(body).encode())

    def read_effect(self, effect: str) -> EffectRecord | None:
        try:
            body = json.loads(self._effect_file(effect).read_bytes())
        except (OSError, ValueError):
            return None
        return EffectRecord(
            effect=body["effect"],
            plan_sha256=body["plan_sha256"],
            plan=Path(body["plan"]),
            log=Path(body["log"]),
            pid=body["pid"],
            started=body["started"],
        )

    def drop_effect(self, effect: str) -> None:
        self._effect_file(effect).unlink(missing_ok=True)

    def effect_log(self, effect: str) -> Path:
        return self.private / f"apply-{_short(effect)}.log"

    def _effect_file(self, effect: str) -> Path:
        return private_folder(self.folder / "effects") / f"{_short(effect)}.json"

    def is_initialised(self, place: Place, engine: str) -> bool:
        """Whether ``init`` succeeded here before with this engine and these locked providers."""
        return _text(_stamp_file(place)) == _stamp(place, engine)

    def has_seen(self, place: Place, name: str) -> bool:
        """Whether this workspace of a remote state was there when it was looked for."""
        return name in _text(_seen_file(place)).splitlines()

    def note_seen(self, place: Place, name: str) -> None:
        write_private(_seen_file(place), f"{_text(_seen_file(place))}{name}\n".encode())

    def set_initialised(self, place: Place, engine: str) -> None:
        private_folder(place.data)
        write_private(_stamp_file(place), _stamp(place, engine).encode())


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _seen_file(place: Place) -> Path:
    return place.data.with_name(f"{place.data.name}.workspaces")


def _stamp_file(place: Place) -> Path:
    return place.data.with_name(f"{place.data.name}.initialised")


def _stamp(place: Place, engine: str) -> str:
    try:
        locked = (place.configuration.folder / ".terraform.lock.hcl").read_bytes()
    except OSError:
        locked = b""
    return f"{engine}\n{hashlib.sha256(locked).hexdigest()}\n"
