"""What local environments really run, without a ledger: for lists that have to come up fast."""

from __future__ import annotations

from pathlib import Path

from midas_devops.config import LocalDeploy, Settings
from midas_devops.errors import MidasError
from midas_devops.ports.deployer import Running


def local_services(root: Path, settings: Settings) -> dict[str, Running | None]:
    """Environment → what its live process confirms; None where nothing runs.

    Environments with another deployer are left out: only asking it would tell. So is one that cannot be read.
    """
    from midas_devops.adapters.artifacts import open_artifacts
    from midas_devops.adapters.git import GitSource
    from midas_devops.adapters.local.deployer import LocalDeployer

    found: dict[str, Running | None] = {}
    for name, environment in settings.environments.items():
        home = root / ".midas" / "local" / name
        if not isinstance(environment.deploy, LocalDeploy) or not home.is_dir():
            continue
        try:
            found[name] = LocalDeployer(
                name,
                environment.deploy,
                home=home,
                url=environment.url,
                source=GitSource(root),
                artifacts=open_artifacts(settings.storage.artifacts, root),
                environ={},
            ).status()
        except MidasError:
            continue
    return found
