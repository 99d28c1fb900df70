"""What a repository is, as far as its files say: for a first midas.toml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_SKIPPED = {"node_modules", "modules", "vendor", "dist", "build", "site-packages", "__pycache__", "venv"}
_MOST_FOLDERS = 2000
_MOST_BYTES = 200_000

_KINDS = {
    "development": ("dev", "develop", "development", "sandbox", "local"),
    "staging": ("staging", "stage", "stg", "test", "qa", "uat", "preprod", "preview"),
    "production": ("prod", "production", "prd", "live"),
}
_HEALTH = re.compile(r"""["'](/(?:health|healthz|_health|api/health|ping|status|readyz|livez))["'/]""")
_REMOTE = re.compile(r"github\.com[:/]([\w.-]+)/([\w.-]+?)(?:\.git)?\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Service:
    """How to build and start what the repository holds."""

    language: str
    start: tuple[str, ...]
    found: str
    """The file that says so."""
    build: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """Everything that init writes into midas.toml."""

    name: str
    repository: str = ""
    service: Service | None = None
    health: str = "/"
    infrastructure: dict[str, str] = field(default_factory=dict)
    """Environment → folder of its Terraform configuration."""
    kinds: dict[str, str] = field(default_factory=dict)
    """Environment → kind."""
    tests: str = ""
    """Where tests were found; empty when there are none."""


def detect(root: Path) -> Findings:
    """Read the repository's tree. Runs nothing."""
    folders = list(_folders(root))
    service = _python(root) or _node(root) or _go(root)
    infrastructure, kinds = _infrastructure(root, folders)
    return Findings(
        name=re.sub(r"[^A-Za-z0-9._-]+", "-", root.name).strip("-") or "project",
        repository=_repository(root),
        service=service,
        health=_health_path(folders),
        infrastructure=infrastructure,
        kinds=kinds,
        tests=_tests(root, folders),
    )


def _folders(root: Path) -> Iterator[Path]:
    """Folders of the project, nearest first; without hidden, installed and generated ones."""
    waiting, seen = [root], 0
    while waiting and seen < _MOST_FOLDERS:
        folder = waiting.pop(0)
        seen += 1
        yield folder
        try:
            inner = sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
        except OSError:
            inner = []
        waiting += [path for path in inner if path.name not in _SKIPPED and path.name[0] != "."]


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_MOST_BYTES)
    except OSError:
        return ""


def _python(root: Path) -> Service | None:
    start: tuple[str, ...]
    if (root / "manage.py").is_file():
        start = ("python", "manage.py", "runserver", "--noreload", "127.0.0.1:{port}")
        return Service("Django", start, "manage.py")
    for name in ("app.py", "main.py", "server.py", "wsgi.py", "asgi.py"):
        if not (root / name).is_file():
            continue
        text = _text(root / name)
        module, compiled = name.removesuffix(".py"), ("python", "-m", "compileall", "-q", name)
        if found := re.search(r"^(\w+)\s*=\s*(?:FastAPI|Starlette)\(", text, re.MULTILINE):
            start = ("uvicorn", f"{module}:{found[1]}", "--host", "127.0.0.1", "--port", "{port}")
            return Service("Python", start, name, compiled)
        if re.search(r"^(\w+)\s*=\s*Flask\(", text, re.MULTILINE) and "app.run(" not in text:
            start = ("flask", "--app", module, "run", "--port", "{port}")
            return Service("Python", start, name, compiled)
        return Service("Python", ("python", name), name, compiled)
    return None


def _node(root: Path) -> Service | None:
    try:
        package = json.loads(_text(root / "package.json") or "null")
    except ValueError:
        return None
    if not isinstance(package, dict):
        return None
    scripts = package.get("scripts") or {}
    build: tuple[str, ...] = ()
    if (root / "package-lock.json").is_file():
        build = ("npm", "ci")
    if "start" in scripts:
        return Service("Node.js", ("npm", "start"), "package.json", build)
    entry = package.get("main") or "index.js"
    if isinstance(entry, str) and (root / entry).is_file():
        return Service("Node.js", ("node", entry), "package.json", build)
    return None


def _go(root: Path) -> Service | None:
    if not (root / "go.mod").is_file():
        return None
    if re.search(r"^package main$", _text(root / "main.go"), re.MULTILINE):
        return Service("Go", ("./app",), "go.mod", ("go", "build", "-o", "app", "."))
    commands = sorted(path.parent.name for path in root.glob("cmd/*/main.go"))
    if commands:
        build = ("go", "build", "-o", "app", f"./cmd/{commands[0]}")
        return Service("Go", ("./app",), f"cmd/{commands[0]}/main.go", build)
    return None


def _infrastructure(root: Path, folders: list[Path]) -> tuple[dict[str, str], dict[str, str]]:
    """Root modules of Terraform by environment. A folder whose name says nothing is production (rule 4)."""
    found: dict[str, str] = {}
    kinds: dict[str, str] = {}
    for folder in folders:
        if not any(folder.glob("*.tf")):
            continue
        name, kind = _environment_of(folder.relative_to(root))
        if name not in found:
            found[name] = folder.relative_to(root).as_posix()
            kinds[name] = kind
    return found, kinds


def _environment_of(folder: Path) -> tuple[str, str]:
    for part in reversed(folder.parts):
        for kind, words in _KINDS.items():
            if part.lower() in words:
                return part.lower(), kind
    return "production", "production"


def _tests(root: Path, folders: list[Path]) -> str:
    for folder in folders:
        place = folder.relative_to(root).as_posix()
        if folder.name in ("tests", "test", "__tests__", "spec"):
            return f"{place}/"
        for pattern in ("test_*.py", "*_test.go", "*.test.js", "*.test.ts", "*.spec.ts"):
            if found := next(folder.glob(pattern), None):
                return found.relative_to(root).as_posix()
    return ""


def _health_path(folders: list[Path]) -> str:
    for folder in folders[:200]:
        for pattern in ("*.py", "*.js", "*.ts", "*.go"):
            for file in sorted(folder.glob(pattern))[:50]:
                if found := _HEALTH.search(_text(file)):
                    return found[1]
    return "/"


def _repository(root: Path) -> str:
    found = _REMOTE.search(_text(root / ".git" / "config"))
    return f"{found[1]}/{found[2]}" if found else ""
