"""Source: the project's version control."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Protocol

from midas_devops.domain.base import Value


class Commit(Value):
    """One commit."""

    sha: str
    """Full hash."""
    subject: str
    version: str = ""
    """The tag that was asked for, or a tag on it, or its short hash."""
    committed_at: datetime | None = None
    """By its committer's clock, UTC; None where that is not known."""


class Between(Value):
    """What lies between two commits."""

    commits: tuple[str, ...]
    """``<short hash> <subject>``, newest first; at most 50."""
    commits_total: int
    files: tuple[str, ...]
    """At most 5,000."""
    files_total: int
    is_older: bool
    """True when the target is an ancestor of the start."""


class Source(Protocol):
    """The repository that the project lives in."""

    def available(self) -> bool:
        """Whether the project is a repository with at least one commit."""
        ...

    def resolve(self, version: str) -> Commit:
        """Tag, branch or (short) hash → commit. Raises ``UsageError`` when there is none, with near names."""
        ...

    def head(self) -> str:
        """Full hash of HEAD; empty when there is none."""
        ...

    def between(self, start: str, end: str) -> Between:
        """From ``start`` (may be empty) to ``end``."""
        ...

    def export(self, commit: str, into: Path, subfolder: str = "") -> None:
        """Write exactly that commit's tree (or one folder of it). Raises ``ToolError``, ``StorageError``."""
        ...

    def commit_of_path(self, path: str) -> str:
        """Last commit that touched ``path``; empty when it was never committed or has uncommitted edits."""
        ...
