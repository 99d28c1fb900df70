"""The small MIDAS: a tester and a security specialist really work, and their results are the gates."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.projects import REPOSITORY, commit, free_port, git, orders, write

pytest.importorskip("bandit", reason="needs a scanner: pip install bandit")

DRIVER = """
import importlib.util, json, sys
from pathlib import Path
from langgraph.types import Command
from midas_devops import load_settings
from midas_devops.adapters.checkpoints import open_checkpointer
from midas_devops.adapters.connect import connect

spec = importlib.util.spec_from_file_location("midas_graph", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules["midas_graph"] = module
spec.loader.exec_module(module)
root = Path(sys.argv[2])
settings = load_settings(root / "midas.toml")
ports = connect(root, settings)
with open_checkpointer(settings.storage.url, root) as saver:
    graph = module.build_midas(ports, settings).compile(checkpointer=saver)
    value = json.loads(sys.argv[3])
    if "decision" in value:
        value = Command(resume=value)
    state = graph.invoke(value, {"configurable": {"thread_id": "team"}}, durability="sync")
interrupts = [i.value for i in state.pop("__interrupt__", [])]
print(json.dumps({"state": state, "interrupts": interrupts}))
ports.leases.close()
ports.ledger.close()
"""


def in_a_new_process(root: Path, value: dict[str, Any]) -> dict[str, Any]:
    import json

    graph = REPOSITORY / "graphs" / "midas.py"
    ended = subprocess.run(
        [sys.executable, "-c", DRIVER, str(graph), str(root), json.dumps(value)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return answer


@pytest.fixture
def project(tmp_path: Path, no_services_left: None) -> Path:
    root = orders(tmp_path / "orders")
    toml = root / "midas.toml"
    text = toml.read_text().replace("/tmp/orders", str(tmp_path / "data"))
    toml.write_text(text.replace("8081", str(free_port())).replace("8082", str(free_port())))
    git(root, "init", "-q", "-b", "main")
    commit(root, "first", "v1.0.0")
    return root


def test_the_peers_results_open_the_gates_and_a_person_decides_in_a_new_process(project: Path) -> None:
    wish = {"environment": "staging", "version": "v1.0.0", "requested_by": "ben"}
    asked = in_a_new_process(project, wish)
    (question,) = asked["interrupts"]
    gates = {gate["name"]: gate["verdict"] for gate in question["gates"]}
    assert gates == {"tests": "passed", "security": "passed"}
    assert asked["state"]["test_results"]["tests"] > 5

    answer = {"decision": "approve", "digest": question["digest"], "by": "ana", "reason": "all green"}
    ended = in_a_new_process(project, answer)
    assert ended["state"]["status"] == "succeeded", ended


def test_a_failing_suite_blocks_the_release_before_anybody_is_asked(project: Path) -> None:
    write(project, {"tests/test_broken.py": "def test_broken():\n    assert 1 == 2\n"})
    commit(project, "broken", "v1.0.1")
    ended = in_a_new_process(project, {"environment": "staging", "version": "v1.0.1"})
    assert ended["interrupts"] == []
    assert ended["state"]["status"] == "blocked"
    assert "tests is failed" in ended["state"]["run_report"]["summary"]


def test_the_graph_file_loads_without_doing_anything(tmp_path: Path) -> None:
    path = REPOSITORY / "graphs" / "midas.py"
    spec = importlib.util.spec_from_file_location("midas_graph_probe", path)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert list(tmp_path.iterdir()) == []
