"""What local environments really run, without a ledger: for lists that have to come up fast."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from midas_devops.config import Environment, LocalDeploy, Settings
from midas_devops.errors import MidasError

if TYPE_CHECKING:
    from midas_devops.ports.deployer import Running


def local_services(root: Path, settings: Settings) -> dict[str, Running | None]:
    """Environment → what its live process confirms; None where nothing runs.

    Environments with another deployer are left out: only asking it would tell. So is one that cannot be read.
    """
    found: dict[str, Running | None] = {}
    for name, environment in settings.environments.items():
        home = root / ".midas" / "local" / name
        if isinstance(environment.deploy, LocalDeploy) and home.is_dir():
            with suppress(MidasError):
                found[name] = _running(root, settings, environment, environment.deploy, home)
    return found


def _running(
    root: Path, settings: Settings, environment: Environment, deploy: LocalDeploy, home: Path
) -> Running | None:
    # Loaded for an environment that was deployed to at least once: processes and HTTP take their time.
    from midas_devops.adapters.artifacts import open_artifacts
    from midas_devops.adapters.git import GitSource
    from midas_devops.adapters.local.deployer import LocalDeployer

    return LocalDeployer(
        home.name,
        deploy,
        home=home,
        url=environment.url,
        source=GitSource(root),
        artifacts=open_artifacts(settings.storage.artifacts, root),
        environ={},
    ).status()
