"""Rules that hold for the graph as a whole (rule 1)."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from midas_devops import nodes as package
from midas_devops.config import Settings
from midas_devops.graph import build_graph
from midas_devops.nodes import human_review
from midas_devops.ports.bundle import Ports

DESIGNED = {
    "plan",
    "retrieve",
    "gate_check",
    "human_review",
    "iac_apply",
    "deploy",
    "setup_pipeline",
    "verify",
    "summarize",
    "diagnose",
    "rollback",
    "report",
}
WRITES = {"record_review", "iac_apply", "deploy", "setup_pipeline", "rollback", "report"}


@pytest.fixture(scope="module")
def graph() -> Any:
    return build_graph(object.__new__(Ports), Settings())


def test_every_designed_node_is_there(graph: Any) -> None:
    assert set(graph.nodes) == DESIGNED | {"receive", "record_review"}


def test_every_node_says_what_it_does_to_the_world(graph: Any) -> None:
    labels = {name: spec.metadata["effect"] for name, spec in graph.nodes.items()}
    assert set(labels.values()) <= {"pure", "read", "write"}
    assert {name for name, label in labels.items() if label == "write"} == WRITES


def test_no_write_node_is_retried_or_cached(graph: Any) -> None:
    for name in WRITES:
        spec = graph.nodes[name]
        assert (name, spec.retry_policy, spec.cache_policy) == (name, None, None)


def test_only_one_node_interrupts_and_it_does_nothing_else(graph: Any) -> None:
    using = [
        path.stem
        for path in Path(package.__path__[0]).glob("*.py")
        if "interrupt(" in path.read_text(encoding="utf-8")
    ]
    assert using == ["human_review"]
    body = inspect.getsource(human_review)
    assert "ports" not in body
    assert "except" not in body


def test_nodes_are_synchronous(graph: Any) -> None:
    """The server runs synchronous nodes in threads; a blocking call in an async one would fail there."""
    for spec in graph.nodes.values():
        assert not inspect.iscoroutinefunction(spec.runnable.func)


def test_a_person_can_only_be_reached_before_an_effect_or_after_a_failure(graph: Any) -> None:
    edges = graph.compile().get_graph().edges
    sources = {edge.source for edge in edges if edge.target == "human_review"}
    assert sources == {"gate_check", "record_review", "diagnose"}


@pytest.mark.parametrize("effect", ["iac_apply", "deploy", "setup_pipeline"])
def test_no_effect_without_the_gates(graph: Any, effect: str) -> None:
    edges = graph.compile().get_graph().edges
    assert {edge.source for edge in edges if edge.target == effect} == {"gate_check", "record_review"}
