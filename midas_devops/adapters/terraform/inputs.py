"""What midas.toml and a request add to a configuration: variables and their files, targets, the backend."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from midas_devops.config import Infrastructure
from midas_devops.domain.digest import canonical_json, sha256_hex
from midas_devops.errors import UsageError
from midas_devops.ports.iac import PlanInputs

_NAME = re.compile(r"[A-Za-z_][\w-]*")


@dataclass(frozen=True)
class Inputs:
    """Settings first, then the request: what is named later wins."""

    root: Path
    var_files: tuple[Path, ...]
    """Absolute; the project's before the request's."""
    variables: Mapping[str, str]
    targets: tuple[str, ...]
    backend: tuple[str, ...]
    backend_files: tuple[Path, ...]

    def plan_arguments(self, var_files: tuple[Path, ...]) -> list[str]:
        """For ``plan``; ``var_files`` as they stand where the plan is made."""
        return [
            *(f"-var-file={path}" for path in var_files),
            *(f"-var={name}={value}" for name, value in self.variables.items()),
            *(f"-target={address}" for address in self.targets),
        ]

    @property
    def init_arguments(self) -> list[str]:
        return [
            *(f"-backend-config={path}" for path in self.backend_files),
            *(f"-backend-config={setting}" for setting in self.backend),
        ]

    @property
    def init_identity(self) -> str:
        """Changes with the backend settings, so that they are never taken for initialised; empty without."""
        if not self.backend and not self.backend_files:
            return ""
        return sha256_hex(canonical_json([list(self.backend), *map(_content, self.backend_files)]))

    def fingerprints(self) -> dict[str, str]:
        """By name, as ``configuration.fingerprints`` has the files; nothing where nothing is given."""
        found = {path.relative_to(self.root).as_posix(): _content(path) for path in self.backend_files}
        for name, value in (("variables", dict(self.variables)), ("backend", list(self.backend))):
            if value:
                found[f"given:{name}"] = sha256_hex(canonical_json(value))
        return found


def gather(root: Path, settings: Infrastructure, given: PlanInputs) -> Inputs:
    """All that is given, checked as far as that goes without the configuration. Raises ``UsageError``."""
    variables = {name: _as_argument(value) for name, value in settings.vars.items()} | given.variables
    for name in variables:
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"'{name}' is no name of a variable", hint="write NAME=VALUE, as in --var region=eu-west-1"
            )
    for target in given.targets:
        if not target or target.startswith("-"):
            raise UsageError(f"'{target}' is no address", hint="as in --target aws_instance.web")
    return Inputs(
        root=root,
        var_files=tuple(_file(root, name) for name in (*settings.var_files, *given.var_files)),
        variables=variables,
        targets=given.targets,
        backend=tuple(f"{name}={_as_argument(value)}" for name, value in settings.backend.items()),
        backend_files=tuple(_file(root, name) for name in settings.backend_files),
    )


def refuse_sensitive(inputs: Inputs, sensitive: frozenset[str]) -> None:
    """A secret on a command line is everybody's who lists processes. Raises ``UsageError``."""
    for name in inputs.variables:
        if name in sensitive:
            raise UsageError(
                f"the variable '{name}' is declared sensitive: no midas.toml and no --var may hold its value",
                hint=f"set the environment variable TF_VAR_{name}",
                location=name,
            )


def _as_argument(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _file(root: Path, name: str) -> Path:
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise UsageError(
            f"the file '{name}' lies outside of the project", hint="move it inside", location=name
        )
    if not path.is_file():
        raise UsageError(
            f"the file '{name}' is not there", hint="give it relative to the project", location=str(path)
        )
    return path


def _content(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
