"""Canary, blue/green and analysis: keys of the deploy tables that need or exclude each other."""

from __future__ import annotations

from collections.abc import Iterator

from midas_devops.config.deploy_tables import CommandDeploy, Deploy, KubernetesDeploy
from midas_devops.config.problems import Problem
from midas_devops.config.schema import Settings


def step_problems(settings: Settings) -> Iterator[Problem]:
    """Steps that nothing carries out, or that nothing judges."""
    for name, environment in settings.environments.items():
        for key, what, hint in _step_problems(environment.deploy):
            yield Problem(("environments", name, "deploy", key), what, hint=hint)


def _step_problems(deploy: Deploy | None) -> Iterator[tuple[str, str, str]]:
    if isinstance(deploy, CommandDeploy):
        for key in ("canary", "analysis"):
            if getattr(deploy, key) and not deploy.switch:
                yield key, "needs a command that moves traffic", 'add switch = ["./switch.sh", "{weight}"]'
        measured = deploy.analysis or deploy.health.url or deploy.health.path
        if deploy.canary and not measured:
            yield "canary", "has nothing that judges a step", "add analysis, or health"
    if isinstance(deploy, KubernetesDeploy):
        if deploy.blue_green and deploy.canary:
            yield "canary", "and blue_green exclude each other", "leave one of them out"
        if deploy.blue_green and not deploy.service:
            yield "blue_green", "needs the Service that is switched", "add service = NAME"
        if (deploy.blue_green or deploy.canary) and not deploy.manifests:
            yield "manifests", "is empty: what runs side by side is made from them", 'add ["k8s/*.yaml"]'
        if deploy.analysis and not (deploy.blue_green or deploy.canary):
            yield "analysis", "has no step to judge", "add canary or blue_green, or leave it out"
