"""Two runs as ``Run.to_json`` gives them: one that was rolled back, one that waits for a person."""

from __future__ import annotations

from typing import Any

_STEPS = [
    ("retrieve", "2 passages"),
    ("plan", "v1.0.0 → v1.1.0, 2 commits"),
    ("gate_check", "tests: passed, security: passed"),
    ("record_review", "approved by ben: reviewed in #42"),
    ("deploy", "the candidate never became healthy; v1.0.0 serves"),
    ("diagnose", "health_check_failed (93 %)"),
    ("rollback", "back on v1.0.0"),
    ("verify", "passed: healthy after 2 attempts"),
    ("report", "rolled_back"),
]

ROLLED_BACK: dict[str, Any] = {
    "run_id": "run-20261122-181957-3f9a1c",
    "operation": "deploy_release",
    "environment": "staging",
    "status": "rolled_back",
    "started_at": "2026-11-22T18:19:57.120+00:00",
    "ended_at": "2026-11-22T18:20:16.900+00:00",
    "requested_by": "ana",
    "exit_code": 5,
    "request": {"operation": "deploy_release", "version": "v1.1.0", "environment": "staging"},
    "url": "http://127.0.0.1:8081",
    "plan": {
        "digest": "9f2c" * 16,
        "add": 0,
        "change": 0,
        "destroy": 0,
        "replace": 0,
        "forget": 0,
        "has_changes": True,
        "summary": "orders v1.0.0 → v1.1.0",
        "guard": "allowed",
        "protected": [],
        "findings": [],
        "release": {
            "from_commit": "a1b2c3d4e5f6a7b8c9d0",
            "from_version": "v1.0.0",
            "to_commit": "ffeeddccbbaa99887766",
            "to_version": "v1.1.0",
            "commits": ["ffeeddc Read the price list from the environment", "bbccdde Round to cents"],
            "commits_total": 2,
            "files_changed": 3,
            "warnings": ["this release touches 1 migration"],
            "effects": ["export commit ffeeddccbb", "check the candidate", "switch port 8081"],
        },
        "revert_to": "",
        "notes": [],
    },
    "gates": [
        {
            "name": "tests",
            "verdict": "passed",
            "reason": "42 passed, none failed",
            "commit": "ffeeddccbbaa99887766",
            "evidence": ["reports/ffeeddccbbaa99887766/junit.xml"],
            "measured_at": "2026-11-22T18:18:02+00:00",
        },
        {
            "name": "security",
            "verdict": "inconclusive",
            "reason": "the newest report is 31 h old, older than 24 h",
            "commit": None,
            "evidence": [],
            "measured_at": None,
        },
    ],
    "pending": None,
    "approvals": [
        {
            "at": "2026-11-22T18:20:01+00:00",
            "decision": "approve",
            "by": "ben",
            "reason": "reviewed in #42",
            "digest": "9f2c" * 16,
            "kind": "approval",
        }
    ],
    "outcome": {"ok": False, "summary": "the candidate never became healthy"},
    "verification": {
        "verdict": "passed",
        "summary": "healthy after 2 attempts",
        "checks": ["GET http://127.0.0.1:8081/health: 200 in 12 ms"],
    },
    "diagnosis": {
        "category": "health_check_failed",
        "summary": "The service answers 500 because the variable PRICE_LIST is not set.",
        "confidence": 0.93,
        "retryable": False,
        "spans": [
            {
                "file": "artifact:" + "ab12" * 16,
                "first_line": 118,
                "last_line": 121,
                "text": "Traceback (most recent call last):\n"
                '  File "app.py", line 41, in health\n'
                '    prices = load(os.environ["PRICE_LIST"])\n'
                "KeyError: 'PRICE_LIST'",
            },
            {
                "file": "app.py",
                "first_line": 41,
                "last_line": 41,
                "text": '    prices = load(os.environ["PRICE_LIST"])',
            },
        ],
        "causes": ["The release reads PRICE_LIST, which this environment does not set."],
        "remedies": ["Set PRICE_LIST for staging.", "Give it a default in app.py."],
        "sources": ["catalogue:python-keyerror-environ"],
        "verdict": "conclusive",
        "dropped_claims": 1,
    },
    "recovery": {
        "kind": "rollback",
        "reason": "v1.0.0 is the last verified version",
        "to_commit": "a1b2c3d4e5",
        "to_version": "v1.0.0",
        "ok": True,
        "ask": False,
    },
    "effects": [
        {
            "key": "run-20261122-181957-3f9a1c/9f2c9f2c/deploy",
            "what": "deploy v1.1.0 to staging",
            "state": "done",
            "receipt": {"ok": False, "summary": "v1.0.0 (a1b2c3d4e5) serves"},
        },
        {
            "key": "run-20261122-181957-3f9a1c/9f2c9f2c/rollback",
            "what": "roll back to v1.0.0",
            "state": "done",
        },
    ],
    "reason": "",
    "report": {
        "status": "rolled_back",
        "summary": "The service answers 500; back on v1.0.0",
        "degraded": ["no model is configured: plans and diagnoses are by rules alone"],
    },
    "artifacts": {"saved_plan": "artifact:" + "cd34" * 16, "log_1": "artifact:" + "ab12" * 16},
    "timeline": [
        {"at": f"2026-11-22T18:20:{8 + number:02d}.120+00:00", "node": node, "what": what}
        for number, (node, what) in enumerate(_STEPS)
    ],
}

WAITING: dict[str, Any] = {
    **ROLLED_BACK,
    "operation": "manage_infrastructure",
    "environment": "production",
    "status": "awaiting_approval",
    "ended_at": None,
    "exit_code": 3,
    "request": {"action": "apply", "config": "infra/production"},
    "url": "",
    "plan": {
        **ROLLED_BACK["plan"],
        "add": 2,
        "change": 1,
        "destroy": 1,
        "replace": 1,
        "release": None,
        "guard": "needs_approval",
        "protected": ["aws_db_instance.orders", "aws_s3_bucket.logs"],
        "summary": "2 to add, 1 to change, 1 to replace, 1 to destroy",
        "findings": [
            {
                "address": "aws_db_instance.orders",
                "actions": ["delete"],
                "type": "aws_db_instance",
                "rule": "stateful_type",
                "reason": "it would be deleted, and what this database holds is not in the configuration",
            },
            {
                "address": "aws_s3_bucket.logs",
                "actions": ["delete", "create"],
                "type": "aws_s3_bucket",
                "rule": "stateful_type",
                "reason": "it would be replaced (destroyed first)",
            },
        ],
    },
    "pending": {
        "kind": "approval",
        "digest": "9f2c" * 16,
        "question": "Apply infra/production to production? It destroys aws_db_instance.orders.",
        "addresses": ["aws_db_instance.orders", "aws_s3_bucket.logs"],
        "addresses_total": 2,
        "asked_at": "2026-11-22T18:20:16+00:00",
        "expires_at": "2026-11-23T18:20:16+00:00",
        "approvals_needed": 2,
        "confirm_word": "",
    },
    "approvals": [],
    "outcome": None,
    "verification": None,
    "diagnosis": None,
    "recovery": None,
    "effects": [
        {"key": "k", "what": "apply apply infra/production on production: 2 to add", "state": "not_begun"}
    ],
    "report": None,
    "timeline": ROLLED_BACK["timeline"][:3],
}
