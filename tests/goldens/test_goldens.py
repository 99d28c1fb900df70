"""What people and scripts see only changes on purpose."""

from __future__ import annotations

import json
from typing import Any

import pytest

from midas_devops.config import Settings
from midas_devops.context.prompts import prompts_folder, render
from midas_devops.domain.approval import Review
from midas_devops.graph import build_graph, mermaid
from tests.goldens.golden import assert_golden


def test_the_graph_is_the_picture() -> None:
    assert_golden("graph.mmd", mermaid())


def test_the_schemas_of_input_output_and_answer(no_ports: Any) -> None:
    graph = build_graph(no_ports, Settings()).compile()
    schemas = {
        "input": graph.get_input_jsonschema(),
        "output": graph.get_output_jsonschema(),
        "answer": Review.model_json_schema(),
    }
    assert_golden("schemas.json", json.dumps(schemas, indent=1, sort_keys=True) + "\n")


VALUES: dict[str, dict[str, Any]] = {
    "plan": {"change_plan": {"summary": "1 to add"}, "retrieved": [{"source": "README.md", "text": "hello"}]},
    "plan_draft": {
        "gaps": [{"kind": "missing", "type": "aws_sqs_queue"}],
        "files": {"main.tf": "locals {}\n"},
        "modules": ["modules/queue/main.tf:1-9"],
    },
    "diagnose": {"rules": {"category": "unknown"}, "evidence": "[artifact:ab]\n12 | Error: no"},
}


@pytest.mark.parametrize("name", VALUES)
def test_a_prompt_as_a_model_sees_it(name: str) -> None:
    assert_golden(f"prompt-{name}.md", render(name, **VALUES[name]))


def test_every_prompt_has_a_golden() -> None:
    files = {path.stem for path in prompts_folder().glob("*.md") if not path.stem.startswith("_")}
    assert files == set(VALUES)
