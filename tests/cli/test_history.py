"""What happened to an environment, its figures, and what the tracker has still to be told."""

from __future__ import annotations

import socket
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from midas_devops.adapters.sql.ledger import SqlLedger, open_ledger
from midas_devops.ports.ledger import Deployment, Message, RunRow

NOW = datetime.now(UTC).replace(microsecond=0)
ENTRY_KEYS = {
    *("at", "ended_at", "kind", "version", "commit", "outcome", "verified", "verified_at", "by"),
    *("approved_by", "why", "issue", "detail", "run_id", "run_status"),
}


def hours_ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def record(
    ledger: SqlLedger, hours: float, version: str, *, verified: bool | None, kind: str = "deploy"
) -> None:
    run_id = f"run-{version}-{kind}"
    request = {"operation": "deploy_release", "environment": "production", "issue_number": 7}
    answers = [{"decision": "approve", "by": "ben", "reason": "tests are green"}]
    ledger.open_run(
        RunRow(
            run_id=run_id,
            operation="deploy_release",
            environment="production",
            status="succeeded" if verified else "failed",
            started_at=hours_ago(hours),
            requested_by="ana",
            record={"request": request, "answers": answers, "diagnosis": {"summary": "the port was taken"}},
        )
    )
    number = ledger.record_deployment(
        Deployment.model_validate(
            {
                "run_id": run_id,
                "environment": "production",
                "version": version,
                "commit": version[1:] * 40,
                "kind": kind,
                "started_at": hours_ago(hours),
                "status": "started",
                "committed_at": hours_ago(hours + 2),
            }
        )
    )
    ledger.finish_deployment(number, status="succeeded")
    ledger.set_verified(number, verified, hours_ago(hours - 1))


@pytest.fixture
def ledger(project):
    with closing(open_ledger("sqlite:///.midas/midas.db", project.root)) as opened:
        yield opened


@pytest.fixture
def lived(ledger: SqlLedger) -> SqlLedger:
    """A production environment with a good release, a bad one, its rollback, and one by other hands."""
    record(ledger, 30, "v1", verified=True)
    record(ledger, 20, "v2", verified=False)
    record(ledger, 18, "v1", verified=True, kind="rollback")
    ledger.audit(
        "",
        "cron",
        "deployment status",
        data={"environment": "production", "status": "succeeded", "details": "by hand"},
    )
    ledger.audit(
        "", "cron", "deployment status", data={"environment": "staging", "status": "x", "details": ""}
    )
    return ledger


@pytest.mark.usefixtures("lived")
def test_the_history_says_who_what_when_why_and_how_it_ended(cli):
    entries = cli("env", "history", "production", "--json").json["history"]
    assert all(entry.keys() == ENTRY_KEYS for entry in entries)
    told = [
        (entry["kind"], entry["version"], entry["outcome"], entry["by"], entry["why"]) for entry in entries
    ]
    assert told == [
        ("reported", "", "succeeded", "cron", "by hand"),
        ("rollback", "v1", "verified", "ana", "the port was taken"),
        ("deploy", "v2", "failed verification", "ana", "tests are green"),
        ("deploy", "v1", "verified", "ana", "tests are green"),
    ]
    assert entries[2]["approved_by"] == ["ben"]
    assert entries[2]["issue"] == 7
    assert len(cli("env", "history", "production", "--limit", "2", "--json").json["history"]) == 2


@pytest.mark.usefixtures("lived")
def test_the_history_is_a_table_for_a_person(cli):
    shown = cli("env", "history", "production")
    assert shown.code == 0
    for word in ("when", "rollback", "failed verification", "ana", "ben"):
        assert word in shown.out


def test_an_environment_without_a_history_says_so(cli, project):
    assert cli("env", "history", "staging", "--json").json == {"environment": "staging", "history": []}
    assert "nothing was deployed" in cli("env", "history", "staging").out
    wrong = cli("env", "history", "stagin", "--json")
    assert (wrong.code, wrong.json["error"]["code"]) == (2, "usage")
    assert "staging" in wrong.json["error"]["hint"]
    assert not (project.root / ".midas").exists()


@pytest.mark.usefixtures("lived")
def test_the_four_figures_are_those_of_the_ledger(cli):
    found = cli("env", "dora", "--days", "10", "--json").json
    (figures,) = found["environments"]
    assert figures["environment"] == "production"
    assert (figures["deployments"], figures["failures"]) == (1, 1)
    assert figures["deployments_per_day"] == pytest.approx(0.1)
    assert figures["lead_time_seconds"] == 3 * 3600
    assert figures["change_failure_rate"] == 0.5
    assert figures["restore_time_seconds"] == 3 * 3600
    shown = cli("env", "dora", "production").out
    for word in ("deployment frequency", "change lead time", "50% (1 of 2 deployments)", "3 h (median)"):
        assert word in shown


def test_a_verified_release_that_a_person_rolled_back_has_failed(cli, ledger):
    record(ledger, 30, "v1", verified=True)
    record(ledger, 20, "v2", verified=True)
    record(ledger, 10, "v1", verified=True, kind="rollback")

    figures = cli("env", "dora", "production", "--json").json["environments"][0]

    assert (figures["failures"], figures["deployments"]) == (1, 1)
    assert figures["change_failure_rate"] == 0.5
    assert figures["restored"] == 1


@pytest.mark.usefixtures("lived")
def test_the_four_figures_as_a_page(cli, tmp_path):
    page = tmp_path / "dora.html"
    answer = cli("env", "dora", "--days", "10", "--html", str(page))
    assert answer.code == 0
    assert "written:" in answer.err
    text = page.read_text()
    for words in (
        "The last 10 days",
        "production</h2>",
        "0.10 a day (1 deployment)",
        "50% (1 of 2 deployments)",
    ):
        assert words in text
    assert text.count("3 h (median)") == 2
    assert "<script" not in text
    assert cli("env", "dora", "--html", str(tmp_path / "nowhere" / "dora.html")).code == 2


@pytest.mark.usefixtures("project")
def test_figures_of_an_environment_without_deployments_are_empty_not_zero(cli):
    (figures,) = cli("env", "dora", "staging", "--json").json["environments"]
    assert (figures["change_failure_rate"], figures["lead_time_seconds"]) == (None, None)
    assert cli("env", "dora", "staging").code == 0
    assert cli("env", "dora", "nowhere").code == 2
    assert cli("env", "dora", "--days", "0").code == 2


def test_the_tracker_command_shows_what_waits(cli, ledger):
    assert "everything is told" in cli("tracker").out
    ledger.queue_message(
        Message(
            key="k", topic="issue 7", kind="comment", body={"text": "secret"}, queued_at=NOW, next_try_at=NOW
        )
    )
    ledger.message_not_delivered(ledger.messages()[0].number, "could not comment: 502", NOW)
    told = cli("tracker", "--json").json
    assert (told["waiting"], told["why"]) == (1, "could not comment: 502")
    assert "body" not in told["messages"][0]
    shown = cli("tracker").out
    assert "issue 7" in shown
    assert "502" in shown


def test_delivering_where_github_is_away_ends_with_1_and_the_reason(cli, project, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        settings = project.root / "midas.toml"
        text = settings.read_text().replace('name = "orders"', 'name = "orders"\nrepository = "acme/orders"')
        settings.write_text(
            f'{text}\n[tracker]\nusing = "github"\ntoken_env = "TRACKER"\napi_url = "http://127.0.0.1:{port}"\n'
        )
        monkeypatch.setenv("TRACKER", "ghp_" + "x" * 36)
        reported = cli("report", "staging", "succeeded", "by hand", "--issue", "7", "--json")
        assert (reported.code, reported.json["tracking"]) == (0, "waiting")
        delivered = cli("tracker", "--deliver", "--json")
        assert (delivered.code, delivered.json["waiting"]) == (1, 1)
        assert "no connection" in delivered.json["why"]
        checks = {check["name"]: check for check in cli("doctor", "--json").json["checks"]}
        assert checks["tracker"]["status"] == "degraded"
        assert "1 message waiting" in checks["tracker"]["detail"]
        assert "ghp_" not in delivered.out + delivered.err
