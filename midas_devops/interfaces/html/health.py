"""The health of pipelines as one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from midas_devops.interfaces import health_wording as words
from midas_devops.interfaces.html import health_plot
from midas_devops.interfaces.html.files import write_page
from midas_devops.interfaces.html.render import template


def render_health(report: Mapping[str, Any]) -> str:
    """No script, no outside resource, light and dark, fit to print. All text is escaped."""
    tone, mark, sentence = words.headline(report)
    return template("health.html.j2").render(
        report=report,
        title=report["host"],
        tone=tone,
        mark=mark,
        sentence=sentence,
        words=words,
        plots={one["id"]: health_plot.durations_plot(one) for one in report["workflows"]},
        frame=health_plot,
    )


def write_health(report: Mapping[str, Any], path: Path) -> Path:
    """Write the page. Raises ``StorageError``."""
    return write_page(render_health(report), path)
