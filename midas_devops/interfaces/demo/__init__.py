"""``make demo``: the whole job on a sample service, through the real command line."""

from __future__ import annotations

from midas_devops.interfaces.demo.run import run_demo

__all__ = ["run_demo"]
