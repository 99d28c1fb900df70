"""Which environment an infrastructure configuration belongs to; no flag and no variable lifts its rules."""

from __future__ import annotations

import os
from pathlib import Path

from midas_devops.config import Settings, environment_for_config, environments_of_config
from midas_devops.errors import UsageError


def environment_of(settings: Settings, root: Path, config_file: str, asked: str) -> tuple[str, str]:
    """The configuration's folder relative to ``root``, and its environment; ``asked`` may be empty.

    Raises ``UsageError`` when there is no such folder, or ``asked`` is not an environment of it.
    """
    config = _folder(root, config_file)
    named = environments_of_config(settings, root, config)
    first = environment_for_config(settings, root, config)
    if asked and asked not in (named or [first]):
        _refuse_other_environment(settings, config, first, asked)
    if len(named) > 1 and not asked:
        raise UsageError(
            f"{config} belongs to several environments, each with a workspace of its own",
            hint=f"Name one: --env {' or --env '.join(named)}.",
        )
    _refuse_anothers_workspace(settings, asked or first, named)
    return config, asked or first


def _folder(root: Path, config: str) -> str:
    path = (root / config).resolve()
    if not path.exists():
        raise UsageError(f"there is no configuration '{config}'", hint="Give a folder, or a file in it.")
    folder = path if path.is_dir() else path.parent
    if not folder.is_relative_to(root):
        raise UsageError(f"'{config}' lies outside the project {root}")
    return folder.relative_to(root).as_posix()


def _refuse_other_environment(settings: Settings, config: str, named: str, asked: str) -> None:
    """No caller's flag lifts a guard: a configuration is its own environment's, or else production."""
    owner = settings.environments.get(named)
    if owner is not None and owner.infrastructure is not None:
        raise UsageError(
            f"{config} belongs to '{named}' in midas.toml, not to '{asked}'",
            hint=f"Leave --env out, or use --env {named}.",
        )
    if not settings.environment(asked).is_production:
        raise UsageError(
            f"no environment in midas.toml names {config}: it counts as production, not '{asked}'",
            hint=f'Set config = "{config}" in [environments.{asked}.infrastructure].',
        )


def _refuse_anothers_workspace(settings: Settings, environment: str, sharing: list[str]) -> None:
    """A variable must not lead one environment to the state of another, past that one's rules."""
    asked = os.environ.get("TF_WORKSPACE", "")
    own = settings.environment(environment).infrastructure
    if not asked or (own and own.workspace):
        return
    for name in sharing:
        other = settings.environment(name).infrastructure
        if name != environment and other is not None and other.workspace == asked:
            raise UsageError(
                f"TF_WORKSPACE names the workspace of '{name}', and this is for '{environment}'",
                hint=f"Unset TF_WORKSPACE, or use --env {name}.",
            )
