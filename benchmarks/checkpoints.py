"""Checkpoint bytes of a failing run with a small and a huge log: they must not differ."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from benchmarks.timing import table
from tests.projects import commit, free_port, project, service_files, write

SERVICE = """
import os, sys
size = int(open("SIZE").read())
line = "2026-01-01 INFO worker: order 12345 accepted in 3 ms\\n"
for _ in range(size // len(line)):
    sys.stdout.write(line)
print("ERROR orders: sqlite3.OperationalError: no such table: orders", flush=True)
sys.exit(1)
"""


def checkpoint_bytes(log_bytes: int) -> int:
    """Sum of all checkpoint values and pending writes that one failing deployment leaves."""
    from midas_devops import DevOpsAgent

    with tempfile.TemporaryDirectory(prefix="midas-bench-") as folder:
        root = project(Path(folder) / "project", service_files(free_port()))
        write(root, {"app.py": SERVICE, "SIZE": str(log_bytes)})
        commit(root, "logs", "noisy")
        with DevOpsAgent.from_project(root) as agent:
            run = agent.deploy_release("web", "noisy")
            if run.status != "failed":
                raise SystemExit(f"the run should fail, it {run.status}")
        with sqlite3.connect(root / ".midas" / "midas.db") as database:
            (saved,) = database.execute("SELECT sum(length(checkpoint)) FROM checkpoints").fetchone()
            (writes,) = database.execute("SELECT sum(length(value)) FROM writes").fetchone()
        database.close()
    return int(saved) + int(writes)


def main() -> None:
    small, large = checkpoint_bytes(1_000), checkpoint_bytes(50_000_000)
    table(
        "checkpoint bytes of a failing run",
        ["log of 1 KB", "log of 50 MB", "ratio (aim 0.95–1.05)"],
        [[f"{small:,}", f"{large:,}", f"{large / small:.3f}"]],
    )


if __name__ == "__main__":
    main()
