"""The ledger's tables. Times are ISO 8601 texts in UTC, JSON is text, a truth value is 0, 1 or nothing."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    inspect,
    select,
    update,
)

VERSION = 2
"""2 added the outbox, and when a deployed commit was made."""

metadata = MetaData()


def _number() -> Column[int]:
    """Grows with every row, so that "newest" does not hang on a clock."""
    return Column(
        "number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )


def _text(name: str, *, primary_key: bool = False) -> Column[str]:
    return Column(name, String, primary_key=primary_key, nullable=False)


meta = Table("midas_meta", metadata, _text("name", primary_key=True), _text("value"))

runs = Table(
    "midas_runs",
    metadata,
    _number(),
    Column("run_id", String, nullable=False, unique=True),
    _text("operation"),
    _text("environment"),
    _text("status"),
    _text("started_at"),
    _text("ended_at"),
    _text("requested_by"),
    Column("record", Text, nullable=False),
    Index("midas_runs_environment", "environment", "number"),
    sqlite_autoincrement=True,
)

effects = Table(
    "midas_effects",
    metadata,
    _number(),
    Column("effect_key", String, nullable=False, unique=True),
    Column("run_id", String, nullable=False, index=True),
    _text("what"),
    _text("state"),
    Column("receipt", Text, nullable=False),
    _text("begun_at"),
    _text("ended_at"),
    sqlite_autoincrement=True,
)

approvals = Table(
    "midas_approvals",
    metadata,
    _number(),
    _text("run_id"),
    _text("digest"),
    _text("approved_by"),
    _text("reason"),
    _text("given_at"),
    _text("expires_at"),
    _text("consumed_at"),
    UniqueConstraint("run_id", "digest", "approved_by"),
    sqlite_autoincrement=True,
)

leases = Table(
    "midas_leases",
    metadata,
    _text("resource", primary_key=True),
    _text("run_id"),
    Column("token", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    _text("acquired_at"),
    _text("beat_at"),
    # A released lease keeps its row: its token must never be given out again.
    Column("held", Integer, nullable=False),
)

deployments = Table(
    "midas_deployments",
    metadata,
    _number(),
    _text("run_id"),
    _text("environment"),
    _text("version"),
    _text("commit_sha"),
    _text("kind"),
    _text("started_at"),
    _text("ended_at"),
    _text("status"),
    Column("verified", Integer),
    _text("verified_at"),
    _text("url"),
    Column("detail", Text, nullable=False),
    Column("committed_at", String, nullable=False, server_default=""),
    Index("midas_deployments_environment", "environment", "number"),
    Index("midas_deployments_commit", "environment", "commit_sha"),
    sqlite_autoincrement=True,
)

blocked_versions = Table(
    "midas_blocked_versions",
    metadata,
    _number(),
    _text("environment"),
    _text("commit_sha"),
    _text("version"),
    Column("reason", Text, nullable=False),
    _text("run_id"),
    _text("blocked_at"),
    _text("lifted_at"),
    _text("lifted_by"),
    _text("lifted_reason"),
    Index("midas_blocked_versions_commit", "environment", "commit_sha"),
    sqlite_autoincrement=True,
)

applies = Table(
    "midas_applies",
    metadata,
    _number(),
    _text("run_id"),
    _text("environment"),
    _text("config"),
    _text("commit_sha"),
    _text("config_sha256"),
    Column("ok", Integer, nullable=False),
    _text("applied_at"),
    Index("midas_applies_config", "environment", "config", "number"),
    sqlite_autoincrement=True,
)

outbox = Table(
    "midas_outbox",
    metadata,
    _number(),
    Column("message_key", String, nullable=False, unique=True),
    _text("run_id"),
    _text("topic"),
    _text("kind"),
    Column("body", Text, nullable=False),
    _text("state"),
    _text("queued_at"),
    Column("attempts", Integer, nullable=False),
    _text("next_try_at"),
    Column("last_error", Text, nullable=False),
    _text("delivered_at"),
    Column("receipt", Text, nullable=False),
    Index("midas_outbox_state", "state", "number"),
    sqlite_autoincrement=True,
)

audit = Table(
    "midas_audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    _text("at"),
    Column("run_id", String, nullable=False, index=True),
    _text("actor"),
    _text("event"),
    _text("rule"),
    Column("data", Text, nullable=False),
    _text("previous_hash"),
    _text("hash"),
)

_SQLITE_GUARD = (
    "CREATE TRIGGER midas_audit_no_{verb} BEFORE {verb} ON midas_audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
)
_POSTGRESQL_FUNCTION = (
    "CREATE FUNCTION midas_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$"
)
_POSTGRESQL_GUARD = (
    "CREATE TRIGGER midas_audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON midas_audit "
    "FOR EACH STATEMENT EXECUTE FUNCTION midas_audit_append_only()"
)
_APPEND_ONLY = {
    "sqlite": [_SQLITE_GUARD.format(verb=verb) for verb in ("update", "delete")],
    "postgresql": [_POSTGRESQL_FUNCTION, _POSTGRESQL_GUARD],
}


def stored_version(connection: Connection) -> int:
    """The version of the tables in the database; 0 when there are none yet."""
    if not inspect(connection).has_table(meta.name):
        return 0
    value = connection.execute(select(meta.c.value).where(meta.c.name == "schema_version")).scalar()
    return int(value) if value is not None else 0


def create(connection: Connection) -> None:
    """Make all tables, within the transaction at hand."""
    metadata.create_all(connection)
    for statement in _APPEND_ONLY[connection.dialect.name]:
        connection.exec_driver_sql(statement)
    connection.execute(insert(meta).values(name="schema_version", value=str(VERSION)))


def migrate(connection: Connection, found: int) -> None:
    """Bring the tables of an earlier version up to date, within the transaction at hand. Nothing is lost."""
    if found < 2:  # noqa: PLR2004 - the version that brought them
        outbox.create(connection)
        connection.exec_driver_sql(
            "ALTER TABLE midas_deployments ADD COLUMN committed_at VARCHAR NOT NULL DEFAULT ''"
        )
    stored = meta.c.name == "schema_version"
    connection.execute(update(meta).where(stored).values(value=str(VERSION)))
