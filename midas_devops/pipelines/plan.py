"""From a repository's tree to a validated proposal."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

from midas_devops.errors import UsageError
from midas_devops.nearest import did_you_mean
from midas_devops.pipelines import github_actions, jenkins
from midas_devops.pipelines.details import PipelineDetails, parse_details
from midas_devops.pipelines.detect import detect
from midas_devops.pipelines.findings import Repository
from midas_devops.pipelines.tree import Tree
from midas_devops.pipelines.validate import validate
from midas_devops.pipelines.wanted import MERGED, Wanted, settle
from midas_devops.ports.pipeline import PipelineFile, PipelineProposal

WORKFLOW = re.compile(r"\.github/workflows/[^/]+\.ya?ml")


def plan_pipeline(repository: str, tree: Tree, given: Mapping[str, object]) -> PipelineProposal:
    """Detect, render, validate. Raises ``UsageError``, ``ToolError``, ``MissingExtraError``."""
    draft = draft_pipeline(repository, tree, given)
    # What is not proposed is not judged either: a verdict would seem to be about the file that stands there.
    passed = tuple(
        line
        for file in draft.files
        if not file.instead
        for line in validate(draft.platform, file.path, file.text)
    )
    return draft.model_copy(update={"reasons": (*draft.reasons, *passed)})


def draft_pipeline(repository: str, tree: Tree, given: Mapping[str, object]) -> PipelineProposal:
    """Detect and render: what no validator has seen yet, and nobody else may. Raises ``UsageError``."""
    details = parse_details(given)
    found = detect(tree)
    wanted = settle(found, details)
    settings = _midas_toml(tree)
    _known_environments(details, settings)
    same: tuple[str, ...]
    if details.platform == "jenkins":
        path, same, text = jenkins.FILE, (jenkins.FILE,), jenkins.render_jenkinsfile(wanted)
    else:
        path, same = github_actions.FILE, github_actions.SAME
        text = github_actions.render_workflow(wanted, tree)
    standing = next((name for name in same if name in tree.paths()), "")
    instead = standing if standing and tree.read(standing) != text else ""
    reasons = [
        *_standing(tree, path, standing, instead),
        *_detected(found),
        *found.notes,
        *_choices(wanted, settings),
    ]
    return PipelineProposal(
        repository=repository,
        platform=details.platform,
        files=(PipelineFile(path=path, text=text, exists=bool(standing), instead=instead),),
        reasons=tuple(reasons),
    )


def _standing(tree: Tree, path: str, standing: str, instead: str) -> list[str]:
    others = [name for name in tree.paths() if WORKFLOW.fullmatch(name) and name != standing]
    reasons = []
    if standing:
        same = "" if instead else " and is exactly what would be proposed"
        reasons.append(f"{standing} stands there already{same}: it is left alone")
    if others and path.startswith(".github/"):
        reasons.append(f"left alone beside it: {', '.join(others)}")
    return reasons


def _detected(found: Repository) -> list[str]:
    return [f"{finding.what}: {finding.value} ({finding.file})" for finding in found.findings]


def _choices(wanted: Wanted, settings: dict[str, object]) -> list[str]:
    reasons = []
    details = wanted.details
    named = {finding.value for finding in wanted.repository.findings if finding.what.endswith(" version")}
    for part in wanted.components:
        given = {"python": details.python_versions, "node": details.node_versions}.get(part.language)
        if (
            details.platform == "github-actions"
            and part.versions
            and not given
            and part.versions[0] not in named
        ):
            reasons.append(f"{part.language} {part.versions[0]} in {part.folder}: no file names a version")
    if details.platform == "jenkins":
        tools: set[str] = {part.tool for part in wanted.components}
        tools |= {"terraform"} if wanted.repository.terraform else set()
        tools |= {"pipx"} if wanted.scans else set()
        reasons.append(f"the agent has to bring its own tools: {', '.join(sorted(tools))}")
    if any(part.reports != "none" for part in wanted.components):
        reasons.append(f"test results go to reports/<commit>/{MERGED}, where a gate of kind junit looks")
    reasons += _gate_paths(settings)
    if not wanted.caches and wanted.details.platform == "github-actions":
        reasons.append("no caches: what a pull request puts into one could reach a release branch")
    reasons += _services(wanted)
    if wanted.environments:
        reasons.append(
            "deploys keep their ledger in storage.url of midas.toml: a runner's disk forgets it, so give it"
            " a database that all runs share"
        )
        if not settings:
            reasons.append(
                "there is no midas.toml yet: the deploy jobs fail until it names their environments"
            )
    elif isinstance(environments := settings.get("environments"), dict) and environments:
        reasons.append(f"nothing is deployed; name environments to deploy: {', '.join(environments)}")
    return reasons


def _services(wanted: Wanted) -> list[str]:
    """What stands beside the tests; their passwords are ``throwaway``, whatever the file says."""
    if not wanted.components:
        return []
    if wanted.details.platform == "jenkins":
        needed = ", ".join(f"{name} ({one.image})" for name, one in wanted.services.items())
        return [f"the agent has to offer what the compose file starts: {needed}"] if needed else []
    reasons = [
        f"{name}: {one.image} is started beside the tests"
        + (f"; {', '.join(one.throwaway)} is 'throwaway' there" if one.throwaway else "")
        for name, one in wanted.services.items()
    ]
    images = [f"{f.value} ({f.file})" for f in wanted.repository.findings if f.what == "service image"]
    if images and not wanted.services:
        reasons.append(f"the tests get no service; name them in services if they need {', '.join(images)}")
    return reasons


def _gate_paths(settings: dict[str, object]) -> list[str]:
    gates = settings.get("gates")
    reasons = []
    for name, gate in gates.items() if isinstance(gates, dict) else ():
        if (
            isinstance(gate, dict)
            and gate.get("kind") == "junit"
            and gate.get("path") != f"reports/{{commit}}/{MERGED}"
        ):
            reasons.append(
                f"gate '{name}' looks at {gate.get('path')}: point it at reports/{{commit}}/{MERGED}"
            )
    return reasons


def _midas_toml(tree: Tree) -> dict[str, object]:
    try:
        return tomllib.loads(tree.read("midas.toml"))
    except tomllib.TOMLDecodeError:
        return {}


def _known_environments(details: PipelineDetails, settings: dict[str, object]) -> None:
    known = settings.get("environments")
    if not isinstance(known, dict):
        return
    for environment in details.environments:
        if environment.name not in known:
            raise UsageError(
                f"there is no environment '{environment.name}' in the repository's midas.toml",
                hint=did_you_mean(environment.name, known) or "Environments: " + ", ".join(known),
                location="config_details: environments",
            )
