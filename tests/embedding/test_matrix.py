"""Our graph inside others: saver × durability × way of embedding, resumed with a new process's objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from midas_devops import as_node, build_graph, load_settings
from midas_devops.adapters.checkpoints import open_checkpointer
from midas_devops.adapters.connect import connect
from tests.projects import infrastructure_files, project

Durability = Literal["sync", "async", "exit"]
OpenSaver = Callable[[], AbstractContextManager[BaseCheckpointSaver[str]]]


class Shared(TypedDict, total=False):
    request: dict[str, Any]
    run_id: str
    status: str
    run_report: dict[str, Any]
    visits: int


class Other(TypedDict, total=False):
    wish: str
    released: str
    visits: int


REQUEST = {
    "operation": "manage_infrastructure",
    "environment": "cloud",
    "action": "apply",
    "config": "infra",
    "requested_by": "ben",
}


def before(state: Mapping[str, Any]) -> dict[str, Any]:
    return {"visits": state.get("visits", 0) + 1}


def root_graph(ports: Any, settings: Any) -> StateGraph[Any, Any, Any, Any]:
    return build_graph(ports, settings)


def shared_keys(ports: Any, settings: Any) -> StateGraph[Any, Any, Any, Any]:
    graph = StateGraph(Shared)
    graph.add_node("before", before)
    graph.add_node("devops", build_graph(ports, settings).compile())
    graph.add_edge(START, "before")
    graph.add_edge("before", "devops")
    graph.add_edge("devops", END)
    return graph


def own_schema(ports: Any, settings: Any) -> StateGraph[Any, Any, Any, Any]:
    graph = StateGraph(Other)
    graph.add_node("before", before)
    devops = as_node(
        ports,
        settings,
        request_from=lambda state: {"request": {**REQUEST, "action": state["wish"]}},
        update_from=lambda output: {"released": output["status"]},
    )
    graph.add_node("devops", devops)
    graph.add_edge(START, "before")
    graph.add_edge("before", "devops")
    graph.add_edge("devops", END)
    return graph


WAYS: dict[str, tuple[Callable[..., Any], dict[str, Any], str]] = {
    "root": (root_graph, {"request": REQUEST}, "status"),
    "subgraph": (shared_keys, {"request": REQUEST}, "status"),
    "wrapped": (own_schema, {"wish": "apply"}, "released"),
}


@pytest.fixture(params=["memory", "sqlite"])
def open_saver(request: pytest.FixtureRequest, tmp_path: Path) -> OpenSaver:
    if request.param == "sqlite":
        return lambda: open_checkpointer(f"sqlite:///{tmp_path}/parent.db", tmp_path)
    memory = InMemorySaver()

    @contextmanager
    def same() -> Iterator[BaseCheckpointSaver[str]]:
        yield memory

    return same


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict-msgpack"])
def test_the_question_surfaces_in_the_parent_and_is_answered_there(
    tmp_path: Path,
    open_saver: OpenSaver,
    way: str,
    durability: Durability,
    strict: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANGGRAPH_STRICT_MSGPACK", "true" if strict else "false")
    root = project(tmp_path / "cloud", infrastructure_files(kind="production", approvals=1))
    build, payload, outcome = WAYS[way]
    config: Any = {"configurable": {"thread_id": "t"}}

    def carry_on(value: Any) -> dict[str, Any]:
        settings = load_settings(root / "midas.toml")
        with ExitStack() as stack:
            saver = stack.enter_context(open_saver())
            ports = connect(root, settings)
            stack.callback(ports.ledger.close)
            stack.callback(ports.leases.close)
            graph = build(ports, settings).compile(checkpointer=saver)
            ended: dict[str, Any] = graph.invoke(value, config, durability=durability)
            return ended

    asked = carry_on(payload)
    (interrupt,) = asked["__interrupt__"]
    assert interrupt.value["kind"] == "approval"
    assert not (root / "infra" / "terraform.tfstate").exists()
    answer = {
        "decision": "approve",
        "digest": interrupt.value["digest"],
        "by": "ana",
        "reason": "reviewed",
    }
    ended = carry_on(Command(resume=answer))
    assert ended[outcome] == "succeeded", ended
    assert ended.get("visits", 1) == 1
    assert (root / "infra" / "terraform.tfstate").exists()


def test_a_second_request_on_the_same_thread_is_a_new_run(tmp_path: Path) -> None:
    root = project(tmp_path / "cloud", infrastructure_files())
    settings = load_settings(root / "midas.toml")
    ports = connect(root, settings)
    graph = build_graph(ports, settings).compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "t"}}
    first = graph.invoke({"request": REQUEST}, config, durability="sync")
    second = graph.invoke({"request": REQUEST}, config, durability="sync")
    assert (first["status"], second["status"]) == ("succeeded", "succeeded")
    assert first["run_id"] != second["run_id"]
    ports.leases.close()
    ports.ledger.close()
