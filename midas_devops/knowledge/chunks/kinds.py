"""What a source is, by its path alone: kind, environment, provider."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import PurePosixPath

from midas_devops.ports.knowledge import Kind

_TERRAFORM = {".tf", ".tfvars", ".hcl", ".tofu"}
_MARKDOWN = {".md", ".markdown", ".mdx"}
_PIPELINE_FILES = re.compile(
    r"(^|/)(\.github/workflows/[^/]+\.ya?ml|\.gitlab-ci\.ya?ml|azure-pipelines[^/]*\.ya?ml|\.circleci/config\.ya?ml"
    r"|bitbucket-pipelines\.ya?ml|\.?buildkite/[^/]+\.ya?ml|Jenkinsfile[^/]*|[^/]+\.jenkinsfile)$",
    re.IGNORECASE,
)
_INCIDENT = re.compile(r"(?:^|[/_.-])(?:incidents?|post-?mortems?)(?:[/_.-]|$)", re.IGNORECASE)
_RUNBOOK = re.compile(r"(?:^|[/_.-])(?:run-?books?|play-?books?)(?:[/_.-]|$)", re.IGNORECASE)
_PROSE = _MARKDOWN | {".txt", ".rst", ".adoc", ""}
_ENVIRONMENTS = {
    "production": "production",
    "prod": "production",
    "prd": "production",
    "live": "production",
    "staging": "staging",
    "stage": "staging",
    "stg": "staging",
    "preprod": "staging",
    "development": "development",
    "develop": "development",
    "dev": "development",
    "test": "test",
    "qa": "qa",
    "sandbox": "sandbox",
}
_HOLDERS = {"env", "envs", "environment", "environments"}
_PROVIDER = re.compile(
    r'^\s*(?:(?:resource|data|ephemeral)\s+"([a-z0-9]+)_[a-z0-9_]+"|provider\s+"([a-z0-9-]+)")', re.MULTILINE
)
_PROVIDERS = {"google": "google", "azurerm": "azure", "azuread": "azure", "azapi": "azure"}


def kind_of(source: str) -> Kind:
    """The kind of a source. Runbooks and incidents are recognised by a word in the path of a prose file."""
    path = PurePosixPath(source)
    suffix = path.suffix.lower()
    if suffix in _TERRAFORM:
        return "terraform"
    if _PIPELINE_FILES.search(source):
        return "pipeline"
    if suffix in _PROSE and (told := _told_by_name(source)):
        return told
    if suffix in _MARKDOWN:
        return "markdown"
    if suffix == ".log" or (suffix in (".txt", "") and "logs" in path.parts[:-1]):
        return "log"
    return "text"


def _told_by_name(source: str) -> Kind | None:
    if _INCIDENT.search(source):
        return "incident"
    return "runbook" if _RUNBOOK.search(source) else None


def environment_of(source: str) -> str:
    """The environment that a path names (``infra/prod/main.tf`` → ``production``), or nothing."""
    parts = PurePosixPath(source).parts
    for holder, name in pairwise(parts):
        if holder.lower() in _HOLDERS:
            stem = name.split(".")[0].lower()
            return _ENVIRONMENTS.get(stem, stem)
    words = [word for part in parts for word in re.split(r"[._-]", part.lower())]
    return next((_ENVIRONMENTS[word] for word in words if word in _ENVIRONMENTS and word != "test"), "")


def provider_of(text: str) -> str:
    """The provider of the first Terraform resource or provider block in a text (``aws``), or nothing."""
    match = _PROVIDER.search(text)
    if match is None:
        return ""
    name = match.group(1) or match.group(2)
    return _PROVIDERS.get(name, name)
