"""The tables that the page about releases shows for gates and verification are tables that load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from midas_devops.config import load_settings
from tests.projects import REPOSITORY

PAGE = (REPOSITORY / "docs" / "releases.md").read_text(encoding="utf-8")
TABLES = [
    text
    for text in re.findall(r"```toml\n(.*?)```", PAGE, re.S)
    if "[gates." in text or (".verify]" in text and ".deploy]" not in text)
]
AROUND = '[project]\nrepository = "acme/orders"\n'
STAGING = '\n[environments.staging]\nkind = "staging"\n'


def test_the_page_shows_gates_and_checks() -> None:
    text = "".join(TABLES)
    kinds = {"sarif", "github_checks", "command", "promotion", "window"}
    assert kinds <= set(re.findall(r'kind = "(\w+)"', text))
    assert ".verify]" in text


@pytest.mark.parametrize("table", TABLES)
def test_a_table_of_the_page_loads(tmp_path: Path, table: str) -> None:
    file = tmp_path / "midas.toml"
    file.write_text(AROUND + table + ("" if "[environments.staging]" in table else STAGING))
    settings = load_settings(file)
    assert settings.gates or settings.environments["staging"].verify
