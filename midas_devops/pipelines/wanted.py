"""What is to be rendered: the repository's findings and the caller's details, settled."""

from __future__ import annotations

from midas_devops.domain.base import Value
from midas_devops.errors import UsageError
from midas_devops.nearest import did_you_mean
from midas_devops.pipelines.details import DeployDetails, PipelineDetails, ServiceDetails
from midas_devops.pipelines.findings import Component, Repository
from midas_devops.pipelines.pins import ACTIONS, TOOLS
from midas_devops.pipelines.tree import below

MERGED = "junit.xml"
"""Name of the one report below ``reports/<commit>/`` that a gate of tests reads."""


class Scan(Value):
    """One scanner, its command and its SARIF file below ``{reports}``."""

    name: str
    command: str


class Wanted(Value):
    """Everything both platforms render from."""

    details: PipelineDetails
    repository: Repository
    components: tuple[Component, ...]
    services: dict[str, ServiceDetails]
    """Beside the tests: those that the caller names, else those of the compose file."""
    scans: tuple[Scan, ...]
    merge: bool
    """Reports of several parts are merged into one before the deploy."""
    caches: bool
    """Not where release branches run: a pull request could fill a cache that a release then uses."""
    deployer_install: str
    environments: tuple[DeployDetails, ...]


def settle(repository: Repository, details: PipelineDetails) -> Wanted:
    """Raises ``UsageError`` for what cannot be expressed, and when there is nothing to build."""
    if not (repository.components or repository.dockerfiles or repository.terraform):
        raise UsageError(
            "nothing to build was found: no manifest of Python, Node, Go, Rust or Java, no Dockerfile,"
            " no Terraform",
            hint="Is this the repository's root, and is the manifest committed?",
        )
    components = tuple(_with_versions(part, details) for part in _overridden(repository, details))
    for key, language, given in (
        ("python_versions", "python", details.python_versions),
        ("node_versions", "node", details.node_versions),
    ):
        if given and not any(part.language == language for part in components):
            raise UsageError(
                f"config_details names {key}, but there is no {language} component",
                hint=f"Leave {key} out.",
                location=f"config_details: {key}",
            )
    _expressible(details)
    reporting = [part for part in components if part.reports != "none"]
    one_file = len(reporting) == 1 and reporting[0].reports == "file" and len(reporting[0].versions) <= 1
    return Wanted(
        details=details,
        repository=repository,
        components=components,
        services=details.services if "services" in details.model_fields_set else repository.services,
        scans=_scans(repository) if details.scan else (),
        merge=bool(reporting) and not one_file,
        caches=not any("release" in branch.lower() for branch in details.branches),
        deployer_install=details.deployer_install
        or f"python -m pip install midas-devops=={TOOLS['midas-devops']}",
        environments=tuple(
            one if one.branch else one.model_copy(update={"branch": details.branches[0]})
            for one in details.environments
        ),
    )


def report_path(wanted: Wanted, component: Component, version: str = "") -> str:
    """Where a component's JUnit report goes, below ``reports/<commit>/``."""
    if not wanted.merge:
        return MERGED
    return f"junit/{component.name}{'-' + version if version else ''}.xml"


def _overridden(repository: Repository, details: PipelineDetails) -> tuple[Component, ...]:
    given = {key: value for key in ("build", "test", "lint") if (value := getattr(details, key))}
    if not given:
        return repository.components
    if len(repository.components) != 1:
        raise UsageError(
            f"config_details overrides {', '.join(given)}, but the repository has"
            f" {len(repository.components)} components: it cannot be told which one is meant",
            hint="Leave the override out and put the command into the component's own manifest.",
            location=f"config_details: {next(iter(given))}",
        )
    changes: dict[str, object] = {key: (value,) for key, value in given.items()}
    if "test" in given:
        changes |= {"reports": "file" if "{junit}" in given["test"] else "none", "collect": ()}
    return (repository.components[0].model_copy(update=changes),)


def _with_versions(component: Component, details: PipelineDetails) -> Component:
    given = {"python": details.python_versions, "node": details.node_versions}.get(component.language, ())
    return component.model_copy(update={"versions": given}) if given else component


def _expressible(details: PipelineDetails) -> None:
    for name in details.pins:
        if name not in ACTIONS:
            raise UsageError(
                f"config_details pins '{name}', which no template uses",
                hint=did_you_mean(name, ACTIONS) or f"Used: {', '.join(ACTIONS)}.",
                location="config_details: pins",
            )
    for environment in details.environments:
        branch = environment.branch or details.branches[0]
        if "*" in branch:
            raise UsageError(
                f"environment '{environment.name}' cannot be deployed from the pattern '{branch}'",
                hint="Give the environment one branch.",
                location="config_details: environments",
            )
        if branch not in details.branches and not any("*" in pattern for pattern in details.branches):
            raise UsageError(
                f"environment '{environment.name}' deploys from '{branch}', which never runs the pipeline",
                hint=f"Add '{branch}' to branches.",
                location="config_details: environments",
            )
    if details.platform == "jenkins":
        for key in ("python_versions", "node_versions", "services", "pins"):
            if getattr(details, key):
                raise UsageError(
                    f"a Jenkins pipeline on a labelled agent cannot choose {key}",
                    hint=f"Leave {key} out and give the agent what the build needs, or use github-actions.",
                    location=f"config_details: {key}",
                )


def _scans(repository: Repository) -> tuple[Scan, ...]:
    found: list[Scan] = []
    folders = [part.folder for part in repository.components if part.language == "python"]
    if folders:
        outer = [f for f in folders if not any(f != other and below(other, f) for other in folders)]
        found.append(
            Scan(
                name="bandit",
                command=f"pipx run --spec 'bandit[sarif]=={TOOLS['bandit']}' bandit --recursive"
                f" {' '.join(outer)} --exclude './.git,*/tests/*,*/node_modules/*' --format sarif"
                ' --output "{reports}/bandit.sarif" --exit-zero',
            )
        )
    if any(part.language != "python" for part in repository.components):
        found.append(
            Scan(
                name="semgrep",
                command=f"pipx run semgrep=={TOOLS['semgrep']} scan --config p/default --metrics=off"
                ' --sarif --output "{reports}/semgrep.sarif"',
            )
        )
    if repository.terraform:
        found.append(
            Scan(
                name="checkov",
                command=f"pipx run checkov=={TOOLS['checkov']} --directory . --framework terraform"
                " --quiet --compact --soft-fail --output sarif"
                ' --output-file-path "{reports}"',
            )
        )
    return tuple(found)
