"""Drive an agent in a process of its own, and die on the spot at a chosen moment.

``python driver.py PROJECT MOMENT METHOD ARGUMENT…``: the process kills itself (SIGKILL) the first time it
reaches the moment. Moments name calls of the ledger and of the effect ports: ``before:complete`` dies when
``ledger.complete`` is about to be called, ``after:deploy`` right after ``deployer.deploy`` came back.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from midas_devops import DevOpsAgent
from midas_devops.adapters.local.deployer import LocalDeployer
from midas_devops.adapters.sql import ledger as sql
from midas_devops.adapters.terraform.engine import TerraformEngine

WATCHED: dict[str, Any] = {
    "begin": sql.SqlLedger,
    "complete": sql.SqlLedger,
    "consume_approvals": sql.SqlLedger,
    "set_verified": sql.SqlLedger,
    "finish_deployment": sql.SqlLedger,
    "block_version": sql.SqlLedger,
    "deploy": LocalDeployer,
    "rollback": LocalDeployer,
    "apply": TerraformEngine,
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(moment: str) -> None:
    """Make the watched call fatal, before or after it."""
    when, name = moment.split(":")
    owner = WATCHED[name]
    original: Callable[..., Any] = getattr(owner, name)

    def fatal(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            die()
        result = original(*args, **kwargs)
        die()
        return result

    setattr(owner, name, fatal)


def main() -> None:
    root, moment, method, *arguments = sys.argv[1:]
    if moment != "never":
        arm(moment)
    with DevOpsAgent.from_project(root) as agent:
        if method == "approve":
            run = agent.run(arguments[0])
            run.approve(arguments[1], by="ana", reason="yes")
        else:
            named = dict(word.split("=", 1) for word in arguments if "=" in word)
            plain = [word for word in arguments if "=" not in word]
            run = getattr(agent, method)(*plain, **named, requested_by="ben")
        sys.stdout.write(f"{run.id} {run.status}\n")


if __name__ == "__main__":
    main()
