"""The guard's report as SARIF 2.1.0, for code scanning.

Format: https://docs.oasis-open.org/sarif/sarif/v2.1.0/. The same plan gives the same bytes: no times, no ids.
"""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from midas_devops import __version__
from midas_devops.domain.changes import Finding, GuardReport, GuardVerdict

Json = dict[str, Any]

RULES = {
    "protected_list": "The environment protects this address, and the plan destroys what is there.",
    "stateful_type": "The plan destroys a resource that holds what no configuration brings back.",
    "production": "The plan destroys a resource in production.",
    "destroyed": "The plan destroys a resource.",
    "unknown_action": "The plan does something that is not known to be harmless.",
}
"""Every rule of :mod:`midas_devops.domain.guard`, by the name that its findings carry."""
_HELP = "A change that deletes, replaces or forgets a resource is approved by a person, or not made."


def guard_sarif(report: GuardReport, environment: str, *, production: bool, plan_file: str = "") -> str:
    """The report as the text of a SARIF log.

    A finding is an ``error`` in a blocked plan, a ``warning`` where it needs approval, else a ``note``. Its
    logical location is the address; ``plan_file`` becomes the physical one, which code scanning asks for.
    """
    names = list(RULES)
    places = _physical(plan_file)
    results = [
        {
            "ruleId": finding.rule,
            "ruleIndex": names.index(finding.rule),
            "level": _level(report, finding, production=production),
            "message": {"text": _sentence(finding, report, environment)},
            "locations": [
                {
                    **places,
                    "logicalLocations": [
                        {
                            "name": finding.address,
                            "fullyQualifiedName": finding.address,
                            "kind": "resource",
                        }
                    ],
                }
            ],
            # Without it a scanner takes findings of one file and line for one and the same.
            "partialFingerprints": {"address/v1": finding.address},
            "properties": {"actions": list(finding.actions), "type": finding.type},
        }
        for finding in report.findings
    ]
    run: Json = {
        "tool": {
            "driver": {
                "name": "midas-devops",
                "version": __version__,
                "rules": [_rule(name, text) for name, text in RULES.items()],
            }
        },
        "invocations": [{"executionSuccessful": True}],
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {
            "verdict": str(report.verdict),
            "environment": environment,
            "production": production,
            "wholeEnvironment": report.whole_environment,
        },
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(log, indent=2) + "\n"


def _rule(name: str, text: str) -> Json:
    return {
        "id": name,
        "shortDescription": {"text": text},
        "help": {"text": _HELP},
        "defaultConfiguration": {"level": "note" if name == "destroyed" else "warning"},
    }


def _level(report: GuardReport, finding: Finding, *, production: bool) -> str:
    """Which of the findings are why the verdict is what it is."""
    if report.verdict is GuardVerdict.BLOCKED:
        return "error"
    if report.verdict is GuardVerdict.ALLOWED:
        return "note"
    everything = production or report.whole_environment
    # An unknown action is named as such even where the address is protected as well.
    asked_for = finding.rule in ("protected_list", "unknown_action")
    return "warning" if everything or asked_for else "note"


def _sentence(finding: Finding, report: GuardReport, environment: str) -> str:
    last = f"; nothing of '{environment}' would be left" if report.whole_environment else ""
    return f"{finding.address}: {finding.reason}{last}."


def _physical(plan_file: str) -> Json:
    if not plan_file:
        return {}
    path = PurePath(plan_file)
    uri = path.as_uri() if path.is_absolute() else quote(path.as_posix())
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}}
