"""The one template environment. Its delimiters stay clear of ``${{ }}``, of Groovy and of the shell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from midas_devops.pipelines.pins import TOOLS

if TYPE_CHECKING:
    from jinja2 import Environment

_PLAIN = re.compile(r"[A-Za-z./$][A-Za-z0-9 ._/=@$+-]*[A-Za-z0-9./=]|[A-Za-z]")
_RESERVED = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def render(template: str, **values: object) -> str:
    """Render a template of ``templates/``. An unknown variable is an error, blank lines are single."""
    text = _environment().get_template(template).render(**values)
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[=",
        variable_end_string="=]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - pipelines, no HTML
    )
    environment.filters.update(
        scalar=scalar, quoted=quoted, flow=flow, groovy=groovy, block=block, script=script
    )
    environment.globals["tools"] = TOOLS
    return environment


def scalar(text: str) -> str:
    """A YAML scalar on one line: plain where that cannot be misread, else in quotes."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _RESERVED and "  " not in text
    return text if plain else quoted(text)


def quoted(text: str) -> str:
    """A double-quoted YAML scalar."""
    return text if text.startswith("${{") else json.dumps(text, ensure_ascii=False)


def script(lines: Iterable[str], indent: int = 10) -> str:
    """Commands behind ``run:``: one plain line in place, anything else as a literal block."""
    commands = list(lines)
    if len(commands) == 1 and scalar(commands[0]) == commands[0]:
        return commands[0]
    return "|\n" + "\n".join(" " * indent + command for command in commands)


def flow(values: Iterable[object]) -> str:
    """A YAML list on one line. Versions keep their quotes: 3.10 is no number."""
    return "[" + ", ".join(_item(value) for value in values) + "]"


def _item(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    text = str(value)
    return text if re.fullmatch(r"[A-Za-z][A-Za-z0-9_/-]*", text) and text not in _RESERVED else quoted(text)


def groovy(text: str) -> str:
    """The inside of a Groovy string in single quotes; no interpolation happens there."""
    return block(text).replace("'", "\\'")


def block(text: str) -> str:
    """A line inside of a Groovy string in triple quotes; the line never holds three of them."""
    return text.replace("\\", "\\\\")
