"""Where reports are written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from midas_devops.interfaces.html.render import render_report
from midas_devops.safety.private import private_folder, project_folder, written_whole


def write_report(root: Path, run: Mapping[str, Any], output: str = "") -> Path:
    """Write the HTML report of a run, to ``output`` or below ``.midas``. Raises ``StorageError``."""
    if output:
        path = Path(output).absolute()
        mode = 0o644
    else:
        path = private_folder(project_folder(root) / "reports") / f"{run['run_id']}.html"
        mode = 0o600
    with written_whole(path, mode=mode) as stream:
        stream.write(render_report(run).encode("utf-8", "replace"))
    return path
