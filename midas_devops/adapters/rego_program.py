"""Evaluates Rego in a process of its own: ``python -m midas_devops.adapters.rego_program < question``.

The interpreter (``regopy``) cannot be interrupted, and a rule over a large plan can take minutes; a process
can be ended. The question is one JSON document ``{modules: {name: text}, input, data}``, the answer another:
``{packages: {name: {deny: [...], violation: [...], warn: [...]}}}`` or ``{error}``.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from typing import Any

_PACKAGE = re.compile(r"^\s*package\s+([A-Za-z_][\w.]*)", re.MULTILINE)
RULES = ("deny", "violation", "warn")


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """What every package decides about the input."""
    from regopy import Interpreter, LogLevel, RegoError  # type: ignore[import-untyped]

    interpreter = Interpreter()
    interpreter.log_level = LogLevel.NONE
    # Otherwise a rule that calls what is not there is undefined, and denies nothing.
    interpreter.strict_built_in_errors = True
    packages: dict[str, dict[str, list[str]]] = {}
    try:
        for name, text in question["modules"].items():
            named = _PACKAGE.search(text)
            if named is None:
                return {"error": f"{name} has no package"}
            declared = [rule for rule in RULES if re.search(rf"^\s*{rule}\b", text, re.MULTILINE)]
            packages.setdefault(named[1], {}).update({rule: [] for rule in declared})
            interpreter.add_module(name, text)
        interpreter.set_input(question["input"])
        interpreter.add_data(question["data"])
        for package, decided in packages.items():
            for rule in decided:
                output = interpreter.query(f"data.{package}.{rule}")
                if str(output) == "undefined":
                    continue  # it holds for nothing in this plan
                if not output.ok():
                    return {"error": f"the rule {package}.{rule} cannot be evaluated"}
                decided[rule] = _messages(output.results[0].expressions[0])
    except (RegoError, ValueError) as broken:
        return {"error": _first_line(str(broken))}
    return {"packages": packages}


def _messages(value: object) -> list[str]:
    """Rego sets come as lists; those of the older syntax as a mapping whose keys are the members."""
    members = value if isinstance(value, list) else list(value) if isinstance(value, dict) else [value]
    # A rule that is simply true or false says so by its name alone.
    return [_message(member) for member in members if member is not False]


def _message(member: object) -> str:
    if isinstance(member, str) and member.startswith("{"):
        # The key of a mapping was an object.
        with contextlib.suppress(ValueError):
            member = json.loads(member)
    if isinstance(member, dict):
        return str(member.get("msg") or member.get("message") or json.dumps(member, sort_keys=True))
    return "it holds" if member is True else str(member)


def _first_line(error: str) -> str:
    message = re.search(r"\(errormsg \d+:([^)\n]*)", error)
    place = re.search(r"\(error \d+:([^|\s]+)", error)
    told = message[1] if message else "it is no Rego that can be read"
    return f"{place[1]}: {told}" if place else told


if __name__ == "__main__":
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
