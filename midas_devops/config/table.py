"""The base of every table of midas.toml."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

Argv = tuple[str, ...]


class Table(BaseModel):
    """A table of midas.toml: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
