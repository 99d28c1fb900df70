"""Our graph inside a larger one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig

from midas_devops.config import Settings
from midas_devops.graph import build_graph
from midas_devops.ports.bundle import Ports
from midas_devops.state import DevOpsInput, Json


def as_node(
    ports: Ports,
    policy: Settings,
    *,
    request_from: Callable[[Mapping[str, Any]], DevOpsInput],
    update_from: Callable[[Mapping[str, Any]], Json],
) -> Callable[[Mapping[str, Any], RunnableConfig], Json]:
    """A node for a parent graph with a schema of its own.

    ``request_from`` maps the parent's state to our input, ``update_from`` our output (``run_id``, ``status``,
    ``run_report``) to the parent's update. Both must be pure: the node runs again from its top on a resume.
    The parent needs a checkpointer; our questions surface as its interrupts and are answered there.

    A parent that shares our keys needs no wrapper: add ``build_graph(ports, policy).compile()`` as a node.
    """
    compiled = build_graph(ports, policy).compile(name="midas-devops")

    def devops(state: Mapping[str, Any], config: RunnableConfig) -> Json:
        return update_from(compiled.invoke(request_from(state), config))

    return devops
