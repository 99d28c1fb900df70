"""Render a declarative Jenkinsfile."""

from __future__ import annotations

from midas_devops.domain.base import Value
from midas_devops.pipelines.findings import Component
from midas_devops.pipelines.rendering import render
from midas_devops.pipelines.tree import folder_of
from midas_devops.pipelines.wanted import Wanted, report_path

FILE = "Jenkinsfile"


class _Step(Value):
    name: str
    run: tuple[str, ...]


class _Part(Value):
    name: str
    folder: str
    steps: tuple[_Step, ...]
    collect: tuple[str, ...]


def render_jenkinsfile(wanted: Wanted) -> str:
    """The text of a ``Jenkinsfile``."""
    details = wanted.details
    return render(
        "jenkins/Jenkinsfile.j2",
        runner=details.runner,
        timeout=details.timeout_minutes,
        components=[_part(wanted, component) for component in wanted.components],
        images=[
            {"title": f"container {path}", "command": f"docker build --file {path} {folder_of(path)}"}
            for path in wanted.repository.dockerfiles
        ],
        terraform=wanted.repository.terraform,
        scans=[
            {"name": scan.name, "command": scan.command.replace("{reports}", "$REPORTS")}
            for scan in wanted.scans
        ],
        deploys=wanted.environments,
        reports=any(component.reports != "none" for component in wanted.components),
        merge=wanted.merge,
        deployer_install=wanted.deployer_install,
    )


def _venv(name: str) -> tuple[str, ...]:
    """Outside of the workspace, where no linter or scanner of it looks."""
    place = f"$WORKSPACE_TMP/{name}"
    return f'python3 -m venv "{place}"', f'. "{place}/bin/activate"'


def _part(wanted: Wanted, component: Component) -> _Part:
    # One shell for the whole part: what is installed into an environment of Python stays active.
    prepare = _venv(component.name) if component.tool in ("pip", "poetry") else ()
    path = f"$REPORTS/{report_path(wanted, component)}"
    test = tuple(line.replace("{junit}", path) for line in component.test)
    lines = (*prepare, *component.install, *component.lint, *component.build, *test)
    return _Part(
        name=component.name,
        folder=component.folder,
        steps=(_Step(name="Install, lint, build, test", run=lines),) if lines else (),
        collect=tuple(
            line.replace("{folder}", "$REPORTS/junit").replace("{name}", component.name)
            for line in component.collect
        ),
    )
