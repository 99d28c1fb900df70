"""Placeholders in argv lists. Words are never split again, and no shell reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from midas_devops.errors import ConfigError

# Doubled braces and shell variables are the text of another tool: they are matched first and stay.
_PLACEHOLDER = re.compile(r"\{\{[^{}]*\}\}|\$\{[^{}]*\}|\{(?P<name>[a-z][a-z_]*)\}")


def check(argv: Sequence[str], known: Sequence[str], location: str) -> None:
    """Raises ``ConfigError`` for a placeholder that nothing fills. Other text in braces is left alone."""
    for word in argv:
        for found in _PLACEHOLDER.finditer(word):
            name = found["name"]
            if name is not None and name not in known:
                raise ConfigError(
                    f"'{word}' holds the placeholder {{{name}}}, which nothing fills here",
                    hint="use "
                    + ", ".join(f"{{{each}}}" for each in known)
                    + "; write { "
                    + name
                    + " } as text",
                    location=f"midas.toml: {location}",
                )


def fill(argv: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """The argv with each known placeholder replaced, once: a value that looks like one is not read again."""

    def value(found: re.Match[str]) -> str:
        name = found["name"]
        return values[name] if name is not None and name in values else found[0]

    return [_PLACEHOLDER.sub(value, word) for word in argv]
