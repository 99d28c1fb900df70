"""Outputs of an environment's infrastructure, and the workspace its state lies in: without a run."""

from __future__ import annotations

import secrets

from midas_devops.config import Settings
from midas_devops.ports.bundle import Ports, RunEvent
from midas_devops.records import Json


def read_outputs(ports: Ports, environment: str, config: str) -> Json:
    """``outputs`` as text, ``sensitive`` as names. Reads the state, without a lock. Raises ``ToolError``."""
    engine = ports.engine(environment, config)
    report: Json = {
        "environment": environment,
        "config": config,
        "outputs": dict(engine.outputs()),
        "sensitive": list(engine.sensitive_outputs()),
    }
    # A value that is an output in the open and sensitive elsewhere stays hidden, and so does an ``api_key``.
    ports.redactor.learn(engine.sensitive_values(), "sensitive")
    return {**report, "outputs": ports.redactor.json(report["outputs"])}


def make_workspace(ports: Ports, settings: Settings, environment: str, config: str, by: str) -> Json:
    """Make the workspace, under the environment's lease and on record; ``created``: it was not there.

    Raises ``LeaseTakenError`` with the holder, ``ToolError`` where the backend refuses.
    """
    name = f"workspace-{ports.clock():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    facts = {"environment": environment, "config": config}

    def say(line: str) -> None:
        text = ports.redactor.text(line)
        ports.listen(RunEvent(at=ports.clock(), run_id="", node="workspace", kind="progress", text=text))

    ports.leases.hold(
        f"env:{environment}", name, "infra workspace", settings.environment(environment).lock_wait
    )
    try:
        engine = ports.engine(environment, config)
        ports.ledger.audit("", by, "workspace wanted", rule="14", data=facts)
        created = engine.create_workspace(say)
        workspace = engine.state_identity().workspace or "default"
        ports.ledger.audit(
            "",
            by,
            "workspace created" if created else "workspace was there",
            rule="14",
            data={**facts, "workspace": workspace},
        )
    finally:
        ports.leases.release_all(name)
    return {**facts, "workspace": workspace, "created": created}
