"""A change of configuration that a model drafts for a person to read."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.base import Value


class DraftedFile(BaseModel):
    """One file of the configuration's folder, whole."""

    model_config = ConfigDict(defer_build=True)

    name: str = Field(description="File name that ends in .tf")
    text: str = Field(description="The whole new text of the file")


class ConfigurationDraft(BaseModel):
    """What a model answers. Nothing in it is carried out."""

    model_config = ConfigDict(defer_build=True)

    files: list[DraftedFile] = Field(default_factory=list, description="New or changed files, at most five")
    reasons: list[str] = Field(default_factory=list, description="One sentence per gap that the draft closes")


class DraftedChange(Value):
    """A draft that was tried and holds."""

    patch: ArtifactRef
    """Unified diff against the configuration's folder."""
    files: tuple[str, ...]
    gaps_closed: int
    reasons: tuple[str, ...] = ()
