"""Lengths of time as people write them in midas.toml."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: object) -> timedelta:
    """``"90s"``, ``"2m"``, ``"24h"``, ``"1h30m"`` → timedelta. A bare number is an error: it has no unit."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        parts: list[tuple[str, str]] = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", value)
        if parts and "".join(number + unit for number, unit in parts) == value:
            return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
    raise ValueError("must be a duration such as '30s', '5m', '24h' or '7d'")


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
