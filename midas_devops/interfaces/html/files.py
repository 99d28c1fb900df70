"""Where reports are written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from midas_devops.errors import UsageError
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


def require_folder(file: str) -> None:
    """Before any work: raises ``UsageError`` where ``--html FILE`` names a folder that is not there."""
    if file and not Path(file).absolute().parent.is_dir():
        raise UsageError(
            f"there is no folder for '{file}'", hint="Make it, or name another file.", location="--html"
        )


def write_page(page: str, path: Path) -> Path:
    """Write a page that anybody may read. Raises ``StorageError``."""
    path = path.absolute()
    with written_whole(path, mode=0o644) as stream:
        stream.write(page.encode("utf-8", "replace"))
    return path
