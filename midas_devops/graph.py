"""The workflow, as a picture in code. One graph serves every operation."""

from __future__ import annotations

from langgraph.graph import END, START, StateGraph

from midas_devops import routing
from midas_devops.config import Settings
from midas_devops.nodes.deploy import deploy
from midas_devops.nodes.diagnose import diagnose
from midas_devops.nodes.gate_check import gate_check
from midas_devops.nodes.human_review import human_review
from midas_devops.nodes.iac_apply import iac_apply
from midas_devops.nodes.plan import plan
from midas_devops.nodes.receive import receive
from midas_devops.nodes.record_review import record_review
from midas_devops.nodes.report import report
from midas_devops.nodes.retrieve import retrieve
from midas_devops.nodes.rollback import rollback
from midas_devops.nodes.setup_pipeline import setup_pipeline
from midas_devops.nodes.step import Body, as_step
from midas_devops.nodes.summarize import summarize
from midas_devops.nodes.verify import verify
from midas_devops.ports.bundle import Ports
from midas_devops.state import DevOpsInput, DevOpsOutput, DevOpsState

RECURSION_LIMIT = 200
"""Enough for every budgeted loop of one run."""


def mermaid() -> str:
    """The graph as a Mermaid diagram. Drawing calls no node, so nothing is connected."""
    nothing: Ports = object.__new__(Ports)
    return build_graph(nothing, Settings()).compile().get_graph().draw_mermaid()


def build_graph(ports: Ports, policy: Settings) -> StateGraph[DevOpsState, None, DevOpsInput, DevOpsOutput]:
    """The uncompiled graph over these ports. Compile it with a checkpointer to be able to ask a person."""
    graph: StateGraph[DevOpsState, None, DevOpsInput, DevOpsOutput] = StateGraph(
        DevOpsState, input_schema=DevOpsInput, output_schema=DevOpsOutput
    )

    def add(name: str, body: Body, effect: str) -> None:
        node = as_step(name, body, ports, policy, writes=effect == "write")
        graph.add_node(name, node, metadata={"effect": effect})

    graph.add_node("receive", receive(ports), metadata={"effect": "pure"})
    add("retrieve", retrieve, "read")
    add("plan", plan, "read")
    add("gate_check", gate_check, "read")
    graph.add_node("human_review", human_review, metadata={"effect": "pure"})
    add("record_review", record_review, "write")
    add("iac_apply", iac_apply, "write")
    add("deploy", deploy, "write")
    add("setup_pipeline", setup_pipeline, "write")
    add("verify", verify, "read")
    add("summarize", summarize, "read")
    add("diagnose", diagnose, "read")
    add("rollback", rollback, "write")
    add("report", report, "write")

    graph.add_edge(START, "receive")
    graph.add_edge("receive", "retrieve")
    graph.add_conditional_edges("retrieve", routing.after_retrieve)
    graph.add_conditional_edges("plan", routing.after_plan)
    graph.add_conditional_edges("gate_check", routing.after_gates)
    graph.add_edge("human_review", "record_review")
    graph.add_conditional_edges("record_review", routing.after_review)
    for effect in ("iac_apply", "deploy", "setup_pipeline", "rollback"):
        graph.add_conditional_edges(effect, routing.after_effect)
    graph.add_conditional_edges("verify", routing.after_verify)
    graph.add_edge("summarize", "diagnose")
    graph.add_conditional_edges("diagnose", routing.after_diagnose)
    graph.add_edge("report", END)
    return graph
