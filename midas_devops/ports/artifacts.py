"""Artifacts: what is too large or too private for state, by content hash."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Protocol

from midas_devops.domain.artifacts import ArtifactRef


class Artifacts(Protocol):
    """A content-addressed store. Private artifacts always stay on the local disk, mode 0600."""

    def put(self, data: bytes, name: str, *, private: bool = False) -> ArtifactRef:
        """Store once per content. Raises ``StorageError`` (a full disk says so)."""
        ...

    def put_file(self, path: Path, name: str, *, private: bool = False) -> ArtifactRef:
        """Store a file's content by streaming it; the file itself is left alone."""
        ...

    def get(self, ref: ArtifactRef) -> bytes:
        """The content. Raises ``StorageError`` when it is gone or its hash does not fit."""
        ...

    def open(self, ref: ArtifactRef) -> BinaryIO:
        """A reader of the content, for what should not be in memory at once."""
        ...

    def path(self, ref: ArtifactRef) -> Path:
        """A local file with the content, for tools that need one. Verified against the hash."""
        ...

    def find(self, sha256: str) -> ArtifactRef | None:
        """The reference of a stored hash, from either side."""
        ...

    def prune_private(self) -> int:
        """Delete every private artifact; the number of bytes freed."""
        ...
