"""What changed outside of us: a look at an environment's infrastructure that changes nothing."""

from __future__ import annotations

import secrets

from midas_devops.config import Settings
from midas_devops.errors import StateLockedError, ToolError
from midas_devops.ports.bundle import Ports, RunEvent
from midas_devops.ports.iac import IacFailure
from midas_devops.records import Json


def look_for_drift(ports: Ports, settings: Settings, environment: str, config: str) -> Json:
    """``environment``, ``config``, ``drifted`` and ``changes``, each with address, actions and attributes.

    The environment's lease is held meanwhile: the engine takes the state lock to look, and a run that met
    it half-way would have used its approval up for nothing. Raises ``LeaseTakenError`` and
    ``StateLockedError`` with the holder, ``ToolError`` where the engine could not tell.
    """
    name = f"drift-{ports.clock():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"

    def say(line: str) -> None:
        text = ports.redactor.text(line)
        ports.listen(RunEvent(at=ports.clock(), run_id="", node="drift", kind="progress", text=text))

    ports.leases.hold(f"env:{environment}", name, "infra drift", settings.environment(environment).lock_wait)
    try:
        engine = ports.engine(environment, config)
        say(f"comparing {config} with {engine.describe}")
        result = engine.drift(say)
        ports.redactor.learn(engine.sensitive_values(), "sensitive")
    finally:
        ports.leases.release_all(name)
    if result.failure is not None:
        raise _error(ports, config, result.failure)
    report: Json = {
        "drifted": result.drifted,
        "changes": [change.model_dump(mode="json") for change in result.changes],
        "environment": environment,
        "config": config,
        "engine": result.engine,
    }
    redacted: Json = ports.redactor.json(report)
    return redacted


def _error(ports: Ports, config: str, failure: IacFailure) -> BaseException:
    redact = ports.redactor.text
    if failure.code == "cancelled":
        return KeyboardInterrupt()  # the engine took the signal that was meant for us
    if failure.code == "state_locked":
        holder = redact(failure.lock_holder or failure.message)
        return StateLockedError(
            f"looked for drift in {config}: its state is locked by {holder}",
            hint="Nothing was done. Wait for its holder; a lock that is not ours is never broken.",
            location=config,
        )
    first = next(iter(failure.diagnostics), None)
    where = f"{first.file}:{first.line}" if first and first.file else config
    detail = f": {first.detail.strip()}" if first and first.detail.strip() else ""
    return ToolError(
        redact(f"looked for drift in {config}: {failure.message}{detail}"),
        hint="Nothing was changed. Correct what the engine complains about, and look again.",
        location=where,
    )
