"""What a person gives a run, checked before it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from midas_devops.domain.runs import InfraAction
from midas_devops.errors import UsageError
from midas_devops.ports.bundle import Ports, Redacts
from midas_devops.ports.iac import PlanInputs

_VARIABLES_FILE = (".tfvars", ".tfvars.json")


def given_inputs(
    redactor: Redacts,
    config: str,
    action: str,
    variables: Mapping[str, str],
    var_files: Sequence[str],
    targets: Sequence[str],
) -> PlanInputs:
    """The inputs of one request; a CONFIG that is a variables file is one of them. Raises ``UsageError``.

    What the redactor would hide is refused: a run acts on what is on record.
    """
    if targets and action == InfraAction.DESTROY:
        raise UsageError(
            "destroy destroys everything of a configuration; it cannot be limited to a target",
            hint="Remove the block from the configuration, and apply.",
            location="--target",
        )
    for name, value in variables.items():
        if redactor.json({name: value}) != {name: value}:
            raise UsageError(
                f"the value of the variable {name} looks like a secret, which no record may hold",
                hint=f"Set the environment variable TF_VAR_{name} instead.",
                location=name,
            )
    named = [config] if config.endswith(_VARIABLES_FILE) else []
    return PlanInputs(variables=dict(variables), var_files=(*named, *var_files), targets=tuple(targets))


def given_version(ports: Ports, version: str) -> None:
    """A version of the project, by a name that a record may hold. Raises ``UsageError``."""
    if ports.redactor.text(version) != version:
        raise UsageError(
            "the name of this version looks like a secret, which no record may hold",
            hint="Give the commit instead: git rev-parse 'NAME^{commit}'",
            location=version,
        )
    ports.source.resolve(version)


def given_plan_file(plan_file: str, action: str, has_inputs: bool) -> str:
    """The absolute path of a saved plan; empty for none. Raises ``UsageError``."""
    if not plan_file:
        return ""
    if action != InfraAction.APPLY:
        raise UsageError(f"a saved plan can be applied; '{action}' makes one of its own", location="--plan")
    if has_inputs:
        raise UsageError(
            "a saved plan has its variables and targets in it; it takes no others",
            hint="Leave them out, or leave --plan out.",
            location="--plan",
        )
    path = Path(plan_file).resolve()
    if not path.is_file():
        raise UsageError(
            f"there is no plan file '{plan_file}'",
            hint="Write one with `terraform plan -out=FILE`.",
            location=str(path),
        )
    return str(path)
