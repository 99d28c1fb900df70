"""Requirements of an architect: from a file of the project, and from a MIDAS peer through graph state.

Both have one shape, ``{"resources": [{type, name?, count?, attributes?, reason?}]}``; the file is TOML, JSON
or YAML by its name. See :class:`midas_devops.domain.requirements.RequiredResource`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from midas_devops.domain.requirements import RequiredResource
from midas_devops.errors import UnreadableError


class _Document(BaseModel):
    """Unknown keys are refused: a misspelt one would ask for nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    resources: tuple[RequiredResource, ...] = ()


class ArchitectRequirements:
    """What the file of an environment asks for, and what the peer handed over; either may be absent."""

    def __init__(self, file: Path | None, payload: Mapping[str, Any] | None) -> None:
        self._file = file
        self._payload = payload

    def get_infrastructure_requirements(self, environment: str) -> tuple[RequiredResource, ...]:
        """Raises ``UnreadableError`` naming the file, or the peer, and the place in it."""
        asked: list[RequiredResource] = []
        if self._file is not None:
            asked += _parsed(_read(self._file), f"{self._file.name} of {environment}", str(self._file))
        if self._payload:
            asked += _parsed(
                dict(self._payload), "the architect's requirements", "infrastructure_requirements"
            )
        return tuple(asked)


def _read(file: Path) -> Any:
    import yaml

    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix == ".json":
            return json.loads(text)
        return yaml.safe_load(text) if file.suffix in (".yaml", ".yml") else tomllib.loads(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error).replace("\n", " ")
        raise UnreadableError(
            f"tried to read the requirements in '{file}': {why}",
            hint="write TOML, JSON or YAML with a list 'resources', see docs/infrastructure.md",
            location=str(file),
        ) from error


def _parsed(said: Any, what: str, location: str) -> tuple[RequiredResource, ...]:
    try:
        return _Document.model_validate(said if said is not None else {}).resources
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise UnreadableError(
            f"{what} cannot be understood: {where}: {first['msg']}",
            hint="a resource has type, name, count, attributes and reason, see docs/infrastructure.md",
            location=location,
        ) from error
