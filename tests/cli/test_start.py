"""How the program starts and ends: commands built on demand, closed and full streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer

from midas_devops.interfaces.cli.command_group import HOME
from tests.cli.conftest import PROGRAM, Project

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here (Linux has one)")


@pytest.mark.parametrize("module", sorted(set(HOME.values())))
def test_a_module_registers_exactly_the_commands_it_is_listed_with(module: str) -> None:
    part = typer.Typer()

    import_module(f"midas_devops.interfaces.cli.{module}").register(part)

    names = [command.name for command in part.registered_commands] + [
        group.name for group in part.registered_groups
    ]
    assert sorted(map(str, names)) == sorted(name for name, home in HOME.items() if home == module)


def test_a_command_loads_no_other_commands(tmp_path: Path) -> None:
    code = (
        "import sys; from midas_devops.interfaces.cli.main import run; run(['runs', 'list']);"
        "print([name for name in sys.modules if name.endswith(('cli.demo', 'cli.doctor', 'cli.knowledge'))])"
    )
    (tmp_path / "midas.toml").touch()
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.splitlines()[-1] == "[]"


@needs_full
@pytest.mark.parametrize("buffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("words", [["runs", "list"], ["runs", "list", "--json"], ["--version"]], ids=" ".join)
def test_a_result_that_cannot_be_written_is_an_error(
    project: Project, words: list[str], buffered: str
) -> None:
    with FULL.open("w") as full:
        ended = subprocess.run(
            [*PROGRAM, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": buffered},
            check=False,
            timeout=60,
        )

    assert ended.returncode == 1
    assert ended.stderr.startswith("midas-devops: the result could not be written to stdout: No space left")
    assert "Traceback" not in ended.stderr
    assert not list((project.root / ".midas").glob("failure-*"))


@needs_full
def test_an_error_that_cannot_be_written_as_json_is_told_in_words(project: Project) -> None:
    with FULL.open("w") as full:
        ended = subprocess.run(
            [*PROGRAM, "runs", "show", "run-nope", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )

    assert ended.returncode == 2
    assert "looked for run 'run-nope'" in ended.stderr
    assert "could not be written to stdout" in ended.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error_and_no_file_takes_their_place(project: Project, closed: str) -> None:
    line = f"'{sys.executable}' -m midas_devops deploy staging v1 --json {closed}"

    ended = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=False, timeout=120)

    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    ledger = subprocess.run(
        [*PROGRAM, "env", "list", "--json"], capture_output=True, text=True, check=True, timeout=60
    )
    staging = json.loads(ledger.stdout)["environments"]
    assert [one["version"] for one in staging if one["name"] == "staging"] == ["v1"]
