"""What a repository is, from its tree alone. Nothing is run, nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Callable

from midas_devops.pipelines.detect_node import detect_node, read_package
from midas_devops.pipelines.detect_others import cargo_workspace, detect_go, detect_java, detect_rust
from midas_devops.pipelines.detect_python import (
    MANIFESTS,
    detect_python,
    python_files,
    python_tests,
    workspace_members,
)
from midas_devops.pipelines.findings import Component, Detected, Finding, Repository
from midas_devops.pipelines.services import Composed
from midas_devops.pipelines.tree import Tree, among_tests, below, folder_of, interesting, within, writable

Rules = Callable[[Tree, str, tuple[str, ...]], Detected | None]

_LANGUAGES: tuple[tuple[str, tuple[str, ...], Rules], ...] = (
    ("python", MANIFESTS, detect_python),
    ("node", ("package.json",), detect_node),
    ("go", ("go.mod",), detect_go),
    ("rust", ("Cargo.toml",), detect_rust),
    ("java", ("pom.xml", "build.gradle", "build.gradle.kts"), detect_java),
)
_DOCKERFILE = re.compile(r"(^|/)(Dockerfile|Containerfile)$")
_ROOT_MODULE = re.compile(r'^\s*(?:terraform\s*\{|provider\s+")', re.MULTILINE)


def detect(tree: Tree) -> Repository:
    """Every component, container and Terraform configuration of a repository."""
    paths = interesting(tree.paths())
    found: list[Detected] = []
    notes: list[str] = []
    for language, manifests, rules in _LANGUAGES:
        folders = _folders(tree, paths, language, manifests)
        for folder in folders:
            if not writable(folder):
                notes.append(f"{folder}: left out, its name cannot stand in a pipeline")
                continue
            others = [other for other in folders if other != folder and below(folder, other)]
            inside = tuple(
                path for path in paths if below(folder, path) and not any(below(o, path) for o in others)
            )
            if detected := rules(tree, folder, inside):
                found.append(detected)
    dockerfiles = tuple(
        path for path in paths if _DOCKERFILE.search(path) and writable(path) and not among_tests(path)
    )
    terraform, terraform_findings = _terraform(tree, paths)
    findings = [finding for detected in found for finding in detected.findings]
    findings += [Finding(what="container", value="docker build", file=path) for path in dockerfiles]
    composed = Composed(tree, paths)
    findings += [*terraform_findings, *composed.findings]
    return Repository(
        components=_named(found),
        dockerfiles=dockerfiles,
        terraform=terraform,
        services=composed.services,
        findings=tuple(findings),
        notes=(*notes, *(note for detected in found for note in detected.notes), *composed.notes),
    )


def _folders(tree: Tree, paths: tuple[str, ...], language: str, manifests: tuple[str, ...]) -> list[str]:
    """Folders with a manifest, without the members of a workspace: those are built from its root."""
    names = tuple(f"/{name}" for name in manifests)
    found = (path for path in paths if f"/{path}".endswith(names) and not among_tests(path))
    folders = sorted({folder_of(path) for path in found})
    if language == "python":
        folders = [folder for folder in folders if python_files(paths, folder)]
        folders = folders or (["."] if python_tests(paths) else [])
    roots = [folder for folder in folders if _is_workspace(tree, paths, language, folder)]
    return [folder for folder in folders if not any(root != folder and below(root, folder) for root in roots)]


def _is_workspace(tree: Tree, paths: tuple[str, ...], language: str, folder: str) -> bool:
    if language == "python":
        return workspace_members(tree, folder)
    if language == "node":
        return "workspaces" in read_package(tree, folder) or within(folder, "pnpm-workspace.yaml") in paths
    if language == "rust":
        return cargo_workspace(tree, folder)
    if language == "java":
        settings = (within(folder, name) in paths for name in ("settings.gradle", "settings.gradle.kts"))
        return "<modules>" in tree.read(within(folder, "pom.xml")) or any(settings)
    return False


def _named(found: list[Detected]) -> tuple[Component, ...]:
    """Components with names that are unique and say where they are."""
    components: list[Component] = []
    taken: set[str] = {"scan", "container", "terraform"}
    for detected in found:
        component = detected.component
        place = re.sub(r"[^a-z0-9]+", "-", component.folder.lower()).strip("-")
        name = component.language if component.folder == "." else place
        if not name or not name[0].isalpha() or name in taken or name.startswith("deploy-"):
            name = f"{component.language}-{place}".strip("-")
        number = 2
        unique = name
        while unique in taken:
            unique, number = f"{name}-{number}", number + 1
        taken.add(unique)
        components.append(component.model_copy(update={"name": unique}))
    return tuple(components)


def _terraform(tree: Tree, paths: tuple[str, ...]) -> tuple[tuple[str, ...], list[Finding]]:
    """Root modules: folders that configure Terraform or a provider; they bring plain modules with them."""
    found: dict[str, str] = {}
    for path in paths:
        folder = folder_of(path)
        if not path.endswith(".tf") or folder in found or among_tests(path) or not writable(folder):
            continue
        if "modules" not in folder.split("/") and _ROOT_MODULE.search(tree.read(path)):
            found[folder] = path
    if not found:
        # A configuration of built-in resources alone names no provider.
        plain = [p for p in paths if p.endswith("main.tf") and "modules" not in folder_of(p).split("/")]
        found = {folder_of(path): path for path in plain if writable(folder_of(path))}
    return tuple(found), [Finding(what="terraform", value=f, file=p) for f, p in found.items()]
