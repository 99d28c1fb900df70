"""All benchmarks, or the ones named: ``python benchmarks/run.py startup guard``."""

from __future__ import annotations

import importlib
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

NAMES = (
    "startup",
    "infrastructure",
    "checkpoints",
    "guard",
    "condense",
    "diagnose",
    "retrieval",
    "retrieval_pairs",
)


def main() -> None:
    wanted = sys.argv[1:] or list(NAMES)
    print(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in wanted:
        if name not in NAMES:
            raise SystemExit(f"no benchmark '{name}'; there are {', '.join(NAMES)}")
        # A benchmark that takes options reads them when it is called by itself.
        sys.argv = [name]
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
