"""``config_details``: what a caller may say about the wanted pipeline. Everything else is an error."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from midas_devops.errors import UsageError
from midas_devops.nearest import did_you_mean
from midas_devops.safety.secret_names import holds_secret

Platform = Literal["github-actions", "jenkins"]

_VERSION = re.compile(r"\d+(\.\d+){0,2}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/*-]{0,199}")
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._/:@-]{0,254}")
_RUNNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PAIR = re.compile(r"[1-9]\d{0,4}:[1-9]\d{0,4}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TAG = re.compile(r"v\d{1,9}(\.\d{1,9}){0,2}")
_VALUE = re.compile(r"[^\x00-\x1f\x7f\x85\u2028\u2029]{0,500}")


def _matching(pattern: re.Pattern[str], what: str) -> AfterValidator:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"is no {what}")
        return text

    return AfterValidator(check)


def _command(text: str) -> str:
    """One line that cannot break out of its place in the file, and no expression of the platform."""
    if not text.strip() or text != text.strip() or not _VALUE.fullmatch(text) or not text.isprintable():
        raise ValueError("is no command: one printable line, not empty, no space around it")
    if "${{" in text:
        raise ValueError("holds an expression of the platform: put it into an environment variable")
    if "'''" in text or text.endswith("\\"):
        raise ValueError("cannot be written safely into a pipeline")
    return text


Version = Annotated[str, _matching(_VERSION, "version such as 3.12")]
Name = Annotated[str, _matching(_NAME, "name: letters, digits, - and _")]
Variable = Annotated[str, _matching(_VARIABLE, "name of a variable")]
Branch = Annotated[str, _matching(_BRANCH, "branch name")]
Image = Annotated[str, _matching(_IMAGE, "container image")]
Runner = Annotated[str, _matching(_RUNNER, "runner label")]
Command = Annotated[str, AfterValidator(_command)]
PortPair = Annotated[str, _matching(_PAIR, "pair of ports, host:container")]
PlainValue = Annotated[str, _matching(_VALUE, "one line of text")]


class _Details(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ServiceDetails(_Details):
    """A container that the tests need beside them."""

    image: Image
    ports: tuple[Annotated[int, Field(ge=1, le=65535)] | PortPair, ...] = ()
    """A number, or ``host:container`` where they differ."""
    env: dict[Variable, PlainValue] = {}
    throwaway: tuple[Variable, ...] = ()
    """Variables that get the value ``throwaway``: passwords of a container that lives for one job."""
    health_command: Command | None = None
    """Run inside the container until it succeeds, before the tests begin."""


class DeployDetails(_Details):
    """One environment of midas.toml that the pipeline deploys to, in the order given."""

    name: Name
    branch: Branch | None = None
    """Only pushes to it deploy. Default: the first of ``branches``."""
    pass_env: tuple[Variable, ...] = ()
    """Names of the platform's secrets that the deploy step gets as environment variables."""


class PinDetails(_Details):
    """A release of an action, at its commit."""

    sha: Annotated[str, _matching(_COMMIT, "full commit")]
    version: Annotated[str, _matching(_TAG, "version such as v5.0.1")]


class PipelineDetails(_Details):
    """What the pipeline should be, where the repository alone does not say it."""

    platform: Platform = "github-actions"
    branches: Annotated[tuple[Branch, ...], Field(min_length=1)] = ("main",)
    runner: Runner | None = None
    """Runner label on GitHub (default ubuntu-24.04), agent label on Jenkins (default: any agent)."""
    python_versions: tuple[Version, ...] = ()
    node_versions: tuple[Version, ...] = ()
    build: Command | None = None
    test: Command | None = None
    lint: Command | None = None
    """Overrides for a repository of one component. ``{junit}`` in ``test`` is the report to write."""
    services: dict[Name, ServiceDetails] = {}
    environments: tuple[DeployDetails, ...] = ()
    timeout_minutes: Annotated[int, Field(ge=1, le=360)] = 20
    scan: bool = True
    pins: dict[str, PinDetails] = {}
    """Actions at other releases than the shipped ones: what ``--refresh-pins`` resolved."""
    deployer_install: Command | None = None
    """How the deploy job gets ``midas-devops``. Default: pip, at the version that wrote the pipeline."""


def parse_details(given: Mapping[str, object]) -> PipelineDetails:
    """Raises ``UsageError`` that lists every mistake; unknown keys come with what was probably meant."""
    try:
        details = PipelineDetails.model_validate(dict(given))
    except ValidationError as refused:
        problems = [_problem(dict(item)) for item in refused.errors(include_url=False)]
        hints = [hint for _, hint in problems if hint]
        raise UsageError(
            "config_details cannot be used: " + "; ".join(text for text, _ in problems),
            hint=" ".join(dict.fromkeys(hints)) or "See docs/pipelines.md for every key.",
            location="config_details",
        ) from refused
    _no_repeats(details)
    _no_secrets(details, given)
    return details


def _no_secrets(details: PipelineDetails, given: Mapping[str, object]) -> None:
    """Pipeline files are read by everybody, and a redacted value would be rendered as such."""
    named = [
        f"services.{name}.env.{variable}"
        for name, service in details.services.items()
        for variable in service.env
        if holds_secret(variable)
    ]
    if named or "[redacted:" in json.dumps(given, default=str):
        raise UsageError(
            f"config_details cannot be used: {', '.join(named) or 'a value in it'} is a secret, and a"
            " pipeline file is no place for one",
            hint="Name the variable in throwaway (service containers) or pass_env (deploys).",
            location="config_details",
        )


def _no_repeats(details: PipelineDetails) -> None:
    for key, names in (
        ("environments", [environment.name.lower() for environment in details.environments]),
        ("python_versions", list(details.python_versions)),
        ("node_versions", list(details.node_versions)),
    ):
        if len(set(names)) < len(names):
            raise UsageError(
                f"config_details cannot be used: {key} names one of them twice",
                hint="Name each once.",
                location=f"config_details: {key}",
            )


_MODELS: dict[str, type[BaseModel]] = {
    "services": ServiceDetails,
    "environments": DeployDetails,
    "pins": PinDetails,
}


def _problem(item: dict[str, object]) -> tuple[str, str]:
    location = item["loc"]
    path = tuple(str(part) for part in location) if isinstance(location, tuple) else ()
    key = ".".join(path)
    if item["type"] == "extra_forbidden":
        model = _MODELS.get(path[0], PipelineDetails) if len(path) > 1 else PipelineDetails
        known = list(model.model_fields)
        return f"'{key}' is not known", did_you_mean(path[-1], known) or f"Known: {', '.join(known)}."
    said = str(item["msg"]).removeprefix("Value error, ")
    hint = ""
    if item["type"] == "literal_error":
        hint = did_you_mean(str(item["input"]), ("github-actions", "jenkins"))
    shown = str(item["input"])
    quoted = f" (got '{shown[:40]}')" if item["type"] != "missing" else ""
    return f"{key}: {said}{quoted}", hint
