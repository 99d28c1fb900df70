"""The one base class of every value that crosses a boundary."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen value object: equal by content, rejects unknown fields, dumps to plain JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
