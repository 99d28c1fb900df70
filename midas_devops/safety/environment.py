"""What a child process may see of our environment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from midas_devops.config import ChecksGate, GitHubActionsDeploy, Settings


def withheld_names(settings: Settings) -> tuple[str, ...]:
    """Variables that carry keys of ours: what ``[model]``, ``[tracker]`` and ``[jenkins]`` name.

    A token that nothing uses is nobody's secret of ours: ``tracker.token_env`` counts where the tracker, a
    deployer or a gate asks GitHub with it, or where it stands in the file.
    """
    names = []
    if settings.model is not None:
        names.append(settings.model.api_key_env)
    tracker = settings.tracker
    if tracker.using != "none" or "token_env" in tracker.model_fields_set or _asks_github(settings):
        names.append(tracker.token_env)
    if settings.jenkins is not None:
        names.append(settings.jenkins.token_env)
    return tuple(name for name in names if name)


def _asks_github(settings: Settings) -> bool:
    deployers = (environment.deploy for environment in settings.environments.values())
    return any(isinstance(how, GitHubActionsDeploy) for how in deployers) or any(
        isinstance(gate, ChecksGate) for gate in settings.gates.values()
    )


def child_environment(
    settings: Settings,
    *,
    pass_env: Iterable[str] = (),
    drop_env: Iterable[str] = (),
    extra: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The environment of an engine, a build or a deploy command.

    ``pass_env`` lets a withheld variable through again, ``drop_env`` takes more away and wins over it; both
    hold names or globs (``AWS_*``). ``extra`` is set last. ``environ`` is ours unless given.
    """
    passed, dropped = tuple(pass_env), tuple(drop_env)
    withheld = withheld_names(settings)
    ours = os.environ if environ is None else environ

    def visible(name: str) -> bool:
        if _matches(name, dropped):
            return False
        return name not in withheld or _matches(name, passed)

    child = {name: value for name, value in ours.items() if visible(name)}
    child.update(extra or {})
    return child


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
