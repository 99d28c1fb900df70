"""A small MIDAS: an orchestrator, a tester, a security specialist and our DevOps engineer in one graph.

The tester really runs the project's test-suite on the exported commit, the security specialist really runs
bandit on it; their results reach the release gates through the graph's state. Our question to a person
surfaces as an interrupt of this graph.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from midas_devops import Ports, Settings, build_graph, load_settings
from midas_devops.adapters.connect import connect
from midas_devops.adapters.junit import JUnitResults
from midas_devops.adapters.sarif import SarifResults
from midas_devops.config import PeerGate

SUITE_SECONDS = 300


class MidasState(TypedDict, total=False):
    """The team's shared state. The last six keys are also the DevOps engineer's."""

    environment: str
    version: str
    requested_by: str
    request: dict[str, Any]
    test_results: dict[str, Any]
    scan_results: dict[str, Any]
    run_id: str
    status: str
    run_report: dict[str, Any]


def peers_as_gates(settings: Settings) -> Settings:
    """The same project, with its test and scan gates read from the peers of this graph."""
    gates = {
        name: PeerGate(kind="peer", results="tests" if gate.kind == "junit" else "scan")
        for name, gate in settings.gates.items()
        if gate.kind in ("junit", "sarif")
    }
    return settings.model_copy(update={"gates": {**settings.gates, **gates}})


def orchestrator(state: MidasState) -> MidasState:
    """Turn the team's goal into a request for the DevOps engineer."""
    return {
        "request": {
            "operation": "deploy_release",
            "environment": state["environment"],
            "version": state["version"],
            "requested_by": state.get("requested_by", "midas-orchestrator"),
        }
    }


def tester(ports: Ports) -> Callable[[MidasState], MidasState]:
    """Run the suite of exactly that commit."""

    def node(state: MidasState) -> MidasState:
        commit = ports.source.resolve(state["version"]).sha
        with _exported(ports, commit) as folder:
            _run(folder, "pytest", "-q", "-p", "no:cacheprovider", "--junit-xml=junit.xml")
            reading = JUnitResults(folder, "junit.xml").read(commit)
        return {
            "test_results": {
                "commit": commit,
                "tests": reading.tests,
                "failures": reading.failures,
                "errors": reading.errors,
                "skipped": reading.skipped,
                "measured_at": datetime.now(UTC).isoformat(),
            }
        }

    return node


def security(ports: Ports) -> Callable[[MidasState], MidasState]:
    """Scan exactly that commit."""

    def node(state: MidasState) -> MidasState:
        commit = ports.source.resolve(state["version"]).sha
        with _exported(ports, commit) as folder:
            _run(folder, "bandit", "-q", "-r", ".", "-x", "./tests", "-f", "sarif", "-o", "scan.sarif")
            reading = SarifResults(folder, "scan.sarif").read(commit)
        return {
            "scan_results": {
                "commit": commit,
                "tool": ", ".join(reading.tools) or "bandit",
                "by_level": dict(reading.by_level),
                "executed": reading.executed and reading.failure is None,
                "measured_at": datetime.now(UTC).isoformat(),
            }
        }

    return node


def build_midas(ports: Ports, settings: Settings) -> StateGraph[MidasState, None, MidasState, MidasState]:
    """The team as a graph. The DevOps engineer is a subgraph that shares this state's keys."""
    graph: StateGraph[MidasState, None, MidasState, MidasState] = StateGraph(MidasState)
    graph.add_node("orchestrator", orchestrator)
    graph.add_node("tester", tester(ports))
    graph.add_node("security", security(ports))
    graph.add_node("devops", build_graph(ports, peers_as_gates(settings)).compile())
    graph.add_edge(START, "orchestrator")
    graph.add_edge("orchestrator", "tester")
    graph.add_edge("orchestrator", "security")
    graph.add_edge(["tester", "security"], "devops")
    graph.add_edge("devops", END)
    return graph


async def make_graph() -> Any:
    """The team for the project in ``MIDAS_PROJECT``, or in the folder the server was started from."""
    return await asyncio.to_thread(_compiled)  # the server's event loop must not wait for a disk


@cache
def _compiled() -> Any:
    root = Path(os.environ.get("MIDAS_PROJECT", ".")).resolve()
    settings = load_settings(root / "midas.toml")
    return build_midas(connect(root, settings), settings).compile(name="midas")


@contextmanager
def _exported(ports: Ports, commit: str) -> Iterator[Path]:
    """A private copy of one commit, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="midas-") as folder:
        tree = Path(folder) / "tree"
        ports.source.export(commit, tree)
        yield tree


def _run(folder: Path, module: str, *arguments: str) -> None:
    """The exit code says no more than the report does; a missing report is the reader's to judge."""
    subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        timeout=SUITE_SECONDS,
        capture_output=True,
        check=False,
    )
