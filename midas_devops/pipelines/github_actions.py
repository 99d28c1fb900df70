"""Render a GitHub Actions workflow."""

from __future__ import annotations

import re
import shlex
from functools import partial

from midas_devops.domain.base import Value
from midas_devops.pipelines.details import ServiceDetails
from midas_devops.pipelines.findings import Component
from midas_devops.pipelines.pins import DEFAULT_PNPM, DEFAULT_PYTHON, DEFAULT_RUNNER, Pin, action
from midas_devops.pipelines.rendering import render
from midas_devops.pipelines.tree import Tree, folder_of, within
from midas_devops.pipelines.wanted import Wanted, report_path

FILE = ".github/workflows/ci.yml"
SAME = (FILE, ".github/workflows/ci.yaml")
"""Files that this one would stand in the way of."""

_REPORTS = "${{ github.workspace }}/reports/${{ github.sha }}"
_MATRIX_VERSION = "${{ matrix.version }}"


class _Step(Value):
    name: str
    run: tuple[str, ...]
    env: dict[str, str] = {}
    always: bool = False


class _Job(Value):
    id: str
    title: str
    folder: str
    language: str
    tool: str
    version: str
    version_file: str
    lock: str
    cache: bool
    package: str
    target: str
    pnpm: str
    matrix: tuple[str, ...]
    steps: tuple[_Step, ...]
    reports: bool
    artifact: str


class _Service(Value):
    name: str
    image: str
    env: dict[str, str]
    ports: tuple[str, ...]
    options: str


class _Deploy(Value):
    id: str
    environment: str
    branch: str
    needs: tuple[str, ...]
    timeout: int
    pass_env: tuple[str, ...]


def render_workflow(wanted: Wanted, tree: Tree) -> str:
    """The text of ``.github/workflows/ci.yml``."""
    details = wanted.details
    jobs = [_job(wanted, component, tree) for component in wanted.components]
    images = [
        {
            "id": "container" + (f"-{number}" if number > 1 else ""),
            "title": f"Container ({path})",
            "command": f"docker build --file {path} {folder_of(path)}",
        }
        for number, path in enumerate(wanted.repository.dockerfiles, start=1)
    ]
    first = [job.id for job in jobs] + [image["id"] for image in images]
    first += ["terraform"] if wanted.repository.terraform else []
    first += ["scan"] if wanted.scans else []
    return render(
        "github/workflow.yml.j2",
        action=partial(action, pins={name: Pin(p.sha, p.version) for name, p in details.pins.items()}),
        branches=details.branches,
        runner=details.runner or DEFAULT_RUNNER,
        timeout=details.timeout_minutes,
        caches=wanted.caches,
        components=jobs,
        services=[_service(name, service) for name, service in wanted.services.items()],
        images=images,
        terraform=wanted.repository.terraform,
        scans=[
            {"name": scan.name, "command": scan.command.replace("{reports}", "reports/$GITHUB_SHA")}
            for scan in wanted.scans
        ],
        deploys=_deploys(wanted, first),
        artifacts=bool(wanted.scans) or any(job.reports for job in jobs),
        merge=wanted.merge,
        deployer_install=wanted.deployer_install,
        deployer_python=DEFAULT_PYTHON,
    )


def _job(wanted: Wanted, component: Component, tree: Tree) -> _Job:
    matrix = component.versions if len(component.versions) > 1 else ()
    version = _MATRIX_VERSION if matrix else next(iter(component.versions), "")
    package = within(component.folder, "package.json")
    manager = tree.read(package) if component.tool == "pnpm" else ""
    reports = component.reports != "none"
    suffix = f"-{_MATRIX_VERSION}" if matrix else ""
    return _Job(
        id=component.name,
        title=f"{component.name} {_MATRIX_VERSION}" if matrix else component.name,
        folder=component.folder,
        language=component.language,
        tool=component.tool,
        version=version,
        version_file=component.version_file,
        lock=component.lock_file,
        # The cache asks the tool where it keeps things, before corepack could bring the right one.
        cache=bool(component.lock_file) and wanted.caches and not component.corepack,
        package=package,
        target=within(component.folder, "target"),
        pnpm="" if re.search(r'"packageManager"\s*:\s*"pnpm@', manager) else DEFAULT_PNPM,
        matrix=matrix,
        steps=_steps(wanted, component, _MATRIX_VERSION if matrix else ""),
        reports=reports,
        artifact=f"reports-{component.name}{suffix}",
    )


def _steps(wanted: Wanted, component: Component, version: str) -> tuple[_Step, ...]:
    steps = []
    if component.language == "rust":
        asked = next(iter(component.versions), "stable")
        install = f"rustup toolchain install {asked} --profile minimal --component clippy --component rustfmt"
        steps.append(_Step(name="Set up Rust", run=(install, f"rustup default {asked}")))
    for name, commands in (
        ("Install", component.install),
        ("Lint", component.lint),
        ("Build", component.build),
    ):
        if commands:
            steps.append(_Step(name=name, run=commands))
    if component.test:
        steps.append(_test(wanted, component, version))
    if component.collect:
        into = f"{_REPORTS}/junit"
        commands = tuple(
            line.replace("{folder}", "$JUNIT_FOLDER").replace("{name}", component.name)
            for line in component.collect
        )
        steps.append(
            _Step(
                name="Collect the test results",
                run=('mkdir -p "$JUNIT_FOLDER"', *commands),
                env={"JUNIT_FOLDER": into},
                always=True,
            )
        )
    return tuple(steps)


def _test(wanted: Wanted, component: Component, version: str) -> _Step:
    if component.reports != "file":
        return _Step(name="Test", run=component.test)
    path = f"{_REPORTS}/{report_path(wanted, component, version)}"
    commands = tuple(line.replace("{junit}", "$JUNIT") for line in component.test)
    return _Step(name="Test", run=('mkdir -p "$(dirname "$JUNIT")"', *commands), env={"JUNIT": path})


def _service(name: str, service: ServiceDetails) -> _Service:
    options = ""
    if service.health_command:
        options = (
            f"--health-cmd {shlex.quote(service.health_command)}"
            " --health-interval 5s --health-timeout 5s --health-retries 20"
        )
    return _Service(
        name=name,
        image=service.image,
        env=service.env | dict.fromkeys(service.throwaway, "throwaway"),
        ports=tuple(str(port) if ":" in str(port) else f"{port}:{port}" for port in service.ports),
        options=options,
    )


def _deploys(wanted: Wanted, first: list[str]) -> list[_Deploy]:
    """One job per environment, each after everything that builds and after the environment before it."""
    found: list[_Deploy] = []
    for environment in wanted.environments:
        earlier = [deploy.id for deploy in found if deploy.branch == environment.branch]
        found.append(
            _Deploy(
                id=f"deploy-{environment.name}",
                environment=environment.name,
                branch=environment.branch or "",
                needs=(*first, *earlier[-1:]),
                timeout=max(30, wanted.details.timeout_minutes),
                pass_env=environment.pass_env,
            )
        )
    return found
