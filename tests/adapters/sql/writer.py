"""One of several processes that write runs, audit and checkpoints at the same time. Run by test_locks.py.

Arguments: URL, root, number of the process, rounds. Says ``ready``, and begins when a line comes.
Processes of an even number keep everything open for all rounds; the others come and go. Whoever goes last
checkpoints and removes the log: without its locks, a process that stays would be taken for gone.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint

from midas_devops.adapters.checkpoints import open_checkpointer
from midas_devops.adapters.sql.ledger import open_ledger
from midas_devops.testing.ledger_values import run_row


def write(url: str, root: Path, run_ids: list[str]) -> None:
    """Some runs, on one ledger and one checkpointer, opened in the agent's order."""
    with closing(open_ledger(url, root)) as ledger, open_checkpointer(url, root) as saver:
        for run_id in run_ids:
            ledger.open_run(run_row(run_id))
            for step in range(3):
                ledger.audit(run_id, "ana", f"step {step}", data={"text": "x" * 2000})
                config: RunnableConfig = {"configurable": {"thread_id": run_id, "checkpoint_ns": ""}}
                saver.put(config, empty_checkpoint(), {"step": step}, {})
            ledger.save_run(run_id, "succeeded", {"text": "x" * 2000}, ended=True)


def main() -> None:
    url, root, number, rounds = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    run_ids = [f"run-{number}-{count}" for count in range(rounds)]
    print("ready", flush=True)
    sys.stdin.readline()
    for together in [run_ids] if number % 2 == 0 else [[run_id] for run_id in run_ids]:
        write(url, root, together)


if __name__ == "__main__":
    main()
