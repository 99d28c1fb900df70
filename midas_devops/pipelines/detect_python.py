"""Python: pip, uv and poetry."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from midas_devops.pipelines.findings import Component, Detected, Finding, Tool
from midas_devops.pipelines.pins import DEFAULT_PYTHON, TOOLS
from midas_devops.pipelines.tree import Tree, below, within

MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt")
_TEST_FILE = re.compile(r"(^|/)(test_[^/]*|[^/]*_test)\.py$")
_LOWEST = re.compile(r"(?:>=|==|~=|\^|~)\s*(\d+\.\d+)")
_VERSION = re.compile(r"\d+\.\d+(\.\d+)?")
_REQUIREMENTS = ("requirements.txt", "requirements-dev.txt", "requirements-test.txt", "dev-requirements.txt")
_EXTRAS = ("dev", "test", "tests", "testing")


def detect_python(tree: Tree, folder: str, inside: tuple[str, ...]) -> Detected | None:
    """``inside``: the paths that belong to this component."""
    manifest = next((within(folder, m) for m in MANIFESTS if within(folder, m) in inside), "")
    manifest = manifest or next((path for path in inside if _TEST_FILE.search(path)), "")
    if not manifest:
        return None
    reader = _Reader(tree, folder, inside)
    tool, tool_file = reader.tool(manifest)
    version, version_source = reader.version()
    findings = [Finding(what="python", value=tool, file=tool_file)]
    if version_source:
        findings.append(Finding(what="python version", value=version, file=version_source))
    run = {"uv": "uv run --locked ", "poetry": "poetry run "}.get(tool, "python -m ")
    if tool == "uv" and not reader.has("uv.lock"):
        run = "uv run "
    lint, lint_needs, lint_findings = reader.linters(run, bare=tool == "pip")
    test, test_findings = reader.tests(run)
    notes = () if test else (f"{manifest}: no Python tests were found, so none run",)
    needs = [*lint_needs, *(("pytest",) if test else ())]
    return Detected(
        component=Component(
            name="python",
            folder=folder,
            language="python",
            tool=tool,
            versions=(version,),
            lock_file=reader.lock(tool, manifest),
            install=reader.install(tool, needs),
            lint=lint,
            build=(),
            test=test,
            reports="file" if test else "none",
        ),
        findings=(*findings, *lint_findings, *test_findings),
        notes=notes,
    )


class _Reader:
    def __init__(self, tree: Tree, folder: str, inside: tuple[str, ...]) -> None:
        self._tree = tree
        self._folder = folder
        self._inside = inside
        self._project = _toml(tree.read(within(folder, "pyproject.toml")))
        self._tools: dict[str, Any] = self._project["tool"]

    def has(self, name: str) -> bool:
        return self._at(name) in self._inside

    def _at(self, name: str) -> str:
        return within(self._folder, name)

    def tool(self, manifest: str) -> tuple[Tool, str]:
        if self.has("uv.lock"):
            return "uv", self._at("uv.lock")
        if self.has("poetry.lock"):
            return "poetry", self._at("poetry.lock")
        if "poetry" in self._tools:
            return "poetry", self._at("pyproject.toml")
        if "uv" in self._tools:
            return "uv", self._at("pyproject.toml")
        return "pip", manifest

    def version(self) -> tuple[str, str]:
        pinned = self._tree.read(self._at(".python-version")).strip()
        if self.has(".python-version") and _VERSION.fullmatch(pinned):
            return pinned, self._at(".python-version")
        poetry = _table(_table(self._tools.get("poetry")).get("dependencies"))
        for asked in (self._project["project"].get("requires-python"), poetry.get("python")):
            lowest = _LOWEST.search(asked) if isinstance(asked, str) else None
            if lowest:
                return lowest.group(1), self._at("pyproject.toml")
        return DEFAULT_PYTHON, ""

    def lock(self, tool: Tool, manifest: str) -> str:
        named = {"uv": "uv.lock", "poetry": "poetry.lock"}.get(tool, "")
        if named and self.has(named):
            return self._at(named)
        return manifest if manifest.endswith(MANIFESTS) else ""

    def tests(self, run: str) -> tuple[tuple[str, ...], list[Finding]]:
        configured = next((self._at(n) for n in ("pytest.ini", "conftest.py") if self.has(n)), "")
        if not configured and "pytest" in self._tools:
            configured = self._at("pyproject.toml")
        files = [path for path in self._inside if _TEST_FILE.search(path)]
        shown = configured or (files[0] if files else "")
        if not files:
            return (), []
        return (f'{run}pytest --junitxml="{{junit}}"',), [Finding(what="tests", value="pytest", file=shown)]

    def linters(self, run: str, *, bare: bool) -> tuple[tuple[str, ...], list[str], list[Finding]]:
        """``bare``: the linter is installed by us; otherwise it must be among the locked dependencies."""
        known = self._dependencies()
        commands, needs, findings = [], [], []
        for name, files, arguments in (
            ("ruff", ("ruff.toml", ".ruff.toml"), "ruff check ."),
            ("flake8", (".flake8",), "flake8"),
            ("mypy", ("mypy.ini",), "mypy ."),
        ):
            where = next((self._at(file) for file in files if self.has(file)), "")
            if not where and name in self._tools:
                where = self._at("pyproject.toml")
            if not where or (name not in known and (not bare or name == "mypy")):
                continue
            commands.append(run + arguments)
            needs.append(name)
            findings.append(Finding(what="lint", value=name, file=where))
        return tuple(commands), needs, findings

    def install(self, tool: Tool, needs: list[str]) -> tuple[str, ...]:
        extra = self._extra()
        if tool == "uv":
            locked = " --locked" if self.has("uv.lock") else ""
            every = " --all-packages" if workspace_members(self._tree, self._folder) else ""
            command = f"uv sync{locked}{every}" + (f" --extra {extra}" if extra else "")
            missing = [name for name in needs if name not in self._dependencies()]
            return (command, *((f"uv pip install {' '.join(missing)}",) if missing else ()))
        if tool == "poetry":
            missing = [name for name in needs if name not in self._dependencies()]
            command = "poetry install --no-interaction" + (f" --extras {extra}" if extra else "")
            added = (f"poetry run python -m pip install {' '.join(missing)}",) if missing else ()
            return (f"python -m pip install poetry=={TOOLS['poetry']}", command, *added)
        files = [name for name in _REQUIREMENTS if self.has(name)]
        commands = [f"python -m pip install -r {name}" for name in files]
        if self.has("setup.py") or "build-system" in self._project or self._project["project"]:
            commands.append(
                f"python -m pip install -e '.[{extra}]'" if extra else "python -m pip install -e ."
            )
        missing = [name for name in needs if name not in self._dependencies()]
        if missing:
            commands.append(f"python -m pip install {' '.join(missing)}")
        return tuple(commands)

    def _extra(self) -> str:
        offered = _table(self._project["project"].get("optional-dependencies"))
        return next((name for name in _EXTRAS if name in offered), "")

    def _dependencies(self) -> set[str]:
        project = self._project["project"]
        lines = _lines(project.get("dependencies"))
        lines += _lines(_table(project.get("optional-dependencies")).get(self._extra()))
        lines += _lines(_table(self._project.get("dependency-groups")).get("dev"))
        lines += _lines(_table(self._tools.get("uv")).get("dev-dependencies"))
        for file in _REQUIREMENTS:
            if self.has(file):
                lines += self._tree.read(self._at(file)).splitlines()
        poetry = _table(self._tools.get("poetry"))
        named = {*_table(poetry.get("dependencies")), *_table(poetry.get("dev-dependencies"))}
        for group in _table(poetry.get("group")).values():
            named |= set(_table(_table(group).get("dependencies")))
        named |= {re.split(r"[^A-Za-z0-9._-]", line.strip(), maxsplit=1)[0] for line in lines}
        return {name.lower() for name in named if name}


def python_tests(paths: tuple[str, ...]) -> bool:
    """Whether there are tests that pytest would find: enough to build on without any manifest."""
    return any(_TEST_FILE.search(path) for path in paths)


def workspace_members(tree: Tree, folder: str) -> bool:
    """Whether this pyproject.toml is the root of a uv workspace: its members are tested with it."""
    return "workspace" in _table(_toml(tree.read(within(folder, "pyproject.toml")))["tool"].get("uv"))


def python_files(inside: tuple[str, ...], folder: str) -> bool:
    """Whether there is any Python in the folder at all."""
    return any(path.endswith(".py") and below(folder, path) for path in inside)


def _toml(text: str) -> dict[str, Any]:
    """The file, always with the tables ``project`` and ``tool``. A broken manifest says nothing."""
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        read = {}
    return read | {"project": _table(read.get("project")), "tool": _table(read.get("tool"))}


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _lines(value: object) -> list[str]:
    return [line for line in value if isinstance(line, str)] if isinstance(value, list) else []
