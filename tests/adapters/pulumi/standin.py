"""A stand-in for the ``pulumi`` program, for machines that have none: its commands, files and events.

It is no Pulumi: it runs no program and no provider, but reads what is wanted from ``wanted.json`` and keeps
what exists in ``world.json`` beside the state. What it writes has the form of Pulumi's ``apitype`` (plan,
``DeploymentV3``, ``EngineEvent``, lock file), and it refuses every flag that the real one would not know.

    {"resources": {"a": "1"}, "failing": ["a"], "protect": ["a"], "retain": ["a"], "hold": "a",
     "error": "what the program dies of"}

A resource depends on those before it. A value that begins with ``replace:`` cannot be changed in place.
``hold``: while the file ``world.hold`` is there and nobody interrupts, the update stands still, with it
made and not noted.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import socket
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from tests.adapters.pulumi.standin_engine import (
    SECRET,
    SIGNATURE,
    TYPE,
    Engine,
    StoppedError,
    destroy,
    refresh,
    update,
)

COMMON = {"stack": 1, "non-interactive": 0, "color": 1}
ENGINE = {**COMMON, "event-log": 1, "message": 1}
FLAGS = {
    "version": {},
    "stack init": {**COMMON, "no-select": 0},
    "stack export": {**COMMON, "show-secrets": 0},
    "config": {**COMMON, "show-secrets": 0, "json": 0},
    "preview": {**ENGINE, "save-plan": 1},
    "up": {**ENGINE, "yes": 0, "skip-preview": 0, "plan": 1},
    "destroy": {**ENGINE, "yes": 0, "skip-preview": 0, "preview-only": 0},
    "refresh": {**ENGINE, "yes": 0, "skip-preview": 0, "preview-only": 0},
}


def fail(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(255)


def arguments() -> tuple[str, argparse.Namespace]:
    words = sys.argv[1:]
    count = 2 if words[0] == "stack" else 1
    name, rest = " ".join(words[:count]), words[count:]
    if name not in FLAGS:
        fail(f'unknown command "{name}" for "pulumi"')
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    for flag, values in FLAGS[name].items():
        if flag == "event-log" and os.environ.get("PULUMI_DEBUG_COMMANDS") != "true":
            continue
        parser.add_argument(f"--{flag}", **({} if values else {"action": "store_true"}))
    known, unknown = parser.parse_known_args(rest)
    if unknown:
        fail(f"unknown flag: {unknown[0]}")
    return name, known


class Backend:
    """A folder with the states of stacks, as Pulumi lays it out."""

    def __init__(self, project: str, stack: str) -> None:
        url = os.environ.get("PULUMI_BACKEND_URL", "")
        if not url.startswith(("file://", "standin://")):
            fail("PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions")
        if "PULUMI_CONFIG_PASSPHRASE" not in os.environ:
            fail("passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE")
        base = Path(url.partition("://")[2])
        self.stack = stack
        self.file = base / ".pulumi" / "stacks" / project / f"{stack}.json"
        self.locks = base / ".pulumi" / "locks" / "organization" / project / stack
        self.world_file = base / "world.json"
        self.hold = base / "world.hold"
        self.mine: Path | None = None

    def state(self) -> dict[str, Any]:
        if not self.file.exists():
            fail(f"no stack named '{self.stack}' found")
        return json.loads(self.file.read_bytes())["checkpoint"]["latest"]

    def save(self, deployment: dict[str, Any], *, touch: bool = True) -> None:
        if touch:
            deployment["manifest"]["time"] = datetime.now(UTC).isoformat()
        self.file.parent.mkdir(parents=True, exist_ok=True)
        body = {"version": 3, "checkpoint": {"stack": self.stack, "latest": deployment}}
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(body))
        new.rename(self.file)

    def world(self) -> dict[str, Any]:
        return json.loads(self.world_file.read_bytes()) if self.world_file.exists() else {}

    def set_world(self, world: dict[str, Any]) -> None:
        self.world_file.write_text(json.dumps(world))

    def lock(self) -> None:
        self.locks.mkdir(parents=True, exist_ok=True)
        others = sorted(self.locks.glob("*.json"))
        if others:
            text = f"the stack is currently locked by {len(others)} lock(s). Either wait for the other"
            text += " process(es) to end or delete the lock file with `pulumi cancel`."
            for path in others:
                said = json.loads(path.read_bytes())
                who = f"{said['username']}@{said['hostname']} (pid {said['pid']}) at {said['timestamp']}"
                text += f"\n  file://{path}: created by {who}"
            fail(text)
        self.mine = self.locks / f"{uuid.uuid4()}.json"
        now = datetime.now(UTC).isoformat()
        who = {"pid": os.getpid(), "username": "tester", "hostname": socket.gethostname(), "timestamp": now}
        self.mine.write_text(json.dumps(who))

    def unlock(self) -> None:
        if self.mine is not None:
            self.mine.unlink()


def operate(name: str, backend: Backend, project: str, options: argparse.Namespace) -> None:
    planning = name == "preview" or getattr(options, "preview_only", False)
    if not planning and not options.yes:
        fail("--yes or --skip-preview must be passed in to proceed when running in non-interactive mode")
    backend.state()
    if name != "preview":  # the real one locks for a refresh or a destroy that is only previewed as well
        backend.lock()
    try:
        engine = Engine(backend, project, options, planning=planning)
        if name == "up" and options.plan:
            engine.allowed = json.loads(Path(options.plan).read_bytes()).get("resourcePlans", {})
        ok = True
        try:
            if name in ("preview", "up"):
                update(engine, json.loads(Path("wanted.json").read_bytes()))
            elif name == "destroy":
                destroy(engine)
            else:
                refresh(engine)
        except StoppedError:
            ok = False
            engine.error(engine.root, "update failed")
        engine.summary()
        if name == "preview" and ok and options.save_plan:
            save_plan(engine, Path(options.save_plan))
    finally:
        backend.unlock()
    if not ok:
        fail("update failed")


def save_plan(engine: Engine, path: Path) -> None:
    plans: dict[str, dict[str, Any]] = {}
    wanted = json.loads(Path("wanted.json").read_bytes())["resources"]
    for urn, steps in engine.steps.items():
        name, kind = urn.rsplit("::", 1)[-1], urn.split("::")[2]
        plans[urn] = {"steps": steps, "state": {}, "seed": base64.b64encode(os.urandom(32)).decode()}
        if name in wanted or kind != TYPE:
            plans[urn]["goal"] = {
                "type": kind,
                "name": name,
                "custom": kind != "pulumi:pulumi:Stack",
                "protect": False,
            }
            added = {"adds": {"value": wanted[name]}} if kind == TYPE else {}
            plans[urn]["goal"] |= {"inputDiff": added, "outputDiff": {}}
    plans[engine.root]["goal"]["outputDiff"] = engine.output_diff
    manifest = {"time": datetime.now(UTC).isoformat(), "magic": "stand-in", "version": "v3.204.0"}
    path.write_text(json.dumps({"manifest": manifest, "resourcePlans": plans}))


def export(deployment: dict[str, Any], *, shown: bool) -> None:
    def walk(value: object) -> object:
        if isinstance(value, dict):
            if shown and value.get(SIGNATURE) == SECRET:
                text = base64.b64decode(value["ciphertext"].removeprefix("v1:")).decode()
                return {SIGNATURE: SECRET, "plaintext": text}
            return {key: walk(item) for key, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, list) else value

    print(json.dumps({"version": 3, "deployment": walk(deployment)}, indent=4))


def project_name() -> str:
    """From ``Pulumi.yaml``, which this reads as lines of ``key: value``."""
    text = Path("Pulumi.yaml").read_text()
    settings = dict(line.split(": ", 1) for line in text.splitlines() if line.strip())
    return settings["name"]


def main() -> None:
    name, options = arguments()
    if name == "version":
        print("v3.204.0")
        return
    try:
        project = project_name()
    except (OSError, ValueError, KeyError) as error:
        where = Path.cwd() / "Pulumi.yaml"
        fail(f'could not load project: failed to load Pulumi project located at "{where}": {error}')
    backend = Backend(project, options.stack)
    if name == "stack init":
        if backend.file.exists():
            fail(f"stack '{options.stack}' already exists")
        backend.save({"manifest": {"time": "0001-01-01T00:00:00Z", "magic": "", "version": ""}}, touch=False)
    elif name == "stack export":
        export(backend.state(), shown=options.show_secrets)
    elif name == "config":
        backend.state()
        print(json.dumps({f"{project}:token": {"value": os.environ.get("SAMPLE_TOKEN", ""), "secret": True}}))
    else:
        operate(name, backend, project, options)


if __name__ == "__main__":
    main()
