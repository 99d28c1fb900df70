"""Nobody sees a pipeline that its validators refuse."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from midas_devops.errors import MissingExtraError, ToolError
from midas_devops.pipelines import groovy
from midas_devops.pipelines.details import Platform

TIMEOUT_SECONDS = 120
EXTRA = "pipelines"
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV", "PYTHONPATH")


def validate(platform: Platform, path: str, text: str) -> tuple[str, ...]:
    """Which validators passed, and which were not there. Raises ``ToolError``, ``MissingExtraError``."""
    if platform == "jenkins":
        return (_validate_jenkinsfile(path, text),)
    checker, zizmor = required_validators()
    with tempfile.TemporaryDirectory(prefix="midas-pipeline-") as folder:
        file = Path(folder) / ".github" / "workflows" / Path(path).name
        file.parent.mkdir(parents=True)
        file.write_text(text, encoding="utf-8")
        _refuse(path, "the GitHub workflow schema", schema_problems(checker, file))
        _refuse(path, "zizmor", security_problems(zizmor, file))
        actionlint = shutil.which("actionlint")
        if actionlint:
            _refuse(path, "actionlint", lint_problems(actionlint, file))
    passed = f"{path}: passes the GitHub workflow schema and zizmor (no finding at medium or above)"
    return (
        f"{passed}, and actionlint"
        if actionlint
        else f"{passed}; actionlint is not on PATH and did not look",
    )


def _validate_jenkinsfile(path: str, text: str) -> str:
    _refuse(path, "the structural check", groovy.problems(text))
    said = f"{path}: has the blocks and sections of a declarative pipeline"
    linter = shutil.which("npm-groovy-lint")
    if linter:
        with tempfile.TemporaryDirectory(prefix="midas-pipeline-") as folder:
            file = Path(folder) / "Jenkinsfile"
            file.write_text(text, encoding="utf-8")
            _refuse(path, "npm-groovy-lint", groovy_lint_problems(linter, file))
        return f"{said} and passes npm-groovy-lint (no error)"
    if importlib.util.find_spec("groovy_parser") is None:
        return (
            f"{said}; no Groovy parser is installed, so its Groovy was not parsed"
            f" (pip install 'midas-devops[{EXTRA}]')"
        )
    _refuse(path, "the Groovy parser", groovy_problems(text))
    return f"{said} and parses as Groovy 3"


def security_problems(zizmor: str, *files: Path) -> list[str]:
    """zizmor's findings of severity medium and above."""
    ended = _run(
        [
            zizmor,
            *("--offline", "--no-config", "--no-progress", "--no-exit-codes", "--quiet"),
            *("--min-severity", "medium", "--format", "json", *map(str, files)),
        ]
    )
    if ended.returncode != 0:
        return [f"it could not read the file: {_last(ended.stderr)}"]
    return [
        f"{finding['ident']} ({finding['determinations']['severity']}): {finding['desc']}{_place(finding)}"
        for finding in json.loads(ended.stdout or "[]")
    ]


def schema_problems(command: list[str], *files: Path) -> list[str]:
    """Where a workflow leaves GitHub's schema."""
    ended = _run(
        [
            *command,
            *("--builtin-schema", "vendor.github-workflows", "--output-format", "json"),
            *map(str, files),
        ]
    )
    try:
        said: dict[str, Any] = json.loads(ended.stdout)
    except ValueError:
        return [_last(ended.stderr) or "it printed nothing"]
    found = [f"{error.get('path', '')}: {error.get('message', '')}" for error in said.get("errors", [])]
    found += [str(error.get("message", "it cannot be parsed")) for error in said.get("parse_errors", [])]
    return found or ([] if ended.returncode == 0 else [str(said.get("message", "refused"))])


def validators_missing() -> list[str]:
    """Names of the required validators that are not installed."""
    found = importlib.util.find_spec("check_jsonschema")
    return [name for name, there in (("check-jsonschema", found), ("zizmor", _zizmor())) if not there]


@lru_cache(maxsize=64)
def groovy_problems(text: str) -> list[str]:
    """Where a text leaves the grammar of Groovy 3. Takes seconds, so the answer is kept."""
    from groovy_parser.parser import parse_groovy_content
    from lark.exceptions import LarkError

    try:
        parse_groovy_content(text)
    except LarkError as refused:
        return [" ".join(str(refused).split())[:200]]
    return []


def required_validators() -> tuple[list[str], str]:
    """How check-jsonschema and zizmor are called. Raises ``MissingExtraError`` when one is not installed."""
    zizmor = _zizmor()
    if validators_missing() or not zizmor:
        raise MissingExtraError("checking a pipeline before it is proposed", EXTRA)
    return [sys.executable, "-m", "check_jsonschema"], zizmor


def _zizmor() -> str:
    """The program of our own installation first."""
    return shutil.which("zizmor", path=sysconfig.get_path("scripts")) or shutil.which("zizmor") or ""


def groovy_lint_problems(linter: str, *files: Path) -> list[str]:
    """What npm-groovy-lint calls an error, by Groovy's own parser and CodeNarc; style is no error.

    Without a server of its own that would outlive the call, and without a network.
    """
    ended = _run([linter, *("--noserver", "--failon", "error", "--output", "json"), *map(str, files)])
    try:
        said: dict[str, Any] = json.loads(ended.stdout[ended.stdout.index("{") :])
    except ValueError:
        return [f"it could not read the file: {_last(ended.stderr or ended.stdout)}"]
    return [
        f"line {found.get('line')}: {' '.join(str(found.get('msg', '')).split())[:200]}"
        for file in said.get("files", {}).values()
        for found in file.get("errors", ())
        if found.get("severity") == "error"
    ]


def lint_problems(actionlint: str, *files: Path) -> list[str]:
    """actionlint's findings, each with its line."""
    ended = _run(
        [
            actionlint,
            *("-no-color", "-oneline", "-shellcheck=", "-pyflakes="),
            # Only the owner of a self-hosted runner knows its labels.
            *("-ignore", 'label ".+" is unknown'),
            *map(str, files),
        ]
    )
    lines = [re.sub(r"^.*?\.ya?ml:", "", line) for line in ended.stdout.splitlines() if line.strip()]
    return lines or ([] if ended.returncode == 0 else [_last(ended.stderr)])


def _run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        return subprocess.run(
            arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise ToolError(
            f"could not check the pipeline with {Path(arguments[0]).name}: {type(failed).__name__}",
            hint="Nothing was proposed. Does the program run by itself?",
        ) from failed


def _refuse(path: str, validator: str, found: list[str]) -> None:
    if found:
        raise ToolError(
            f"the rendered {path} does not pass {validator}: {'; '.join(found[:5])}",
            hint="Nothing was proposed. Look at config_details; if it is right, this is a mistake of ours.",
            location=path,
        )


def _place(finding: dict[str, Any]) -> str:
    try:
        row = finding["locations"][0]["concrete"]["location"]["start_point"]["row"]
    except (KeyError, IndexError):
        return ""
    return f" in line {row + 1}"


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""
