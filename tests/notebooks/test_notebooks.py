"""Every notebook runs from its top to its end, and shows what it promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.projects import REPOSITORY

nbformat = pytest.importorskip("nbformat", reason="needs nbformat: pip install nbformat nbclient ipykernel")
nbclient = pytest.importorskip("nbclient", reason="needs nbclient: pip install nbclient ipykernel")

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))


def executed(path: Path, folder: Path) -> Any:
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return notebook


def outputs(notebook: Any, kind: str) -> str:
    return "\n".join(
        output["data"][kind]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if kind in output.get("data", {})
    )


def streams(notebook: Any) -> str:
    return "\n".join(
        output["text"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "stream"
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert [cell for cell in notebook.cells if cell.get("outputs")] == []


@pytest.mark.filterwarnings("default")  # the kernel's own client warns about its event loop
def test_the_quick_start_shows_plan_approval_failure_and_rollback(tmp_path: Path) -> None:
    notebook = executed(REPOSITORY / "notebooks" / "01_quickstart.ipynb", tmp_path)
    pages = outputs(notebook, "text/html")
    for shown in ("v1.0.0", "rolled back", "module.database", "ana"):
        assert shown in pages.replace("rolled_back", "rolled back"), shown
    assert "the digest is not the one that is waiting" in streams(notebook)
    assert "rolled_back" in streams(notebook)
