"""What a repository is, each statement with the file that says so."""

from __future__ import annotations

from typing import Literal

from midas_devops.domain.base import Value
from midas_devops.pipelines.details import ServiceDetails

Language = Literal["python", "node", "go", "rust", "java"]
Tool = Literal["pip", "uv", "poetry", "npm", "pnpm", "yarn", "go", "cargo", "maven", "gradle"]
Report = Literal["file", "folder", "none"]


class Finding(Value):
    """One thing that was seen. ``file`` is relative to the repository."""

    what: str
    value: str
    file: str


class Component(Value):
    """One part of the repository that is built and tested on its own."""

    name: str
    """Unique within the repository; usable as a job's id."""
    folder: str
    """``.`` is the root."""
    language: Language
    tool: Tool
    versions: tuple[str, ...] = ()
    """Of the language; empty when the toolchain file of the repository decides."""
    version_file: str = ""
    lock_file: str = ""
    """What the cache depends on."""
    corepack: bool = False
    """Whether Node finds the tool itself only after ``corepack enable``."""
    install: tuple[str, ...] = ()
    lint: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    """``{junit}`` is the report to write."""
    collect: tuple[str, ...] = ()
    """After the tests, passed or not: brings them to ``{folder}`` under names that begin with ``{name}``."""
    reports: Report = "none"
    """``file``: ``test`` writes one JUnit file; ``folder``: ``collect`` brings several."""


class Repository(Value):
    """Everything that was detected."""

    components: tuple[Component, ...] = ()
    dockerfiles: tuple[str, ...] = ()
    terraform: tuple[str, ...] = ()
    """Folders of root modules."""
    services: dict[str, ServiceDetails] = {}
    """Containers that the repository's compose file starts from a published image."""
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    """What a person should know: missing tests, reports that cannot be written."""


class Detected(Value):
    """What one language's rules found in one folder."""

    component: Component
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
