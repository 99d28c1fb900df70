"""How long commands that need no graph take to start, as a ratio to importing typer and rich."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from benchmarks.timing import pairs, python, table

PLAN = {"format_version": "1.2", "resource_changes": []}


def main(rounds: int = 7) -> None:
    with tempfile.TemporaryDirectory(prefix="midas-bench-") as folder:
        root = Path(folder)
        (root / "midas.toml").write_text('[environments.staging]\nkind = "staging"\n')
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
            rows.append([name, f"{ours:.2f} s", f"{theirs:.2f} s", f"{ratio:.1f}"])
    table("start-up of commands without a graph", ["command", "ours", "import typer, rich", "ratio"], rows)


if __name__ == "__main__":
    main()
