"""The health of pipelines as one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from midas_devops.interfaces import health_wording as words
from midas_devops.interfaces.html import health_plot
from midas_devops.interfaces.html.render import template
from midas_devops.safety.private import written_whole

_READABLE = 0o644


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
    path = path.absolute()
    with written_whole(path, mode=_READABLE) as stream:
        stream.write(render_health(report).encode("utf-8", "replace"))
    return path
