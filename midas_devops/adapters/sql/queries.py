"""Every read of the ledger, once, in SQL that SQLite and PostgreSQL share. Parameters are ``:name``.

Kept apart from SQLAlchemy so that commands which only look something up start without it. An empty string
as a filter means any. ``number`` grows with every row, whatever the clock does.
"""

from __future__ import annotations

SCHEMA_VERSION = "SELECT value FROM midas_meta WHERE name = 'schema_version'"

RUN = """
SELECT * FROM midas_runs WHERE run_id = :run_id
"""

RUNS_BY_PREFIX = """
SELECT * FROM midas_runs WHERE substr(run_id, 1, :length) = :prefix LIMIT 2
"""

RUNS = """
SELECT * FROM midas_runs
WHERE (:environment = '' OR environment = :environment)
ORDER BY number DESC LIMIT :limit
"""

EFFECT = "SELECT * FROM midas_effects WHERE effect_key = :effect_key"

EFFECTS = "SELECT * FROM midas_effects WHERE run_id = :run_id ORDER BY number"

APPROVALS = """
SELECT * FROM midas_approvals WHERE run_id = :run_id AND digest = :digest ORDER BY number
"""

LEASE = "SELECT * FROM midas_leases WHERE resource = :resource"

DEPLOYMENT = "SELECT * FROM midas_deployments WHERE number = :number"

DEPLOYMENTS = """
SELECT * FROM midas_deployments
WHERE (:environment = '' OR environment = :environment)
ORDER BY number DESC LIMIT :limit
"""

# A commit that failed a later verification in the same environment is not verified any more, whichever
# of its deployments passed before.
LAST_VERIFIED = """
SELECT * FROM midas_deployments AS good
WHERE environment = :environment AND verified = 1 AND commit_sha <> :other_than
AND NOT EXISTS (
    SELECT 1 FROM midas_blocked_versions AS blocked
    WHERE blocked.environment = good.environment AND blocked.commit_sha = good.commit_sha
    AND blocked.lifted_at = ''
)
AND NOT EXISTS (
    SELECT 1 FROM midas_deployments AS bad
    WHERE bad.environment = good.environment AND bad.commit_sha = good.commit_sha AND bad.verified = 0
    AND (bad.number > good.number OR bad.verified_at > good.verified_at)
)
ORDER BY number DESC LIMIT 1
"""

BLOCKED_VERSIONS = """
SELECT * FROM midas_blocked_versions
WHERE environment = :environment AND lifted_at = ''
ORDER BY number DESC
"""

LAST_GOOD_APPLY = """
SELECT * FROM midas_applies
WHERE environment = :environment AND config = :config AND ok = 1
ORDER BY number DESC LIMIT 1
"""

# Messages of one state, in the order in which they are to be told.
MESSAGES = """
SELECT * FROM midas_outbox WHERE state = :state ORDER BY number LIMIT :limit
"""

MESSAGE = "SELECT * FROM midas_outbox WHERE message_key = :message_key"

AUDITED = """
SELECT * FROM midas_audit WHERE event = :event ORDER BY sequence DESC LIMIT :limit
"""

AUDIT_HEAD = "SELECT value FROM midas_meta WHERE name = 'audit_head'"

AUDIT_PAGE = """
SELECT * FROM midas_audit
WHERE sequence > :after AND (:run_id = '' OR run_id = :run_id)
ORDER BY sequence LIMIT :limit
"""


def needs_version(sql: str) -> int:
    """Schema version that brought what a query reads; in an earlier one it finds nothing."""
    return 2 if sql in (MESSAGES, MESSAGE) else 1
