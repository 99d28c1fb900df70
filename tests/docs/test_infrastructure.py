"""The settings that the page about infrastructure shows are settings that load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from midas_devops.config import load_settings
from tests.projects import REPOSITORY

PAGE = (REPOSITORY / "docs" / "infrastructure.md").read_text(encoding="utf-8")
TABLES = [text for text in re.findall(r"```toml\n(.*?)```", PAGE, re.S) if "config = " in text]


def test_the_page_shows_tables() -> None:
    assert TABLES


@pytest.mark.parametrize("table", TABLES)
def test_a_table_of_the_page_loads(tmp_path: Path, table: str) -> None:
    file = tmp_path / "midas.toml"
    file.write_text(table)
    settings = load_settings(file)
    assert all(environment.infrastructure for environment in settings.environments.values())
