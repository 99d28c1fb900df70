"""References to what is kept on disk instead of in state (rule 9)."""

from __future__ import annotations

from midas_devops.domain.base import Value


class ArtifactRef(Value):
    """Content-addressed reference. Private artifacts may hold secrets and never leave the disk."""

    sha256: str
    name: str
    size: int
    """Bytes."""
    private: bool = False

    @property
    def uri(self) -> str:
        """``artifact:<sha256>``, the form that spans and reports use."""
        return f"artifact:{self.sha256}"
