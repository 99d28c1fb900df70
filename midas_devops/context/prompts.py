"""Prompts are files: one per model call, named after its node, with shared partials."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_BACKTICKS = 64


def prompts_folder() -> Path:
    """The folder of prompt files: ``prompts/`` of a checkout, or the copy inside the installed package."""
    packaged = Path(str(resources.files("midas_devops"))) / "_prompts"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "prompts"


def render(name: str, **values: Any) -> str:
    """The prompt ``name`` with these values, every one of them fenced as data (rule 6).

    Raises ``jinja2.UndefinedError`` when a variable of the prompt is missing.
    """
    fenced = {key: fence(value) for key, value in values.items()}
    return _environment().get_template(f"{name}.md").render(fenced)


def fence(value: Any) -> str:
    """Text inside a code fence that nothing in it can close."""
    text = value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)
    longest = max((len(run) for run in _backtick_runs(text)), default=0)
    marks = "`" * min(max(3, longest + 1), MOST_BACKTICKS)
    return f"{marks}data\n{text.replace('`' * MOST_BACKTICKS, '')}\n{marks}"


def _backtick_runs(text: str) -> list[str]:
    return [run for run in "".join(c if c == "`" else " " for c in text).split() if run]


@cache
def _environment() -> Environment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(prompts_folder()),
        undefined=StrictUndefined,
        autoescape=False,  # prompts are text, not HTML; values are fenced as data
        trim_blocks=True,
        lstrip_blocks=True,
    )
