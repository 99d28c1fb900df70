"""A gate of kind ``rego``: a team's policies in Rego, by conftest's convention, over the plan's JSON.

``input`` is the document of ``terraform show -json``; ``data.midas`` holds ``environment``, ``kind`` and
``production``. Every message of a ``deny`` or ``violation`` rule, in whatever package, denies; those of
``warn`` are told. https://www.openpolicyagent.org/docs/terraform, https://www.conftest.dev
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from midas_devops.adapters.ask import printable
from midas_devops.domain.digest import canonical_json, sha256_hex
from midas_devops.domain.plan_document import as_utf8
from midas_devops.errors import MissingExtraError
from midas_devops.ports.policy import PolicyReading
from midas_devops.ports.results import ReadErrorCode, ReadFailure

EXTRA = "policies"
_LONGEST_MESSAGE = 300
_MOST_MESSAGES = 200


class RegoPolicies:
    """Policies below the project. Raises ``MissingExtraError`` when the interpreter is not installed."""

    def __init__(self, root: Path, paths: tuple[str, ...], within: timedelta) -> None:
        if importlib.util.find_spec("regopy") is None:
            raise MissingExtraError("judging a plan by Rego", EXTRA)
        self._root = root
        self._paths = paths
        self._within = within

    def read(self, plan_json: bytes, facts: Mapping[str, object]) -> PolicyReading:
        """What every policy says about this plan."""
        files = sorted(set(self._files()))
        named = tuple(file.relative_to(self._root).as_posix() for file in files)
        if not files:
            return _failed("missing", f"no policy is at {', '.join(self._paths)}", ())
        try:
            modules = {
                name: file.read_text(encoding="utf-8") for name, file in zip(named, files, strict=True)
            }
            question = {"modules": modules, "input": json.loads(as_utf8(plan_json)), "data": {"midas": facts}}
        except (OSError, ValueError) as error:
            return _failed("unreadable", f"the policies or the plan cannot be read: {error}", named)
        decided = self._asked(json.dumps(question))
        if isinstance(decided, str):
            return _failed("unavailable", decided, named)
        denied = _told(decided, "deny", "violation")
        warned = _told(decided, "warn")
        return PolicyReading(
            packages=tuple(package for package, rules in decided.items() if rules),
            denied=denied,
            warned=warned,
            evidence=named,
            sha256=sha256_hex(canonical_json([modules, denied, warned])),
        )

    def _files(self) -> Iterator[Path]:
        for pattern in self._paths:
            for file in self._root.glob(pattern):
                # A test of a policy is Rego as well, and decides nothing about a plan.
                if file.is_file() and not file.name.endswith("_test.rego"):
                    yield file

    def _asked(self, question: str) -> dict[str, dict[str, list[str]]] | str:
        """The decisions by package, or why there are none."""
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "midas_devops.adapters.rego_program"],
                input=question.encode(),
                capture_output=True,
                timeout=self._within.total_seconds(),
                check=True,
            )
            answer = json.loads(ended.stdout)
        except subprocess.TimeoutExpired:
            return f"the policies did not decide within {self._within.total_seconds():.0f} s"
        except (OSError, subprocess.CalledProcessError, ValueError) as broken:
            return f"the policies could not be evaluated: {type(broken).__name__}"
        error = answer.get("error")
        if error:
            return f"the policies cannot be evaluated: {printable(error)}"
        packages: dict[str, dict[str, list[str]]] = answer["packages"]
        return packages


def _told(decided: Mapping[str, Mapping[str, list[str]]], *rules: str) -> tuple[str, ...]:
    messages = [
        f"{package}: {printable(message)[:_LONGEST_MESSAGE]}"
        for package, by_rule in decided.items()
        for rule in rules
        for message in by_rule.get(rule, ())
    ]
    return tuple(messages[:_MOST_MESSAGES])


def _failed(code: ReadErrorCode, message: str, evidence: tuple[str, ...]) -> PolicyReading:
    return PolicyReading(failure=ReadFailure(code=code, message=message), evidence=evidence)
