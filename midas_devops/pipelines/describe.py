"""What pipelines a tree holds now, read from their files; values of secrets are in none of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from midas_devops.domain.base import Value
from midas_devops.pipelines import groovy
from midas_devops.pipelines.missing import jenkins_missing, workflow_missing
from midas_devops.pipelines.plan import WORKFLOW
from midas_devops.pipelines.tree import Tree
from midas_devops.ports.pipeline import HostConfig

_SECRET = re.compile(r"secrets\.([A-Za-z_]\w*)|secrets\[\s*'([A-Za-z_]\w*)'\s*\]")
_VARIABLE = re.compile(r"\bvars\.([A-Za-z_]\w*)|\bvars\[\s*'([A-Za-z_]\w*)'\s*\]")
_CREDENTIAL = re.compile(r"""credentialsId:\s*['"]([^'"]+)['"]|credentials\(\s*['"]([^'"]+)['"]""")
NO_PIPELINE = "there is no pipeline: midas-devops pipeline setup . proposes one"
_TRIGGERS = frozenset({"cron", "pollSCM", "upstream", "githubPush"})


class JobDescription(Value):
    """One job, or one stage of Jenkins."""

    id: str
    runs_on: str = ""
    needs: tuple[str, ...] = ()
    environment: str = ""
    timeout_minutes: int | str | None = None
    steps: tuple[str, ...] = ()
    """A name, an action or the first line of a command each."""


class WorkflowDescription(Value):
    """One pipeline file. ``problem`` says why nothing else is known about it."""

    file: str
    platform: str
    name: str = ""
    triggers: tuple[str, ...] = ()
    jobs: tuple[JobDescription, ...] = ()
    secrets: tuple[str, ...] = ()
    """Names only."""
    variables: tuple[str, ...] = ()
    """Names of the host's configuration variables."""
    permissions: dict[str, str] | str | None = None
    """None: nothing is said, so the repository's default holds."""
    problem: str = ""
    missing: tuple[str, ...] = ()


class PipelineConfig(Value):
    """All pipelines of one tree, and what is missing against our own checks."""

    workflows: tuple[WorkflowDescription, ...] = ()
    missing: tuple[str, ...] = ()
    host: HostConfig | None = None
    """None: no host is configured, or it could not be asked."""
    host_problem: str = ""
    """Why the host's part is not there."""


def describe(tree: Tree, redact: Callable[[str], str] = str) -> PipelineConfig:
    """Every GitHub workflow and the Jenkinsfile. A file that cannot be parsed is listed with its problem.

    Commands go through ``redact``: a value may stand in one that should be a secret.
    """
    read = [(path, redact(tree.read(path))) for path in tree.paths() if is_pipeline_file(path)]
    found = [
        _jenkinsfile(path, text) if path == "Jenkinsfile" else _workflow(path, text) for path, text in read
    ]
    missing = [f"{one.file}: {what}" for one in found for what in one.missing]
    if not found:
        missing.append(NO_PIPELINE)
    return PipelineConfig(workflows=tuple(found), missing=tuple(missing))


def is_pipeline_file(path: str) -> bool:
    """Whether a path of a repository is one that a pipeline is read from."""
    return path == "Jenkinsfile" or WORKFLOW.fullmatch(path) is not None


def _why(broken: Exception) -> str:
    """What is wrong and on which line, without the parser's own view of its input."""
    mark = getattr(broken, "problem_mark", None)
    if mark is None:
        return " ".join(str(broken).split())[:200]
    return f"line {mark.line + 1}: {getattr(broken, 'problem', '') or 'no valid YAML'}"


def _workflow(path: str, text: str) -> WorkflowDescription:
    import yaml

    try:
        read = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as broken:
        return _unreadable(path, "github-actions", _why(broken))
    if not isinstance(read, dict) or not isinstance(read.get("jobs"), dict):
        return _unreadable(path, "github-actions", "it is no workflow: it has no jobs")
    jobs = {str(key): job for key, job in read["jobs"].items() if isinstance(job, dict)}
    # YAML 1.1 reads the key `on` as true.
    triggers = read.get("on", read.get(True))
    return WorkflowDescription(
        file=path,
        platform="github-actions",
        name=str(read.get("name", "")),
        triggers=_trigger_names(triggers),
        jobs=tuple(_job(key, job) for key, job in jobs.items()),
        secrets=_names(_SECRET, text),
        variables=_names(_VARIABLE, text),
        permissions=_permissions(read),
        missing=tuple(workflow_missing(read, jobs, _trigger_names(triggers), text)),
    )


def _unreadable(path: str, platform: str, problem: str) -> WorkflowDescription:
    return WorkflowDescription(
        file=path, platform=platform, problem=problem, missing=(f"cannot be read: {problem}",)
    )


def _trigger_names(triggers: object) -> tuple[str, ...]:
    if isinstance(triggers, str):
        return (triggers,)
    if isinstance(triggers, list):
        return tuple(str(trigger) for trigger in triggers)
    if not isinstance(triggers, dict):
        return ()
    names = []
    for name, how in triggers.items():
        branches = how.get("branches") if isinstance(how, dict) else None
        shown = f" ({', '.join(map(str, branches))})" if isinstance(branches, list) else ""
        names.append(f"{name}{shown}")
    return tuple(names)


def _job(key: str, job: dict[str, Any]) -> JobDescription:
    environment = job.get("environment", "")
    if isinstance(environment, dict):
        environment = environment.get("name", "")
    needs = job.get("needs", [])
    runs_on = job.get("runs-on", "")
    timeout = job.get("timeout-minutes")
    steps = job.get("steps", [])
    called = (f"calls {job['uses']}",) if isinstance(job.get("uses"), str) else ()
    return JobDescription(
        id=key,
        runs_on=", ".join(map(str, runs_on)) if isinstance(runs_on, list) else str(runs_on),
        needs=tuple(map(str, needs)) if isinstance(needs, list) else (str(needs),),
        environment=str(environment),
        timeout_minutes=timeout if isinstance(timeout, int) else str(timeout) if timeout else None,
        steps=called + tuple(_step(step) for step in steps if isinstance(step, dict))
        if isinstance(steps, list)
        else called,
    )


def _step(step: dict[str, Any]) -> str:
    lines = str(step.get("run", "")).strip().splitlines()
    return str(step.get("name") or step.get("uses") or (lines[0] if lines else ""))


def _permissions(read: dict[Any, Any]) -> dict[str, str] | str | None:
    given = read.get("permissions")
    if isinstance(given, dict):
        return {str(key): str(value) for key, value in given.items()}
    return str(given) if given is not None else None


def _names(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    return tuple(sorted({next(filter(None, found)) for found in pattern.findall(text)}))


def _jenkinsfile(path: str, text: str) -> WorkflowDescription:
    found = groovy.problems(text)
    if found:
        return _unreadable(path, "jenkins", found[0])
    pipeline = next(block for block in groovy.parse(text).blocks if block.name == "pipeline")
    triggers = pipeline.child("triggers")
    stages = pipeline.every("stage")
    return WorkflowDescription(
        file=path,
        platform="jenkins",
        name="Jenkinsfile",
        triggers=tuple(
            line for line in (triggers.statements if triggers else ()) if line.split("(")[0] in _TRIGGERS
        ),
        jobs=tuple(_stage(stage, _agent(pipeline)) for stage in stages),
        secrets=_names(_CREDENTIAL, text),
        missing=tuple(jenkins_missing(pipeline, text)),
    )


def _stage(stage: groovy.Block, agent: str) -> JobDescription:
    steps = stage.child("steps")
    return JobDescription(
        id=stage.argument,
        runs_on=_agent(stage) or agent,
        steps=tuple(_statements(steps)) if steps else (),
    )


def _statements(block: groovy.Block) -> list[str]:
    """The first line of every statement, at any depth."""
    found = [statement.splitlines()[0] for statement in block.statements]
    return found + [line for inner in block.blocks for line in _statements(inner)]


def _agent(block: groovy.Block) -> str:
    named = next((word.removeprefix("agent ") for word in block.statements if word.startswith("agent ")), "")
    inner = block.child("agent")
    return named or (inner.statements[0] if inner and inner.statements else "")
