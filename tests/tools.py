"""Programs that tests use and that are no Python package: on PATH, or built by ``make tools``."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

HOW = {
    "terraform": "https://developer.hashicorp.com/terraform/install",
    "tofu": "make tools",
    "kubectl": "make tools",
    "actionlint": "make tools",
    "npm-groovy-lint": "make tools",
    "pulumi": "https://www.pulumi.com/docs/install",
}


def tools_folder() -> Path:
    """Where ``make tools`` keeps what it built and fetched."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "midas-devops-tools"


def search_path() -> str:
    """PATH, and after it what ``make tools`` built."""
    kept = tools_folder()
    linter = kept / "npm" / "npm-groovy-lint-15.2.2" / "node_modules" / ".bin"
    return os.pathsep.join([os.environ.get("PATH", os.defpath), str(kept / "bin"), str(linter)])


def found(program: str) -> str:
    """The program's path; empty when it is missing."""
    return shutil.which(program, path=search_path()) or ""


def needs(program: str) -> pytest.MarkDecorator:
    """Skips a test, with the reason, where a program is missing."""
    return pytest.mark.skipif(not found(program), reason=f"{program} is not installed: {HOW[program]}")
