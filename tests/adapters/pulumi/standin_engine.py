"""What the stand-in for ``pulumi`` does to its things, step by step; see ``standin.py``."""

from __future__ import annotations

import argparse
import base64
import json
import os
import signal
import time
import uuid
from pathlib import Path
from typing import Any

TYPE = "pulumi-python:dynamic:Resource"
SIGNATURE, SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
PLACEHOLDER = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Json = dict[str, Any]


class Engine:
    """Steps of one operation, told to the event log, and carried out unless it only plans."""

    def __init__(self, backend: Any, project: str, options: argparse.Namespace, *, planning: bool) -> None:
        self.backend, self.planning = backend, planning
        self.prefix = f"urn:pulumi:{backend.stack}::{project}::"
        self.root = f"{self.prefix}pulumi:pulumi:Stack::{project}-{backend.stack}"
        self.provider = f"{self.prefix}pulumi:providers:pulumi-python::default"
        self.deployment = backend.state()
        self.log = Path(options.event_log) if options.event_log else None
        self.sequence = 0
        self.counts: dict[str, int] = {}
        self.steps: dict[str, list[str]] = {}
        self.allowed: Json | None = None
        self.cancelled = False
        signal.signal(signal.SIGINT, self._cancel)
        self.emit("preludeEvent", {"config": {}})

    def _cancel(self, *_: object) -> None:
        self.cancelled = True

    def emit(self, kind: str, body: Json) -> None:
        if self.log is not None:
            event = {"sequence": self.sequence, "timestamp": int(time.time()), kind: body}
            with self.log.open("a") as stream:
                stream.write(json.dumps(event) + "\n")
        self.sequence += 1

    def resources(self) -> list[Json]:
        return self.deployment.setdefault("resources", [])

    def find(self, urn: str) -> Json | None:
        return next(
            (item for item in self.resources() if item["urn"] == urn and not item.get("delete")), None
        )

    def metadata(self, op: str, urn: str, old: Json | None, new: Json | None) -> Json:
        return {
            "op": op,
            "urn": urn,
            "type": kind_of(urn),
            "old": old and _shown(old),
            "new": new and _shown(new),
            "detailedDiff": None,
            "logical": op not in ("create-replacement", "delete-replaced"),
            "provider": "",
        }

    def step(self, op: str, urn: str, old: Json | None, new: Json | None, *, done_as: str = "") -> Json:
        if self.allowed is not None:
            expected = self.allowed.get(urn, {}).get("steps") or []
            goal = self.allowed.get(urn, {}).get("goal") or {}
            wanted = (goal.get("inputDiff") or {}).get("adds", {}).get("value")
            other = new is not None and wanted is not None and new["inputs"].get("value") != wanted
            if op not in expected or other:
                self.error(urn, f"{op} is not allowed by the plan: no steps were expected for this resource")
                raise StoppedError
        self.steps.setdefault(urn, []).append(op)
        self.counts[done_as or op] = self.counts.get(done_as or op, 0) + 1
        said = self.metadata(op, urn, old, new)
        self.emit("resourcePreEvent", {"metadata": said, "planning": self.planning})
        print(f"    {op} {urn.rsplit('::', maxsplit=1)[-1]}", flush=True)
        return said

    def done(self, said: dict, **changed: object) -> None:
        self.emit("resOutputsEvent", {"metadata": {**said, **changed}, "planning": self.planning})

    def error(self, urn: str, message: str) -> None:
        said = "\n".join(f"    {line}" for line in f"error: {message}".splitlines())
        print(f"Diagnostics:\n  {kind_of(urn)} ({urn.rsplit('::', maxsplit=1)[-1]}):\n{said}", flush=True)
        body = {"urn": urn, "prefix": "error: ", "message": f"<{{%reset%}}>{message}<{{%reset%}}>\n"}
        self.emit("diagnosticEvent", {**body, "color": "never", "severity": "error"})

    def summary(self) -> None:
        body = {"maybeCorrupt": False, "durationSeconds": 0, "resourceChanges": self.counts}
        self.emit("summaryEvent", {**body, "PolicyPacks": {}, "isPreview": self.planning})


class StoppedError(Exception):
    """The operation ends here; what was said says why."""


def kind_of(urn: str) -> str:
    return urn.split("::")[2]


def _shown(resource: Json) -> Json:
    keys = ("type", "urn", "custom", "delete", "protect", "retainOnDelete")
    shown = {key: resource[key] for key in keys if key in resource}
    outputs = {key: _blinded(value) for key, value in resource.get("outputs", {}).items()}
    return {
        **shown,
        "id": resource.get("id", ""),
        "parent": resource.get("parent", ""),
        "inputs": resource.get("inputs", {}),
        "outputs": outputs,
        "provider": resource.get("provider", ""),
    }


def _blinded(value: object) -> object:
    return "[secret]" if isinstance(value, dict) and value.get(SIGNATURE) == SECRET else value


def _secret(text: str) -> Json:
    return {SIGNATURE: SECRET, "ciphertext": "v1:" + base64.b64encode(json.dumps(text).encode()).decode()}


def update(engine: Engine, wanted: Json) -> None:
    """What ``preview`` plans and ``up`` does."""
    if "error" in wanted:
        engine.error(engine.root, wanted["error"])
        raise StoppedError
    stacked(engine, wanted)
    later: list[tuple[str, Json]] = []
    before = ""
    for name, value in wanted["resources"].items():
        urn = f"{engine.prefix}{TYPE}::{name}"
        old = engine.find(urn)
        new = {
            "urn": urn,
            "custom": True,
            "type": TYPE,
            "id": old["id"] if old else "",
            "inputs": {"value": value},
            "outputs": {"value": value},
            "parent": engine.root,
            "protect": name in wanted.get("protect", ()),
            "retainOnDelete": name in wanted.get("retain", ()),
            "dependencies": [before] if before else [],
            "provider": f"{engine.provider}::{PLACEHOLDER}",
        }
        before = urn
        if old is None:
            change(engine, "create", name, None, new, wanted)
        elif old["inputs"] == new["inputs"]:
            engine.done(engine.step("same", urn, old, new))
            if not engine.planning:
                engine.resources()[engine.resources().index(old)] = new
        elif value.startswith("replace:"):
            if old.get("protect"):
                engine.error(
                    urn, f'unable to replace resource "{urn}"\nas it is currently marked for protection.'
                )
                raise StoppedError
            new["id"] = ""
            later.append((name, old))
            change(engine, "create-replacement", name, old, new, wanted)
            engine.done(engine.step("replace", urn, old, new))
        else:
            change(engine, "update", name, old, new, wanted)
    removals(engine, wanted, later)
    outputs(engine, wanted)


def removals(engine: Engine, wanted: Json, later: list[tuple[str, Json]]) -> None:
    """What was replaced, what earlier updates left, and what is not wanted any more."""
    gone = [item for item in engine.resources() if item["type"] == TYPE and not item.get("delete")]
    names = set(wanted["resources"])
    for name, old in later:
        change(engine, "delete-replaced", name, old, None, wanted)
    for old in [item for item in engine.resources() if item.get("delete")]:
        if old not in [item for _, item in later]:
            change(engine, "delete", old["urn"].rsplit("::", 1)[-1], old, None, wanted)
    for old in reversed(gone):
        name = old["urn"].rsplit("::", 1)[-1]
        if name not in names:
            change(engine, "delete", name, old, None, wanted)


def stacked(engine: Engine, wanted: Json) -> None:
    """The stack itself and the provider."""
    for urn, custom in ((engine.root, False), (engine.provider, True)):
        old = engine.find(urn)
        new = old or {"urn": urn, "custom": custom, "type": kind_of(urn), "inputs": {}, "outputs": {}}
        if custom and not old:
            new["id"] = str(uuid.uuid4())
        if urn == engine.provider and not wanted["resources"] and old is None:
            continue
        engine.done(engine.step("same" if old else "create", urn, old, new))
        if old is None and not engine.planning:
            engine.resources().append(new)
            engine.backend.save(engine.deployment)


def outputs(engine: Engine, wanted: Json) -> None:
    values = {"names": ",".join(wanted["resources"]), "token": _secret(os.environ.get("SAMPLE_TOKEN", ""))}
    root = engine.find(engine.root)
    before = root["outputs"] if root else {}
    adds = {key: value for key, value in values.items() if key not in before}
    updates = {key: value for key, value in values.items() if key in before and before[key] != value}
    engine.output_diff = {key: part for key, part in (("adds", adds), ("updates", updates)) if part}
    if not engine.planning and root is not None:
        root["outputs"] = values
        engine.backend.save(engine.deployment)


def change(engine: Engine, op: str, name: str, old: Json | None, new: Json | None, wanted: Json) -> None:
    """One operation of the provider, with the world and the state changed in the engine's order."""
    if engine.cancelled:
        engine.error(engine.root, "update canceled")
        raise StoppedError
    urn = (new or old)["urn"]
    if op == "delete" and old.get("protect"):
        engine.error(urn, f'resource "{urn}" cannot be deleted\nbecause it is protected.')
        raise StoppedError
    said = engine.step(op, urn, old, new)
    if engine.planning:
        if new is not None and op.startswith("create"):
            said["new"]["outputs"] = {}
        engine.done(said)
        return
    pending = {"create": "creating", "create-replacement": "creating", "update": "updating"}.get(
        op, "deleting"
    )
    engine.deployment["pending_operations"] = [{"resource": new or old, "type": pending}]
    engine.backend.save(engine.deployment)
    if name in wanted.get("failing", ()) and "delete" not in op:
        engine.deployment["pending_operations"] = []
        engine.backend.save(engine.deployment)
        engine.error(urn, f"Exception calling application: out of luck with {name}")
        engine.emit("resOpFailedEvent", {"metadata": said, "status": 0, "steps": 1})
        raise StoppedError
    in_the_world(engine, op, old, new)
    while wanted.get("hold") == name and engine.backend.hold.exists() and not engine.cancelled:
        time.sleep(0.02)
    kept = engine.resources()
    if op in ("delete", "delete-replaced"):
        kept.remove(old)
    elif op == "update":
        kept[kept.index(old)] = new
    else:
        if old is not None:
            old["delete"] = True
        kept.append(new)
    engine.deployment["pending_operations"] = []
    engine.backend.save(engine.deployment)
    engine.done(said)


def in_the_world(engine: Engine, op: str, old: Json | None, new: Json | None) -> None:
    world = engine.backend.world()
    if op in ("delete", "delete-replaced"):
        if not old.get("retainOnDelete"):
            world.pop(old["id"], None)
    else:
        new["id"] = new["id"] or uuid.uuid4().hex[:12]
        world[new["id"]] = new["inputs"]["value"]
        world["creations"] = world.get("creations", 0) + (op != "update")
    engine.backend.set_world(world)


def destroy(engine: Engine) -> None:
    for old in reversed(list(engine.resources())):
        if old["type"] == TYPE:
            change(engine, "delete", old["urn"].rsplit("::", 1)[-1], old, None, {})
            continue
        engine.done(engine.step("delete", old["urn"], old, None))
        if not engine.planning:
            engine.resources().remove(old)
            engine.backend.save(engine.deployment)


def refresh(engine: Engine) -> None:
    world = engine.backend.world()
    for old in engine.resources():
        if old["type"] != TYPE:
            continue
        there = world.get(old["id"])
        result = "delete" if there is None else "same" if there == old["outputs"]["value"] else "update"
        new = None if there is None else {**old, "outputs": {"value": there}}
        said = engine.step("refresh", old["urn"], old, old, done_as=result)
        engine.done(said, op=result, new=new and _shown(new))
