"""A DevOps engineer you can embed. Names are imported when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from midas_devops.agent import DevOpsAgent
    from midas_devops.config import Settings, load_settings
    from midas_devops.domain.runs import RunStatus
    from midas_devops.embedding import as_node
    from midas_devops.errors import MidasError
    from midas_devops.graph import build_graph
    from midas_devops.ports.bundle import Ports
    from midas_devops.run import Run

__version__ = "0.1.0"

_HOME = {
    "DevOpsAgent": "midas_devops.agent",
    "MidasError": "midas_devops.errors",
    "Ports": "midas_devops.ports.bundle",
    "Run": "midas_devops.run",
    "RunStatus": "midas_devops.domain.runs",
    "Settings": "midas_devops.config",
    "as_node": "midas_devops.embedding",
    "build_graph": "midas_devops.graph",
    "load_settings": "midas_devops.config",
}

__all__ = [
    "DevOpsAgent",
    "MidasError",
    "Ports",
    "Run",
    "RunStatus",
    "Settings",
    "__version__",
    "as_node",
    "build_graph",
    "load_settings",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'midas_devops' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
