"""Runs as HTML: a self-contained report, and a fragment for notebooks."""

from __future__ import annotations

from midas_devops.interfaces.html.render import render_fragment, render_report

__all__ = ["render_fragment", "render_report"]
