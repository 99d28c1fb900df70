"""Where the project is, and which environment a configuration folder belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from midas_devops.config.schema import Settings

CONFIG_FILE = "midas.toml"


def find_project(start: Path) -> Path:
    """The nearest folder from ``start`` upwards with midas.toml or .git; else ``start`` itself."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / CONFIG_FILE).is_file() or (folder / ".git").exists():
            return folder
    return start


def environment_for_config(settings: Settings, root: Path, config: str) -> str:
    """The environment that names this infrastructure configuration; ``production`` when none does (rule 4).

    ``config`` is a folder or a file in it, absolute or relative to ``root``. A folder below a named one is a
    configuration of its own and not named by it: what lies inside staging's folder need not be staging.
    Two environments that name one folder: the production one wins.
    """
    named = environments_of_config(settings, root, config)
    return named[0] if named else "production"


def environments_of_config(settings: Settings, root: Path, config: str) -> list[str]:
    """Every environment that names this configuration, production first; workspaces can share a folder."""
    wanted = _folder(root, config)
    named = [
        (name, environment)
        for name, environment in settings.environments.items()
        if environment.infrastructure and _folder(root, environment.infrastructure.config) == wanted
    ]
    named.sort(key=lambda item: not item[1].is_production)
    return [name for name, _ in named]


def _folder(root: Path, config: str) -> Path:
    path = (root / config).resolve()
    if path.is_dir():
        return path
    is_file = path.is_file() or path.suffix in (".tf", ".json", ".tofu")
    return path.parent if is_file else path
