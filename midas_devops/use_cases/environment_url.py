"""Where people reach an environment."""

from __future__ import annotations

from midas_devops.config import Settings
from midas_devops.errors import UsageError
from midas_devops.ports.bundle import Ports
from midas_devops.use_cases.outputs import read_outputs


def environment_url(ports: Ports, settings: Settings, name: str) -> str:
    """The address in midas.toml, the output that it names, or the deployer's. Raises ``UsageError``."""
    environment = settings.environments[name]
    if environment.url:
        return environment.url
    if environment.url_output and environment.infrastructure:
        told = read_outputs(ports, name, environment.infrastructure.config)
        if environment.url_output in told["outputs"]:
            return str(told["outputs"][environment.url_output])
    url = ports.deployer(name).url() if environment.deploy else ""
    if not url:
        raise UsageError(
            f"the address of '{name}' is not known",
            hint=f"Set environments.{name}.url, or url_output, in midas.toml.",
        )
    return url
