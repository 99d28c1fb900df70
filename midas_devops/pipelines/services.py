"""Containers that tests need beside them, as a compose file declares them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from midas_devops.pipelines.details import ServiceDetails
from midas_devops.pipelines.findings import Finding
from midas_devops.pipelines.tree import Tree
from midas_devops.safety.secret_names import holds_secret

FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")

_VERSIONED = re.compile(r"[^:@\s]+(?:/[^:@\s]+)*(?::(?!latest$)[\w.-]+|@sha256:[0-9a-f]{64})")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_PORT = re.compile(r"(?:[\d.]+:)?(\d{1,5}):(\d{1,5})(?:/tcp)?")


class Composed:
    """What the compose files of a repository say, the first one to name a service winning."""

    def __init__(self, tree: Tree, paths: tuple[str, ...]) -> None:
        self.services: dict[str, ServiceDetails] = {}
        self.findings: list[Finding] = []
        self.notes: list[str] = []
        for path in paths:
            if path.split("/")[-1] in FILES:
                for name, declared in _declared(tree.read(path)):
                    self._add(path, name, declared)

    def _add(self, path: str, name: str, declared: Mapping[str, Any]) -> None:
        """A service of an image with a published port: what tests on the same machine can reach."""
        image = declared.get("image")
        if not isinstance(image, str) or "build" in declared:
            return  # built here: it is the repository's own work
        self.findings.append(Finding(what="service image", value=image, file=path))
        if declared.get("profiles") or name in self.services:
            return
        ports = tuple(_ports(declared.get("ports")))
        lack = (
            "its name cannot stand in a pipeline"
            if not _NAME.fullmatch(name)
            else "its image names no version"
            if not _VERSIONED.fullmatch(image)
            else "it publishes no port that tests could reach"
            if not ports
            else ""
        )
        env, left_out = _environment(declared.get("environment"))
        if not lack:
            try:
                self.services[name] = ServiceDetails(
                    image=image,
                    ports=ports,
                    env={key: value for key, value in env.items() if not holds_secret(key)},
                    throwaway=tuple(key for key in env if holds_secret(key)),
                    health_command=_health(declared.get("healthcheck")),
                )
            except ValidationError:
                lack = "what it declares cannot be written safely into a pipeline"
        if lack:
            self.notes.append(f"{path}: {name} is not started for the tests: {lack}")
        elif left_out:
            self.notes.append(f"{path}: {name} gets no {', '.join(left_out)}: the value is not in the file")


def _declared(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    import yaml

    try:
        read = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        return  # a broken compose file says nothing
    services = read.get("services") if isinstance(read, dict) else None
    for name, declared in services.items() if isinstance(services, dict) else ():
        if isinstance(declared, dict):
            yield str(name), declared


def _ports(given: object) -> Iterator[str]:
    """``host:container``, for ports that are published under a known number."""
    for port in given if isinstance(given, list) else ():
        if isinstance(port, dict) and port.get("published") and port.get("target"):
            port = f"{port['published']}:{port['target']}"  # noqa: PLW2901 - the long form, as the short one
        found = _PORT.fullmatch(str(port))
        if found:
            yield f"{found[1]}:{found[2]}"


def _environment(given: object) -> tuple[dict[str, str], list[str]]:
    """Variables with a literal value, and the names of those that take it from elsewhere."""
    if isinstance(given, list):
        pairs = [str(item).partition("=") for item in given]
        given = {key: value if sign else None for key, sign, value in pairs}
    kept: dict[str, str] = {}
    left_out = []
    for key, value in given.items() if isinstance(given, dict) else ():
        name = str(key)
        if holds_secret(name):
            kept[name] = ""
        elif value is None or "$" in str(value):
            left_out.append(name)
        else:
            kept[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return kept, left_out


def _health(given: object) -> str | None:
    test = given.get("test") if isinstance(given, dict) else None
    words = [str(word) for word in test] if isinstance(test, list) else []
    if words[:1] == ["CMD"]:
        command = shlex.join(words[1:])
    elif words[:1] == ["CMD-SHELL"]:
        command = " ".join(words[1:])
    else:
        command = test if isinstance(test, str) else ""
    # A doubled $ is compose's way to write one; a single one is a variable of the developer's machine.
    return None if not command or "$" in command.replace("$$", "") else command.replace("$$", "$")
