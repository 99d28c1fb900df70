"""The DevOps graph for LangGraph Studio and the LangGraph server. The server brings its own checkpointer."""

from __future__ import annotations

import asyncio
import os
from functools import cache
from pathlib import Path
from typing import Any

from midas_devops import build_graph, load_settings
from midas_devops.adapters.connect import connect


async def make_graph() -> Any:
    """The graph of the project in ``MIDAS_PROJECT``, or in the folder the server was started from."""
    return await asyncio.to_thread(_compiled)  # the server's event loop must not wait for a disk


@cache
def _compiled() -> Any:
    root = Path(os.environ.get("MIDAS_PROJECT", ".")).resolve()
    settings = load_settings(root / "midas.toml")
    return build_graph(connect(root, settings), settings).compile(name="midas-devops")
