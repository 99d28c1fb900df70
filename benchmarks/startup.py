"""How long commands that need no graph take to start.

Two things to compare with: importing typer and rich, and the smallest Typer program that reads settings by
pydantic. Since 0.29 Typer itself checks each option by pydantic: no program with an option gets below that.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks.timing import pairs, python, table

SMALLEST = """
import tomllib
from typing import Annotated

import typer
from pydantic import BaseModel


class Settings(BaseModel):
    environments: dict[str, dict[str, str]] = {}


def main(project: Annotated[str, typer.Option()] = ".", json: bool = False) -> None:
    with open(f"{project}/midas.toml", "rb") as file:
        settings = Settings.model_validate(tomllib.load(file))
    print(settings.model_dump_json() if json else settings)


typer.run(main)
"""

PLAN = {"format_version": "1.2", "resource_changes": []}


def main(rounds: int = 7) -> None:
    with tempfile.TemporaryDirectory(prefix="midas-bench-") as folder:
        root = Path(folder)
        (root / "midas.toml").write_text('[environments.staging]\nkind = "staging"\n')
        (root / "smallest.py").write_text(SMALLEST)
        (root / "plan.json").write_text(json.dumps(PLAN))
        (root / "build.log").write_text("compiling\nerror: no such file\n" * 50)
        commands = {
            "--help": ["--help"],
            "env list": ["env", "list", "--json"],
            "runs list": ["runs", "list", "--json"],
            "infra check": ["infra", "check", "plan.json", "--env", "staging", "--json"],
            "condense": ["condense", "build.log", "--budget", "500", "--json"],
        }
        rows = []
        for name, arguments in commands.items():
            ours, theirs, ratio = pairs(
                lambda: python("-m", "midas_devops", *arguments, cwd=root),
                lambda: python("-c", "import typer, rich"),
                rounds=rounds,
            )
            _, smallest, to_smallest = pairs(
                lambda: python("-m", "midas_devops", *arguments, cwd=root),
                lambda: python("smallest.py", "--json", cwd=root),
                rounds=rounds,
            )
            to_imports = [f"{ours:.2f} s", f"{theirs:.2f} s", f"{ratio:.1f}"]
            rows.append([name, *to_imports, f"{smallest:.2f} s", f"{to_smallest:.1f}"])
    table(
        "start-up of commands without a graph",
        ["command", "ours", "import typer, rich", "ratio", "smallest Typer + pydantic program", "ratio"],
        rows,
    )


if __name__ == "__main__":
    main()
