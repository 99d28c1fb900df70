"""What importing us, and what a light command, may load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    *("langgraph", "langchain_core", "langchain_openai", "chromadb"),
    *("openai", "sqlalchemy", "github", "numpy"),
}


def loaded(code: str, folder: Path) -> set[str]:
    names = "sorted({name.split('.')[0] for name in sys.modules})"
    probe = f"{code}\nimport sys, json\nprint(json.dumps({names}))"
    ended = subprocess.run(
        [sys.executable, "-c", probe], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return set(json.loads(ended.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_else(tmp_path: Path) -> None:
    ours = loaded("import midas_devops", tmp_path) - loaded("pass", tmp_path)
    assert ours - sys.stdlib_module_names == {"midas_devops"}


def test_every_public_name_can_be_had(tmp_path: Path) -> None:
    import midas_devops

    for name in midas_devops.__all__:
        assert getattr(midas_devops, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = midas_devops.nonsense


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["env", "list", "--json"],
        ["runs", "list", "--json"],
        ["infra", "check", "plan.json", "--env", "staging", "--json"],
        ["condense", "build.log", "--budget", "100", "--json"],
        ["diagnose", "build.log", "--json"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_commands_without_a_graph_load_nothing_heavy(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "midas.toml").write_text('[environments.staging]\nkind = "staging"\n')
    (tmp_path / "plan.json").write_text('{"format_version": "1.2"}')
    (tmp_path / "build.log").write_text("main.c:1:1: error: no\n")
    code = f"""
import contextlib, io, sys
sys.argv = ["midas-devops", *{words!r}]
from midas_devops.interfaces.cli.main import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
"""
    assert loaded(code, tmp_path) & HEAVY == set()
