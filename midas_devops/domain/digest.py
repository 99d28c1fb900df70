"""You approve a digest, not a title (rule 3)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from midas_devops.domain.changes import ChangePlan
from midas_devops.domain.gates import GateReport


def canonical_json(value: Any) -> bytes:
    """One byte string per JSON value: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256_hex(data: bytes) -> str:
    """SHA-256 as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def digest_parts(
    plan: ChangePlan, gates: GateReport, rules: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Everything an approval is bound to, by name, so that a refusal can say which part moved.

    ``rules`` are those of midas.toml that the question was put by: what is withdrawn there is withdrawn.
    """
    return {
        "plan": plan.saved_plan.sha256 if plan.saved_plan else "",
        "configuration": plan.config_sha256,
        "commit": plan.commit,
        "environment": plan.environment,
        "state": {"lineage": plan.state.lineage, "serial": plan.state.serial},
        "workspace": plan.state.workspace,
        "targets": list(plan.targets),
        "running": plan.running,
        "gates": [
            {"name": gate.name, "verdict": gate.verdict, "evidence": gate.evidence_sha256}
            for gate in gates.gates
        ],
        "rules": dict(rules or {}),
    }


def digest_of(parts: dict[str, Any]) -> str:
    """The digest of :func:`digest_parts`."""
    return sha256_hex(canonical_json(parts))


def moved_parts(approved: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Names of the parts that differ, in a stable order. Empty when the digest still holds."""
    return [name for name in approved if approved[name] != now.get(name)]
