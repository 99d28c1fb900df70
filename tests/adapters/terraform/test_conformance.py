"""Every engine passes the one suite: the embedded Terraform, those on PATH, and the fake."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from midas_devops.adapters.artifacts import LocalArtifacts, open_artifacts
from midas_devops.testing.iac import SECRET, IacEngineConformance
from midas_devops.testing.iac_fake import CONFIGURATION, LOCK, FakeIacEngine

from .projects import TerraformProject, engines


class TestTerraformFamily(IacEngineConformance):
    @pytest.fixture(params=engines())
    def subject(self, request: pytest.FixtureRequest, tmp_path: Path) -> TerraformProject:
        return TerraformProject(tmp_path / "project", request.param)


class FakeProject:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "infra"
        self.folder.mkdir(parents=True)
        self.artifacts: LocalArtifacts = open_artifacts(".midas/artifacts", root)
        self._git("init", "-q")

    def engine(self) -> FakeIacEngine:
        return FakeIacEngine(self.root, "infra", self.artifacts)

    def address(self, name: str) -> str:
        return f"thing.{name}"

    def want(self, resources: dict[str, str], *, failing: tuple[str, ...] = ()) -> None:
        wanted = {
            "resources": {self.address(name): value for name, value in resources.items()},
            "outputs": {"names": ",".join(resources)},
            "secrets": [SECRET],
            "failing": [self.address(name) for name in failing],
        }
        (self.folder / CONFIGURATION).write_text(json.dumps(wanted))

    def garble(self) -> None:
        (self.folder / CONFIGURATION).write_text("{")

    def commit(self) -> str:
        self._git("add", "infra/fake.json")
        self._git("commit", "-q", "-m", "a configuration")
        return self._git("rev-parse", "HEAD")

    @contextmanager
    def locked_by_another(self) -> Iterator[str]:
        lock = self.folder / LOCK
        lock.write_text("ana@build-7")
        yield "ana@build-7"
        lock.unlink()

    def _git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        command = ["git", *identity, *arguments]
        done = subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()


class TestFake(IacEngineConformance):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> FakeProject:
        return FakeProject(tmp_path / "project")
