"""Our folders for one stack: outputs of commands, effects in flight, earlier commits of the project."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from midas_devops.adapters.pulumi.project import Project
from midas_devops.safety.private import private_folder, project_folder, write_private


@dataclass(frozen=True)
class EffectRecord:
    """An update or a destroy that was begun, so that a later process can find its engine."""

    effect: str
    plan_sha256: str
    message: str
    """Unique text on the engine's command line."""
    pid: int = 0
    started: float = 0.0
    """Start time of the engine's process, seconds since the epoch."""


class Workspace:
    """Folders below ``.midas``. What may hold a secret is under ``artifacts/private`` (0700, files 0600)."""

    def __init__(self, project: Project, environment: str) -> None:
        readable = re.sub(r"[^A-Za-z0-9]+", "-", f"{environment}-{project.relative}").strip("-")[:60]
        self._root = project.root
        identity = "\0".join((environment, project.relative, project.stack))
        self._slug = f"{readable}-{_short(identity)[:8]}"

    @property
    def private(self) -> Path:
        project_folder(self._root)
        return private_folder(self._root / ".midas" / "artifacts" / "private" / "pulumi" / self._slug)

    @property
    def commits(self) -> Path:
        return private_folder(self.private / "commits")

    def effect_log(self, effect: str) -> Path:
        """The engine's text; its events lie beside it, with the suffix ``.events``."""
        return self.private / f"apply-{_short(effect)}.log"

    def write_effect(self, record: EffectRecord) -> None:
        write_private(self._effect_file(record.effect), json.dumps(asdict(record)).encode())

    def read_effect(self, effect: str) -> EffectRecord | None:
        try:
            return EffectRecord(**json.loads(self._effect_file(effect).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def drop_effect(self, effect: str) -> None:
        self._effect_file(effect).unlink(missing_ok=True)

    def _effect_file(self, effect: str) -> Path:
        return private_folder(self.private / "effects") / f"{_short(effect)}.json"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
