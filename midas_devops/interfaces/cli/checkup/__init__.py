"""What ``midas-devops doctor`` looks at: what works here, what is degraded, and how to mend it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from midas_devops.domain.counting import number
from midas_devops.errors import MidasError
from midas_devops.interfaces.cli.checkup import machine, project, services
from midas_devops.interfaces.cli.checkup.check import Check, Place

__all__ = ["Check", "check_up"]

_SUPPORTED = (3, 11)


def check_up(root: Path) -> list[Check]:
    """All checks of a project. Changes nothing; asks the network only for a model that is configured."""
    checks = list(_guarded("python", _python))
    place, found = _settings(root)
    checks.append(found)
    for name, look in _CHECKS:
        checks.extend(_guarded(name, lambda look=look: look(place)))  # type: ignore[misc]
    return checks


def _guarded(name: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """A check that breaks is a finding, not the end of the examination."""
    try:
        yield from look()
    except MidasError as error:
        yield Check(name, "failed", error.message, error.hint)
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        yield Check(name, "failed", f"{type(error).__name__}: {error}")


def _python() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    fine = sys.version_info >= _SUPPORTED
    yield Check("python", "ok" if fine else "failed", version, "" if fine else "install Python 3.11 or newer")


def _settings(root: Path) -> tuple[Place, Check]:
    from midas_devops.config import Settings, load_settings

    file = root / "midas.toml"
    try:
        settings = load_settings(file, missing_ok=True)
    except MidasError as error:
        where = f"{error.location}: " if error.location else ""
        return Place(root, Settings(), True), Check(
            "settings", "failed", f"{where}{error.message}", error.hint
        )
    if not file.is_file():
        return Place(root, settings, False), Check(
            "settings", "failed", f"there is no midas.toml in {root}", "run 'midas-devops init'"
        )
    detail = f"{number(len(settings.environments), 'environment')}, {number(len(settings.gates), 'gate')}"
    return Place(root, settings, True), Check("settings", "ok", detail)


_CHECKS: tuple[tuple[str, Callable[[Place], Iterator[Check]]], ...] = (
    ("git", machine.git),
    ("engine", machine.engine),
    ("storage", machine.storage),
    ("ledger", machine.ledger),
    ("checkpoints", machine.checkpoints),
    ("model", services.model),
    ("embedder", machine.embedder),
    ("tokenizer", machine.tokenizer),
    ("tracker", services.tracker),
    ("jenkins", services.jenkins),
    ("kubectl", machine.kubectl),
    ("gates", project.gates),
    ("environments", project.environments),
)
