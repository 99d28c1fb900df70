"""What the schema alone cannot see: secrets, kinds that this version lacks, names that lead nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from midas_devops.config.deploy_tables import LocalDeploy
from midas_devops.config.gate_tables import ChecksGate
from midas_devops.config.problems import Problem, nearest
from midas_devops.config.schema import PromotionGate, Settings
from midas_devops.config.step_checks import step_problems

_SECRET_KEY = re.compile(
    r"(?:^|[_-])(?:(?:api|private|access)[_-]?key|token|secret|password|passwd|credentials?)$", re.I
)
_SECRET_VALUE = re.compile(
    r"""\bAKIA[0-9A-Z]{16}\b
    | \bgh[pousr]_[A-Za-z0-9]{20,} | \bgithub_pat_\w{20,} | \bglpat-[\w-]{15,}
    | \bxox[abeoprs]-[\w-]{10,} | \bsk-[\w-]{16,}
    | \beyJ[\w-]{8,}\.[\w-]{8,}\.
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY
    """,
    re.X,
)
_URL_PASSWORD = re.compile(r"://[^/\s:@]*:(?P<password>[^@\s/]+)@")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_WHOLE_VARIABLE = re.compile(r"\$\{[^}]*\}")

_SECRET_VARIABLES = {
    "model": 'api_key_env = "OPENAI_API_KEY"',
    "tracker": 'token_env = "GITHUB_TOKEN"',
    "jenkins": 'token_env = "JENKINS_TOKEN"',
}

_NOT_YET = {
    "deploy": ("using", ("jenkins",), "local, command, kubernetes or github_actions"),
}


def refuse_secrets(written: dict[str, Any]) -> list[Problem]:
    """Values that look like secrets and stand in the file itself. The values are not repeated."""
    return [
        Problem(
            path,
            "holds what looks like a secret; secrets never stand in midas.toml",
            hint=_secret_hint(path),
        )
        for path, value in _strings(written, ())
        if _is_secret(path, value)
    ]


def _is_secret(path: tuple[str, ...], value: str) -> bool:
    bare = _WHOLE_VARIABLE.sub("", value)
    if _SECRET_VALUE.search(bare):
        return True
    if (url := _URL_PASSWORD.search(value)) and not _WHOLE_VARIABLE.fullmatch(url["password"]):
        return True
    # A name chosen by the person (an environment called 'token') is no key of ours; a key's value is text.
    return bool(bare.strip() and _SECRET_KEY.search(path[-1]))


def _secret_hint(path: tuple[str, ...]) -> str:
    if path[0] in _SECRET_VARIABLES:
        return f"put it into an environment variable and name that: {_SECRET_VARIABLES[path[0]]}"
    return "put it into an environment variable and write ${NAME} here"


def _strings(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _strings(inner, (*path, str(index)))


def refuse_unavailable(data: dict[str, Any]) -> list[Problem]:
    """Kinds that the format knows and this version does not have."""
    tables: list[tuple[tuple[str, ...], str, Any]] = []
    for name, environment in _named(data, "environments"):
        for part in _NOT_YET:
            tables.append((("environments", name, part), part, environment.get(part)))
    problems = []
    for path, what, table in tables:
        key, names, instead = _NOT_YET[what]
        if isinstance(table, dict) and table.get(key) in names:
            problems.append(
                Problem(
                    (*path, key),
                    f"= '{table[key]}' is not available in this version",
                    hint=f"use {instead}",
                )
            )
    return problems


def _named(data: dict[str, Any], table: str) -> list[tuple[str, dict[str, Any]]]:
    entries = data.get(table)
    if not isinstance(entries, dict):
        return []
    return [(name, entry) for name, entry in entries.items() if isinstance(entry, dict)]


def cross_check(settings: Settings) -> list[Problem]:
    """Names that are used but not defined, promotion that runs in a circle, ports that collide."""
    return [
        *_names(settings),
        *_gate_names(settings),
        *_promotions(settings),
        *_checks_without_repository(settings),
        *_ports(settings),
        *_folders(settings),
        *_engines(settings),
        *step_problems(settings),
    ]


def _names(settings: Settings) -> Iterator[Problem]:
    # A name becomes part of file names, lease names and command lines.
    for table in ("gates", "environments"):
        for name in getattr(settings, table):
            if not _NAME.fullmatch(name):
                yield Problem(
                    (table, name),
                    "is no usable name",
                    hint="use letters, digits, '-', '_' and '.', beginning with a letter or digit",
                )


def _gate_names(settings: Settings) -> Iterator[Problem]:
    for name, environment in settings.environments.items():
        used: list[tuple[tuple[str, ...], str]] = [(("gates",), gate) for gate in environment.gates]
        if environment.infrastructure:
            used += [(("infrastructure", "gates"), gate) for gate in environment.infrastructure.gates]
        for keys, gate in used:
            if gate not in settings.gates:
                yield Problem(
                    ("environments", name, *keys),
                    f"names the gate '{gate}', which is not defined",
                    hint=_defined(gate, list(settings.gates), "gate", f"add a table [gates.{gate}]"),
                )


def _promotions(settings: Settings) -> Iterator[Problem]:
    known = list(settings.environments)
    for name, gate in settings.gates.items():
        if isinstance(gate, PromotionGate) and gate.from_ not in known:
            yield _no_such_environment(("gates", name, "from"), gate.from_, known)
    for name, environment in settings.environments.items():
        source = environment.promotes_from
        path = ("environments", name, "promotes_from")
        if source and source not in known:
            yield _no_such_environment(path, source, known)
        elif source and (circle := _circle(settings, name)):
            yield Problem(
                path,
                f"runs in a circle: {' → '.join(circle)}",
                hint="one environment has to come first: leave its promotes_from out",
            )


def _checks_without_repository(settings: Settings) -> Iterator[Problem]:
    for name, gate in settings.gates.items():
        if isinstance(gate, ChecksGate) and not settings.project.repository:
            yield Problem(
                ("gates", name, "kind"),
                "= 'github_checks' needs the repository that is asked",
                hint='set repository = "owner/name" in [project]',
            )


def _no_such_environment(path: tuple[str, ...], name: str, known: list[str]) -> Problem:
    return Problem(
        path,
        f"names the environment '{name}', which is not defined",
        hint=_defined(name, known, "environment", f"add a table [environments.{name}]"),
    )


def _circle(settings: Settings, start: str) -> list[str]:
    walked = [start]
    while source := settings.environment(walked[-1]).promotes_from:
        walked.append(source)
        if source == start:
            return walked
        if source in walked[:-1] or source not in settings.environments:
            return []
    return []


def _ports(settings: Settings) -> Iterator[Problem]:
    taken: dict[int, str] = {}
    for name, environment in settings.environments.items():
        if not isinstance(environment.deploy, LocalDeploy):
            continue
        port = environment.deploy.port
        if port in taken:
            yield Problem(
                ("environments", name, "deploy", "port"),
                f"= {port} is the port of environments.{taken[port]} already",
                hint="give each local environment a port of its own",
            )
        taken.setdefault(port, name)


def _engines(settings: Settings) -> Iterator[Problem]:
    for name, environment in settings.environments.items():
        infrastructure = environment.infrastructure
        if infrastructure is None or infrastructure.engine != "pulumi":
            continue
        for key in ("vars", "var_files", "backend", "backend_files"):
            if getattr(infrastructure, key):
                yield Problem(
                    ("environments", name, "infrastructure", key),
                    "is Terraform's; Pulumi has no such thing",
                    hint="set values in Pulumi.STACK.yaml and the backend by PULUMI_BACKEND_URL",
                )


def _folders(settings: Settings) -> Iterator[Problem]:
    taken: dict[tuple[str, str], str] = {}
    for name, environment in settings.environments.items():
        if not environment.infrastructure:
            continue
        folder = environment.infrastructure.config.rstrip("/").removeprefix("./")
        # One folder serves several environments when each has a state of its own.
        state = folder, environment.infrastructure.workspace
        if state in taken:
            where = f" in workspace {state[1]}" if state[1] else ""
            yield Problem(
                ("environments", name, "infrastructure", "config"),
                f"= '{folder}' is the configuration of environments.{taken[state]} already{where}",
                hint="a configuration belongs to one environment, or nobody can tell which rules hold for it",
            )
        taken.setdefault(state, name)


def _defined(name: str, known: list[str], what: str, otherwise: str) -> str:
    meant = nearest(name, known)
    if meant:
        return f"did you mean '{meant}'?"
    return f"defined {what}s: {', '.join(known)}" if known else otherwise
