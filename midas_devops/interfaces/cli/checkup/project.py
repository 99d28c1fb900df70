"""What the project says of itself: its gates' reports, and its environments."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from midas_devops.domain.counting import number
from midas_devops.errors import MidasError
from midas_devops.interfaces.cli.checkup.check import Check, Place, Status, output


def gates(place: Place) -> Iterator[Check]:
    from midas_devops.config import JUnitGate, SarifGate

    head = output(["git", "-C", str(place.root), "rev-parse", "HEAD"]) if shutil.which("git") else ""
    for name, gate in place.settings.gates.items():
        if not isinstance(gate, JUnitGate | SarifGate):
            continue
        pattern = gate.path.replace("{commit}", head or "{commit}")
        found = [pattern] if Path(pattern).is_absolute() else [str(path) for path in place.root.glob(pattern)]
        if found:
            yield Check(f"gate {name}", "ok", f"{number(len(found), 'report')} at {pattern}")
        else:
            yield Check(
                f"gate {name}",
                "degraded",
                f"no report at {pattern}: releases of this commit are blocked until there is one",
                f"let your {'tests' if isinstance(gate, JUnitGate) else 'scanner'} write it",
            )


def environments(place: Place) -> Iterator[Check]:
    from midas_devops.config import CommandDeploy, EnvironmentKind, GitHubActionsDeploy, LocalDeploy

    deployed = _deployed(place)
    for name, environment in place.settings.environments.items():
        notes: list[str] = [environment.kind]
        fixes: list[str] = []
        status: Status = "ok"
        if environment.kind not in tuple(EnvironmentKind):
            status = "degraded"
            notes = [f"kind '{environment.kind}' is not known: treated as production"]
            fixes.append(f"environments.{name}.kind: development, staging or production")
        infrastructure = environment.infrastructure
        if infrastructure and not (place.root / infrastructure.config).exists():
            status = "failed"
            notes.append(f"its configuration {infrastructure.config} does not exist")
            fixes.append(f"correct environments.{name}.infrastructure.config")
        if isinstance(environment.deploy, LocalDeploy):
            port = environment.deploy.port
            if not _answers(port):
                notes.append(f"port {port} is free")
            elif name in deployed:
                notes.append(f"port {port} serves")
            else:
                status = "degraded" if status == "ok" else status
                notes.append(f"port {port} is held by something that was not deployed from here")
                fixes.append(f"stop it, or change environments.{name}.deploy.port")
        elif isinstance(environment.deploy, GitHubActionsDeploy):
            token = place.settings.tracker.token_env
            if not (place.settings.project.repository and os.environ.get(token)):
                status = "failed"
                notes.append("its workflow cannot be started")
                fixes.append(f"set project.repository in midas.toml, and the variable {token}")
        elif isinstance(environment.deploy, CommandDeploy):
            program = environment.deploy.deploy[0]
            if not (shutil.which(program) or shutil.which(str(place.root / program))):
                status = "failed"
                notes.append(f"its command {program} cannot be run")
                fixes.append(f"make {program} executable, or put it on PATH")
        yield Check(f"environment {name}", status, ", ".join(notes), "; ".join(fixes))


def _deployed(place: Place) -> set[str]:
    """Environments that something of ours was deployed to; empty when the ledger cannot be read."""
    from midas_devops.adapters.sql.reading import open_ledger_for_reading

    with suppress(MidasError):
        reader = open_ledger_for_reading(place.settings.storage.url, place.root)
        return {deployment.environment for deployment in reader.deployments(limit=1000)}
    return set()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
