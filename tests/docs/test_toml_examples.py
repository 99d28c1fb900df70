"""Every TOML example of README.md and docs/ is one that the program takes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from midas_devops.adapters.requirements import ArchitectRequirements
from midas_devops.config import Settings, load_settings
from midas_devops.knowledge.catalogue import read_entries
from tests.projects import REPOSITORY

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```toml\n(.*?)^```", re.DOTALL | re.MULTILINE)
EXAMPLES = [
    pytest.param(block[1], id=f"{page.name}:{page.read_text('utf-8').count(chr(10), 0, block.start()) + 1}")
    for page in PAGES
    for block in BLOCK.finditer(page.read_text(encoding="utf-8"))
]
COMMENT_ANSWERS = '\n[tracker]\nusing = "github"\n'


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 10


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_taken_as_it_stands(tmp_path: Path, example: str) -> None:
    tables = tomllib.loads(example)
    file = tmp_path / "example.toml"
    file.write_text(example, encoding="utf-8")
    if "resources" in tables:
        assert ArchitectRequirements(file, None).get_infrastructure_requirements("production")
    elif "entry" in tables:
        assert list(read_entries(tmp_path))
    else:
        file.write_text(example + "\n".join(surroundings(tables)), encoding="utf-8")
        settings = load_settings(file)
        assert settings.model_dump(exclude_unset=True).keys() >= tables.keys()


def surroundings(tables: dict[str, Any]) -> list[str]:
    """What a fragment leaves to the rest of the file: the repository, and what it only names."""
    assert tables.keys() <= Settings.model_fields.keys()
    environments: dict[str, Any] = tables.get("environments", {})
    lines = [] if "project" in tables else ['\n[project]\nrepository = "acme/orders"']
    if "comment_permission" in tables.get("approvals", {}) and "tracker" not in tables:
        lines.append(COMMENT_ANSWERS)
    named = [gate for each in environments.values() for gate in _gates(each)]
    lines += [
        f'[gates.{gate}]\nkind = "junit"\npath = "junit.xml"'
        for gate in dict.fromkeys(named)
        if gate not in tables.get("gates", {})
    ]
    wanted = [each["promotes_from"] for each in environments.values() if "promotes_from" in each]
    wanted += [gate["from"] for gate in tables.get("gates", {}).values() if "from" in gate]
    lines += [
        f'[environments.{name}]\nkind = "staging"'
        for name in dict.fromkeys(wanted)
        if name not in environments
    ]
    return lines


def _gates(environment: dict[str, Any]) -> list[str]:
    return [*environment.get("gates", []), *environment.get("infrastructure", {}).get("gates", [])]
