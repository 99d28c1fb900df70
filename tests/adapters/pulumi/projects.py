"""A Pulumi project for the tests: on the real ``pulumi`` where it is installed, on a stand-in everywhere."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet

from midas_devops.adapters.artifacts import LocalArtifacts, open_artifacts
from midas_devops.adapters.pulumi.engine import PulumiEngine
from midas_devops.config import Infrastructure
from midas_devops.testing.iac import SECRET
from tests.tools import needs, search_path

STAND_IN = "stand-in"
TYPE = "pulumi-python:dynamic:Resource"
STAND_IN_PROJECT = "name: sample\nruntime: python\n"
PROJECT = f"""name: sample
runtime:
  name: python
  options:
    virtualenv: {sys.prefix}
"""
PROGRAM = """
import json
import os
from pathlib import Path

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

wanted = json.loads(Path(__file__).with_name("wanted.json").read_text())


class Things(ResourceProvider):
    def create(self, props):
        if props["value"] in props["unlucky"]:
            raise Exception("out of luck")
        return CreateResult(id_=os.urandom(6).hex(), outs=props)

    def diff(self, _id, olds, news):
        changed = olds["value"] != news["value"]
        replaces = ["value"] if changed and news["value"].startswith("replace:") else []
        return DiffResult(changes=changed, replaces=replaces, delete_before_replace=False)

    def update(self, _id, olds, news):
        return UpdateResult(outs=news)


before = []
for name, value in wanted["resources"].items():
    options = pulumi.ResourceOptions(
        depends_on=before,
        protect=name in wanted.get("protect", []),
        retain_on_delete=name in wanted.get("retain", []),
    )
    unlucky = [value] if name in wanted.get("failing", []) else []
    before = [Resource(Things(), name, {"value": value, "unlucky": unlucky}, options)]

pulumi.export("names", ",".join(wanted["resources"]))
pulumi.export("token", pulumi.Output.secret(os.environ["SAMPLE_TOKEN"]))
"""


def programs() -> list[ParameterSet]:
    """What the suite runs on. The real one also needs its Python package for the program of the test."""
    without = importlib.util.find_spec("pulumi") is None
    package = pytest.mark.skipif(without, reason="its Python package is not installed: pip install pulumi")
    return [pytest.param(STAND_IN), pytest.param("pulumi", marks=[needs("pulumi"), package])]


class PulumiProject:
    """A git repository with one Pulumi project in ``infra``; its states lie beside the repository."""

    def __init__(self, root: Path, program: str = STAND_IN, **settings: object) -> None:
        self.root = root
        self.folder = root / "infra"
        self.folder.mkdir(parents=True)
        self.states = root.parent / "states"
        self.states.mkdir()
        self.settings = settings
        self.environ = {
            **os.environ,
            "PATH": search_path(),
            "PULUMI_BACKEND_URL": f"file://{self.states}",
            "PULUMI_CONFIG_PASSPHRASE": "a passphrase of the tests",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "SAMPLE_TOKEN": SECRET,
        }
        if program == STAND_IN:
            self.environ["PATH"] = f"{_stand_in(root.parent / 'bin')}{os.pathsep}{self.environ['PATH']}"
        self.artifacts: LocalArtifacts = open_artifacts(".midas/artifacts", root)
        (self.folder / "Pulumi.yaml").write_text(STAND_IN_PROJECT if program == STAND_IN else PROJECT)
        (self.folder / "__main__.py").write_text(PROGRAM)
        self.git("init", "-q")

    def engine(self) -> PulumiEngine:
        settings = Infrastructure.model_validate({"config": "infra", "engine": "pulumi", **self.settings})
        config = Path("infra")
        return PulumiEngine(self.root, "staging", config, settings, self.artifacts, self.environ)

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        command = ["git", *identity, *arguments]
        done = subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def wanted(self, resources: dict[str, str], **more: Any) -> None:
        (self.folder / "wanted.json").write_text(json.dumps({"resources": resources, **more}))

    def world(self) -> dict[str, Any]:
        """What exists, by identifier; with the stand-in only."""
        there: dict[str, Any] = json.loads((self.states / "world.json").read_bytes())
        return there

    def state(self) -> dict[str, Any]:
        """The state as the backend has it; with the stand-in only."""
        file = self.states / ".pulumi" / "stacks" / "sample" / "staging.json"
        latest: dict[str, Any] = json.loads(file.read_bytes())["checkpoint"]["latest"]
        return latest

    @property
    def locks(self) -> Path:
        return self.states / ".pulumi" / "locks" / "organization" / "sample" / "staging"

    # What the conformance suite asks of a subject
    def address(self, name: str) -> str:
        return f"{TYPE}::{name}"

    def want(self, resources: dict[str, str], *, failing: tuple[str, ...] = ()) -> None:
        self.wanted(resources, failing=failing)

    def garble(self) -> None:
        (self.folder / "Pulumi.yaml").write_text("name\n  - [")

    def commit(self) -> str:
        (self.root / ".gitignore").write_text(".midas/\n__pycache__/\n")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "a configuration")
        return self.git("rev-parse", "HEAD")

    @contextmanager
    def locked_by_another(self) -> Iterator[str]:
        self.locks.mkdir(parents=True, exist_ok=True)
        lock = self.locks / f"{uuid.uuid4()}.json"
        since = datetime.now(UTC) - timedelta(minutes=3)
        said = {"pid": 4242, "username": "ana", "hostname": "build-7", "timestamp": since.isoformat()}
        lock.write_text(json.dumps(said))
        yield "ana@build-7"
        lock.unlink()


def _stand_in(folder: Path) -> Path:
    folder.mkdir()
    program = folder / "pulumi"
    script = Path(__file__).with_name("standin.py")
    repository = Path(__file__).parents[3]
    program.write_text(f'#!/bin/sh\nPYTHONPATH={repository} exec {sys.executable} -s -S {script} "$@"\n')
    program.chmod(0o755)
    assert shutil.which("pulumi", path=str(folder))
    return folder
