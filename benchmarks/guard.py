"""The destruction guard on large plans: seconds, and memory as a multiple of the JSON.

Run: ``python benchmarks/run.py guard``. Each size runs in a process of its own, whose peak memory is read.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = (1_000, 10_000, 100_000)
PROFILES = {"all deleted, few attributes": 0, "a quarter each, realistic attributes": 12}
ACTIONS = (["delete"], ["delete", "create"], ["update"], ["create"])


def write_plan(path: Path, size: int, attributes: int) -> None:
    """A plan with ``size`` changes; without extra attributes every one of them is a deletion."""
    values = {f"attribute_{number}": f"value-{number:06d}-{'x' * 24}" for number in range(attributes)}
    with path.open("w") as stream:
        stream.write('{"format_version":"1.2","terraform_version":"1.15.2","planned_values":{},')
        stream.write('"resource_changes":[')
        for number in range(size):
            actions = ACTIONS[number % 4] if attributes else ["delete"]
            body = {"id": f"i-{number:017d}", **values}
            change = {
                "address": f'module.zone["{number % 50}"].aws_instance.web[{number}]',
                "mode": "managed",
                "type": "aws_instance",
                "name": "web",
                "index": number,
                "provider_name": "registry.terraform.io/hashicorp/aws",
                "change": {
                    "actions": actions,
                    "before": body,
                    "after": None if actions == ["delete"] else body,
                    "after_unknown": {},
                    "before_sensitive": {},
                    "after_sensitive": False,
                },
            }
            stream.write(("," if number else "") + json.dumps(change, separators=(",", ":")))
        stream.write("]}")


def peak_bytes() -> int:
    """Most memory that this process ever had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure(path: Path) -> None:
    """Read and judge one plan; print what it took as JSON."""
    from midas_devops.domain.guard import evaluate
    from midas_devops.domain.plan_document import read_plan

    # Both are used once before, so that what the libraries themselves need is not counted.
    empty = read_plan(b'{"format_version":"1.2","planned_values":{},"resource_changes":[]}')
    evaluate(empty.changes, empty.prior_addresses, production=True, protected=(), allow_destroy=False)
    before = peak_bytes()
    began = time.perf_counter()
    document = read_plan(path.read_bytes())
    report = evaluate(
        document.changes,
        document.prior_addresses,
        production=True,
        protected=("aws_db_instance.*", "module.network.*"),
        allow_destroy=False,
    )
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "memory": peak_bytes() - before, "findings": len(report.findings)}))


def main() -> None:
    """Print the table."""
    print(
        f"{'plan':38} {'changes':>8} {'MB':>7} {'findings':>9} {'seconds':>8} {'µs/change':>10} {'memory':>9}"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.json"
        for name, attributes in PROFILES.items():
            for size in SIZES:
                write_plan(path, size, attributes)
                command = [sys.executable, "-m", "benchmarks.guard", str(path)]
                root = Path(__file__).parents[1]
                done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root)
                took = json.loads(done.stdout)
                json_bytes = path.stat().st_size
                each = took["seconds"] / size * 1e6
                times = took["memory"] / json_bytes
                print(
                    f"{name:38} {size:8} {json_bytes / 1e6:7.1f} {took['findings']:9} "
                    f"{took['seconds']:8.3f} {each:10.1f} {times:7.1f} x"
                )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
    else:
        main()
