"""A project's own pipelines: what is configured, in its files and at its host, and how they do."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from midas_devops.adapters.pipelines import open_pipeline_runs
from midas_devops.config import Settings
from midas_devops.config.schema import EnvironmentKind
from midas_devops.errors import ConfigError, MidasError
from midas_devops.pipelines.describe import NO_PIPELINE, PipelineConfig, describe, is_pipeline_file
from midas_devops.pipelines.tree import FolderTree
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.bundle import Ports
from midas_devops.ports.pipeline import PipelineRuns
from midas_devops.safety.redaction import Redactor

Json = dict[str, Any]

_MOST_WAIT = timedelta(seconds=60)
"""For another process that brings the issues in line; it takes seconds."""


def pipeline_config(
    root: Path, settings: Settings, ports: Ports | None = None, environ: Mapping[str, str] = os.environ
) -> Json:
    """``workflows``, ``host``, ``host_problem`` and ``missing``. A host that cannot be asked is no error."""
    redact = _redact(settings, environ, ports)
    config = describe(FolderTree(root), redact)
    if not config.workflows:
        config = config.model_copy(update={"missing": (_no_pipeline_file(root),)})
    try:
        host = _host(root, settings, environ, ports)
        config = _with_host(config, host, settings)
    except MidasError as away:
        told = f"{away.message}. {away.hint}" if away.hint else away.message
        config = config.model_copy(update={"host_problem": told})
    return _redacted(config.model_dump(mode="json"), redact)


def _no_pipeline_file(root: Path) -> str:
    from midas_devops.adapters.pipelines_local import BRANCH, proposed_files

    files = ", ".join(path for path in proposed_files(root) if is_pipeline_file(path))
    return f"no pipeline file stands here: merge {BRANCH}, which proposes {files}" if files else NO_PIPELINE


def _with_host(config: PipelineConfig, host: PipelineRuns, settings: Settings) -> PipelineConfig:
    from midas_devops.pipelines.host_missing import host_missing

    told = host.config()
    production = [
        name for name, one in settings.environments.items() if one.kind == EnvironmentKind.PRODUCTION
    ]
    here = config.missing
    if here == (NO_PIPELINE,) and told.workflows:
        names = ", ".join(workflow.name for workflow in told.workflows)
        here = (f"no pipeline file stands here, yet {told.host} has {names}",)
    missing = (*here, *host_missing(told, config.workflows, production))
    return config.model_copy(update={"host": told, "missing": missing})


def pipeline_health(
    root: Path,
    settings: Settings,
    window: Mapping[str, Any],
    *,
    ports: Ports | None = None,
    say: Callable[[str], None] = lambda _: None,
    environ: Mapping[str, str] = os.environ,
) -> Json:
    """The report of :func:`midas_devops.use_cases.pipeline_health.look_at_pipelines` as JSON, redacted.

    Raises ``ConfigError`` without a host, ``RemoteError`` when it cannot be asked.
    """
    from midas_devops.use_cases.pipeline_health import Window, look_at_pipelines

    redact = _redact(settings, environ, ports)
    report = look_at_pipelines(
        _host(root, settings, environ, ports),
        _artifacts(root, settings, ports),
        redact,
        Window.model_validate(window),
        name=settings.project.repository or settings.project.name or root.name,
        now=ports.clock() if ports else datetime.now(UTC),
        say=say,
    )
    return _redacted(report.model_dump(mode="json"), redact)


def report_pipeline_failures(ports: Ports, settings: Settings, report: Mapping[str, Any], by: str) -> Json:
    """Open, update or close one issue per workflow of a report; on record, and by one process at a time.

    Raises ``ConfigError`` without a tracker, ``LeaseTakenError`` while another process does it.
    """
    from midas_devops.adapters.github_issues import GitHubOpenedIssues
    from midas_devops.domain.pipeline_health import HealthReport
    from midas_devops.use_cases.pipeline_issues import report_failures

    if settings.tracker.using != "github":
        raise ConfigError(
            "failures of pipelines become issues of a tracker, and none is configured",
            hint='Set using = "github" in [tracker] of midas.toml.',
            location="midas.toml: tracker.using",
        )
    tracker = GitHubOpenedIssues.from_settings(settings, os.environ)
    holder = f"health-{ports.clock():%Y%m%d-%H%M%S}-{os.getpid()}"
    ports.leases.hold("tracker:pipelines", holder, "pipeline health --report-issues", _MOST_WAIT)
    issues = []
    try:
        for done in report_failures(HealthReport.model_validate(report), tracker, ports.redactor.text):
            issues.append(ports.redactor.json(done.model_dump(mode="json")))
            if done.action != "unchanged":
                ports.ledger.audit("", by, f"pipeline issue {done.action}", data=issues[-1])
    finally:
        ports.leases.release_all(holder)
    return {"issues": issues}


def _redact(settings: Settings, environ: Mapping[str, str], ports: Ports | None) -> Callable[[str], str]:
    return ports.redactor.text if ports else Redactor.from_environment(environ, settings).text


def _redacted(document: Json, redact: Callable[[str], str]) -> Json:
    """Every text redacted by what it holds, not by its key: ``secrets`` are names here, and public."""

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return redact(value)
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, list) else value

    return {key: walk(item) for key, item in document.items()}


def _host(root: Path, settings: Settings, environ: Mapping[str, str], ports: Ports | None) -> PipelineRuns:
    if ports is not None and ports.pipeline_runs is not None:
        return ports.pipeline_runs
    return open_pipeline_runs(root, settings, environ, _artifacts(root, settings, ports))


def _artifacts(root: Path, settings: Settings, ports: Ports | None) -> Artifacts:
    if ports is not None:
        return ports.artifacts
    from midas_devops.adapters.artifacts import open_artifacts

    return open_artifacts(settings.storage.artifacts, root)
