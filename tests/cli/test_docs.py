"""The two pages say everything that there is."""

from __future__ import annotations

import re
import types
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from midas_devops.config import Settings
from midas_devops.interfaces.cli.main import app
from tests.cli.test_help import known_commands

DOCS = Path(__file__).parents[2] / "docs"


def keys(annotation: Any, path: tuple[str, ...] = ()) -> set[str]:
    """Names of all keys below a type of the schema."""
    origin = get_origin(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {
            name
            for key, field in annotation.model_fields.items()
            for name in {field.alias or key} | keys(field.annotation)
        }
    if origin in (Annotated, Union, types.UnionType, dict):
        return {name for inner in get_args(annotation) for name in keys(inner)}
    return set()


def test_every_key_of_the_schema_is_documented():
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    page = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    mentioned = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", page))))

    assert keys(Settings) - mentioned == set()


def test_every_command_is_documented():
    page = (DOCS / "cli.md").read_text(encoding="utf-8")

    assert [words for words in known_commands() if f"`{' '.join(words)}" not in page] == []
    assert app.info.name == "midas-devops"


@pytest.mark.parametrize("words", known_commands(), ids=" ".join)
def test_every_option_of_a_command_that_is_documented_exists(cli, words):
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{' '.join(words)}[^`]*`", page, re.MULTILINE)

    assert row is not None
    help_page = cli(*words, "--help").out
    for option in re.findall(r"--[a-z-]+", row[0]):
        assert option in help_page
