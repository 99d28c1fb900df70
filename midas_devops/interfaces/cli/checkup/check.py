"""One thing that is looked at, and what the checks share."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from midas_devops.config import Settings

Status = Literal["ok", "degraded", "failed"]

ASK_SECONDS = 5.0


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. ``failed`` is for what the configured work cannot do without."""

    name: str
    status: Status
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class Place:
    """What the checks look at."""

    root: Path
    settings: Settings
    configured: bool
    """Whether there is a midas.toml."""


def output(argv: list[str]) -> str:
    """What a program prints; empty when it fails or takes too long."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=ASK_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
