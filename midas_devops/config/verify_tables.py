"""Tables of ``[environments.X.verify]``: what has to hold for a release to count as verified."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from midas_devops.config.durations import Duration
from midas_devops.config.table import Argv, Table


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"must be a regular expression: {error}") from None
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]


class HttpCheck(Table):
    """One request. ``{url}``, ``{commit}`` and ``{version}`` are filled in, except in ``matches``."""

    path: str = ""
    """Below the environment's address."""
    url: str = ""
    """Wins over ``path``; may begin with ``{url}``."""
    status: int = Field(default=200, ge=100, le=599)
    contains: str = ""
    matches: Pattern = ""
    """A regular expression that is found in the body."""
    json_: dict[str, str | bool | int | float] = Field(default={}, alias="json")
    """Place in the body → value: ``build.commit``, ``items[0].name``."""
    max_latency: Duration | None = None
    """Of one answer, body included."""
    within: Duration = timedelta(seconds=20)
    successes: int = Field(default=2, ge=1, le=100)

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        if self.path and not self.path.startswith("/"):
            raise ValueError("path must begin with '/'")
        if not self.path and not self.url:
            raise ValueError("needs a path or a url")
        return self


class LogCheck(Table):
    """How much of the service's log may match a pattern, over a window after the deploy."""

    pattern: Pattern = Field(min_length=1)
    window: Duration = timedelta(seconds=30)
    max_lines: int | None = Field(default=None, ge=0)
    """Most lines that may match. Without a limit at all, none may."""
    max_share: float | None = Field(default=None, ge=0, le=1)
    """Most of all lines that may match, 0 to 1."""


class Verify(Table):
    """On top of the deployer's own health check and of the commit that really runs."""

    http: tuple[HttpCheck, ...] = ()
    command: Argv = ()
    """argv; {url}, {commit}, {version} and {environment} are filled in."""
    command_within: Duration = timedelta(minutes=5)
    logs: LogCheck | None = None
