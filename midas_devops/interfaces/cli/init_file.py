"""The text of a first midas.toml, from what was found in the repository."""

from __future__ import annotations

import json
from collections.abc import Sequence

from midas_devops.interfaces.cli.detect import Findings, Service

_HEAD = """\
# midas.toml: how this project is planned, checked, deployed and kept safe.
# Unknown keys are errors. ${VAR} reads the environment; secrets never stand here.
"""

_MODEL = """
# A language model makes plans and diagnoses better; nothing needs one.
# [model]
# name = "gpt-5-mini"
# base_url = "https://api.openai.com/v1"   # any OpenAI-compatible endpoint
# api_key_env = "OPENAI_API_KEY"           # the name of a variable, not a key
"""

_KNOWLEDGE = """
[knowledge]
sources = {sources}   # what retrieval may quote in plans and diagnoses
"""

_TESTS = """
# A release needs a passing test report for exactly its commit (tests: {tests}).
#   {how}
[gates.tests]
kind = "junit"
path = "reports/{{commit}}/junit.xml"
max_age = "24h"
"""

_SECURITY = """
# A scan as a second gate: write SARIF there, then add "security" to an environment's gates.
# [gates.security]
# kind = "sarif"
# path = "reports/{commit}/*.sarif"
# fail_on = "error"                        # error | warning | note
"""

_KIND_NOTE = {
    "development": "nobody is asked; the guard still protects what is on the list",
    "staging": "a failed release rolls back by itself; nobody is asked",
    "production": "every change needs an approval, and whatever it destroys is named",
}
_PORTS = {"production": 8080, "staging": 8081, "development": 8082}


def render(found: Findings) -> str:
    """A commented midas.toml."""
    environments = _environments(found)
    parts = [_HEAD, f"\n[project]\nname = {_text(found.name)}\n"]
    if found.repository:
        parts.append(f"repository = {_text(found.repository)}\n")
    parts.append(_MODEL)
    if found.infrastructure:
        folders = sorted({folder.split("/")[0] for folder in found.infrastructure.values()})
        sources = [f"{folder}/**/*.tf" if folder != "." else "*.tf" for folder in folders]
        parts.append(_KNOWLEDGE.format(sources=_list([*sources, "docs/**/*.md"])))
    if found.tests:
        parts.append(_TESTS.format(tests=found.tests, how=_how_to_test(found.service)))
    parts.append(_SECURITY)
    previous = ""
    ports: set[int] = set()
    for name, kind in environments:
        port = _PORTS[kind]
        while port in ports:
            port += 10
        ports.add(port)
        parts.append(_environment(found, name, kind, previous, port))
        previous = name
    return "".join(parts)


def _environments(found: Findings) -> list[tuple[str, str]]:
    """Least to most at stake, so that each promotes from the one before."""
    kinds = dict(found.kinds)
    if found.service:
        for kind in ("staging", "production"):
            if kind not in kinds.values():
                kinds[kind] = kind
    if not kinds:
        kinds["production"] = "production"
    order = list(_KIND_NOTE)
    return sorted(kinds.items(), key=lambda item: (order.index(item[1]), item[0]))


def _environment(found: Findings, name: str, kind: str, previous: str, port: int) -> str:
    lines = [f"\n# {_KIND_NOTE[kind]}", f"[environments.{name}]", f'kind = "{kind}"']
    if found.service:
        if kind == "production" and previous:
            lines.append(f"promotes_from = {_text(previous)}   # the same commit, verified there first")
        gates = ["tests"] if found.tests and kind != "development" else []
        lines.append(f"gates = {_list(gates)}")
    lines.append(f"approvals = {1 if kind == 'production' else 0}")
    if found.service:
        lines += _deploy(found.service, name, port, found.health)
    if folder := found.infrastructure.get(name):
        lines += [
            f"\n[environments.{name}.infrastructure]",
            f"config = {_text(folder)}",
            "protected = []                             # address globs, on top of the stateful types",
            "allow_destroy = false",
        ]
    return "\n".join(lines) + "\n"


def _deploy(service: Service, name: str, port: int, health: str) -> list[str]:
    lines = [
        f"\n[environments.{name}.deploy]             # {service.language}, from {service.found}",
        'using = "local"                           # or "command", for anything that can be called',
    ]
    if service.build:
        lines.append(f"build = {_list(service.build)}")
    lines += [
        f"start = {_list(service.start)}   # PORT is set, and {{port}} is filled in",
        f"port = {port}",
        f'health = {{ path = {_text(health)}, status = 200, within = "20s" }}',
    ]
    return lines


def _how_to_test(service: Service | None) -> str:
    language = service.language if service else ""
    if language == "Node.js":
        return "npx jest --reporters=jest-junit, into reports/$(git rev-parse HEAD)/junit.xml"
    if language == "Go":
        return "gotestsum --junitfile reports/$(git rev-parse HEAD)/junit.xml"
    return "pytest --junitxml=reports/$(git rev-parse HEAD)/junit.xml"


def _text(value: str) -> str:
    # JSON's strings are TOML's basic strings.
    return json.dumps(value, ensure_ascii=False)


def _list(values: Sequence[str]) -> str:
    return "[" + ", ".join(map(_text, values)) + "]"
