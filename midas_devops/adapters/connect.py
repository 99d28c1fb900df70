"""Ports of one project from its settings. Nothing is opened, imported or written before it is needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midas_devops.adapters.connect_gates import (
    evaluate_policies,
    read_checks,
    read_requirements,
    read_scans,
    read_tests,
)
from midas_devops.config import (
    CommandDeploy,
    GitHubActionsDeploy,
    Infrastructure,
    KubernetesDeploy,
    Settings,
)
from midas_devops.errors import ConfigError
from midas_devops.ports.bundle import OpenKnowledge, Ports, RunEvent, silent
from midas_devops.safety.environment import child_environment
from midas_devops.safety.redaction import Redactor

if TYPE_CHECKING:
    from midas_devops.ports.artifacts import Artifacts
    from midas_devops.ports.deployer import Deployer
    from midas_devops.ports.iac import IacEngine
    from midas_devops.ports.knowledge import KnowledgeBase
    from midas_devops.ports.ledger import Ledger
    from midas_devops.ports.pipeline import PipelineHost, PipelineJobs
    from midas_devops.ports.source import Source
    from midas_devops.ports.verification import Verifier


def connect(
    root: Path,
    settings: Settings,
    *,
    listen: Callable[[RunEvent], None] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Ports:
    """Adapters as midas.toml names them. Raises ``StorageError``, ``ConfigError``, ``MissingExtraError``."""
    from midas_devops.adapters.artifacts import open_artifacts
    from midas_devops.adapters.git import GitSource
    from midas_devops.adapters.sql.ledger import open_ledger
    from midas_devops.safety.lease import LeaseKeeper

    variables = dict(os.environ if environ is None else environ)
    redactor = Redactor.from_environment(_without_identifiers(variables, settings), settings)
    ledger = open_ledger(settings.storage.url, root, redactor=redactor)
    artifacts = open_artifacts(settings.storage.artifacts, root)
    source = GitSource(root)
    return Ports(
        root=root,
        ledger=ledger,
        artifacts=artifacts,
        leases=LeaseKeeper(ledger),
        redactor=redactor,
        source=source,
        engine=_engines(root, settings, artifacts, variables),
        deployer=_deployers(root, settings, source, artifacts, ledger, variables, redactor.text),
        tests=read_tests(root),
        scans=read_scans(root),
        checks=read_checks(root, settings, artifacts, variables, redactor.text),
        verifier=_verifiers(root, settings, artifacts, variables, redactor.text),
        policies=evaluate_policies(root),
        requirements=read_requirements(root, settings),
        pipelines=_pipelines(root, settings, variables),
        pipeline_jobs=_pipeline_jobs(settings, variables),
        knowledge=_knowledge(root, settings, redactor),
        tracker=_tracker(settings, variables),
        model=_model(settings, variables, redactor.text),
        listen=listen or silent,
    )


def _without_identifiers(environ: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """The variables whose value is no name of midas.toml: those are public, and a run acts on them."""
    public = {settings.project.name, settings.project.repository, *settings.environments, *settings.gates}
    for environment in settings.environments.values():
        public.add(environment.kind)
        if environment.infrastructure:
            public.add(environment.infrastructure.config)
    return {name: value for name, value in environ.items() if value not in public}


def _engines(
    root: Path, settings: Settings, artifacts: Artifacts, environ: Mapping[str, str]
) -> Callable[[str, str], IacEngine]:
    @cache
    def engine(environment: str, config: str) -> IacEngine:
        infrastructure = settings.environment(environment).infrastructure or Infrastructure(config=config)
        variables = child_environment(
            settings,
            pass_env=infrastructure.pass_env,
            drop_env=infrastructure.drop_env,
            environ=environ,
        )
        if _wants_pulumi(infrastructure, root / config):
            from midas_devops.adapters.pulumi.engine import PulumiEngine

            return PulumiEngine(root, environment, root / config, infrastructure, artifacts, variables)
        from midas_devops.adapters.terraform.engine import TerraformEngine

        return TerraformEngine(root, environment, root / config, infrastructure, artifacts, variables)

    return engine


def _wants_pulumi(infrastructure: Infrastructure, config: Path) -> bool:
    """As midas.toml says; by itself where the folder is a Pulumi project and nothing else."""
    if infrastructure.engine != "auto":
        return infrastructure.engine == "pulumi"
    from midas_devops.adapters.pulumi.project import is_pulumi

    return is_pulumi(config if config.is_dir() else config.parent)


def _deployers(
    root: Path,
    settings: Settings,
    source: Source,
    artifacts: Artifacts,
    ledger: Ledger,
    environ: Mapping[str, str],
    redact: Callable[[str], str],
) -> Callable[[str], Deployer]:
    @cache
    def deployer(name: str) -> Deployer:
        environment = settings.environment(name)
        how = environment.deploy
        if how is None:
            raise ConfigError(
                f"environment '{name}' has no deployer",
                hint=f"Add [environments.{name}.deploy] to midas.toml.",
                location=f"midas.toml: environments.{name}",
            )

        def version_of(commit: str) -> str:
            return next((d.version for d in ledger.deployments(name) if d.commit == commit), "")

        if isinstance(how, GitHubActionsDeploy):
            from midas_devops.adapters.github_deployer import GitHubActionsDeployer

            return GitHubActionsDeployer.from_settings(
                name,
                how,
                settings,
                environ,
                root=root,
                artifacts=artifacts,
                version_of=version_of,
                redact=redact,
            )
        variables = child_environment(settings, pass_env=how.pass_env, drop_env=how.drop_env, environ=environ)
        if isinstance(how, CommandDeploy):
            from midas_devops.adapters.command import CommandDeployer

            return CommandDeployer(
                name,
                how,
                root=root,
                home=root / ".midas" / "command" / name,
                url=environment.url,
                source=source,
                artifacts=artifacts,
                environ=variables,
                version_of=version_of,
                redact=redact,
            )
        if isinstance(how, KubernetesDeploy):
            from midas_devops.adapters.kubernetes.deployer import KubernetesDeployer

            return KubernetesDeployer(
                name,
                how,
                root=root,
                home=root / ".midas" / "kubernetes" / name,
                url=environment.url,
                source=source,
                artifacts=artifacts,
                environ=variables,
                redact=redact,
            )
        from midas_devops.adapters.local.deployer import LocalDeployer

        def verified(commit: str) -> bool:
            newest = next((d for d in ledger.deployments(name) if d.commit == commit), None)
            return bool(newest and newest.verified)

        return LocalDeployer(
            name,
            how,
            home=root / ".midas" / "local" / name,
            url=environment.url,
            source=source,
            artifacts=artifacts,
            environ=variables,
            verified=verified,
            redact=redact,
        )

    return deployer


def _verifiers(
    root: Path,
    settings: Settings,
    artifacts: Artifacts,
    environ: Mapping[str, str],
    redact: Callable[[str], str],
) -> Callable[[str], Verifier | None]:
    def verifier(name: str) -> Verifier | None:
        environment = settings.environment(name)
        if environment.verify is None:
            return None
        from midas_devops.adapters.verification import ConfiguredVerifier

        how = environment.deploy
        variables = child_environment(
            settings,
            pass_env=how.pass_env if how else (),
            drop_env=how.drop_env if how else (),
            environ=environ,
        )
        return ConfiguredVerifier(
            name, environment.verify, root=root, environ=variables, artifacts=artifacts, redact=redact
        )

    return verifier


def _pipelines(root: Path, settings: Settings, environ: Mapping[str, str]) -> PipelineHost:
    from midas_devops.adapters.pipelines import ProjectPipelines

    return ProjectPipelines(root, settings, environ)


def _pipeline_jobs(settings: Settings, environ: Mapping[str, str]) -> PipelineJobs | None:
    if settings.jenkins is None:
        return None
    from midas_devops.adapters.pipelines import open_pipeline_jobs

    return open_pipeline_jobs(settings, environ)


def _knowledge(root: Path, settings: Settings, redactor: Redactor) -> OpenKnowledge:
    @cache
    def opened() -> KnowledgeBase:
        from midas_devops.adapters.chroma import ChromaKnowledge

        return ChromaKnowledge(root, settings.knowledge, redact=redactor.text)

    def knowledge(*, create: bool = False) -> KnowledgeBase | None:
        place = settings.knowledge
        nothing_yet = not place.url and not (root / place.path).exists()
        return None if nothing_yet and not create else opened()

    return knowledge


def _tracker(settings: Settings, environ: Mapping[str, str]) -> Any:
    if settings.tracker.using == "none":
        return None
    from midas_devops.adapters.github import GitHubTracker

    return GitHubTracker.from_settings(settings, environ)


def _model(settings: Settings, environ: Mapping[str, str], redact: Callable[[str], str]) -> Any:
    if settings.model is None:
        return None
    from midas_devops.adapters.chat import LangChainModel

    return LangChainModel.from_settings(settings.model, environ, redact=redact)
