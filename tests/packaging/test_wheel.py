"""The wheel carries everything that a new user needs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.projects import REPOSITORY

pytest.importorskip("hatchling", reason="needs the build backend: pip install hatchling")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has our wheel, and beside it only our dependencies."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    here = next(Path(entry) for entry in sys.path if entry.endswith("site-packages"))
    for entry in here.iterdir():
        ours = entry.name.startswith(("midas", "__editable__", "_editable", "_midas"))
        if not ours and entry.suffix != ".pth":
            (site / entry.name).symlink_to(entry)
    return folder / "bin" / "python"


def run(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


def test_prompts_examples_and_graphs_come_along(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "midas_devops/_prompts/diagnose.md",
        "midas_devops/_examples/orders/midas.toml",
        "midas_devops/_graphs/devops.py",
        "midas_devops/py.typed",
        "midas_devops/knowledge/catalogue/terraform.toml",
    ):
        assert wanted in names
    assert not [name for name in names if ".midas/" in name or "__pycache__" in name]


def test_only_our_package_is_an_import_name(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"midas_devops"}


def test_the_installed_command_works_away_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, "-c", "import midas_devops; print(midas_devops.__file__)").stdout
    assert str(REPOSITORY) not in where
    assert run(installed, tmp_path, "-m", "midas_devops", "--version").stdout.startswith("midas-devops ")
    ended = run(installed, tmp_path, "-m", "midas_devops", "graph")
    assert "human_review" in ended.stdout, ended.stderr
    prompt = (
        "from midas_devops.context.prompts import render\nprint(render('plan', change_plan={}, retrieved=[]))"
    )
    assert "You review a planned change" in run(installed, tmp_path, "-c", prompt).stdout
    folder = "from midas_devops.interfaces.demo.project import example_folder; print(example_folder())"
    assert "_examples" in run(installed, tmp_path, "-c", folder).stdout
