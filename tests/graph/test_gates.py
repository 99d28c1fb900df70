"""Gates in front of a real release: what blocks, what waits, and what a person may override."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from midas_devops import DevOpsAgent, Run
from midas_devops.config import load_settings
from midas_devops.domain.changes import ReleaseChange
from midas_devops.domain.digest import canonical_json, sha256_hex
from midas_devops.errors import ApprovalRefusedError
from tests.graph.conftest import Open
from tests.graph.controlled import PROMOTION, Controlled, approved, runs_now
from tests.projects import git

At = Callable[[Path, datetime], DevOpsAgent]
MONDAY = datetime(2026, 11, 23, 10, tzinfo=UTC)


@pytest.fixture
def open_at() -> Iterator[At]:
    """An agent whose clock stands at a moment."""
    with ExitStack() as stack:

        def opened(root: Path, now: datetime) -> DevOpsAgent:
            real = stack.enter_context(DevOpsAgent.from_project(root))
            ports = replace(real.ports, clock=lambda: now)
            return DevOpsAgent(root, load_settings(root), ports=ports)

        yield opened


def gated(root: Path, gate: str, **more: Any) -> Controlled:
    return Controlled(root, tables=f"[gates.one]\n{gate}", environment='gates = ["one"]', **more)


def gate_of(run: Run) -> dict[str, Any]:
    gate: dict[str, Any] = run.to_json()["gates"][0]
    return gate


def scan(root: Path, *rules: str) -> None:
    commit = git(root, "rev-parse", "HEAD")
    report = root / "reports" / commit / "scan.sarif"
    report.parent.mkdir(parents=True, exist_ok=True)
    results = [
        {
            "ruleId": rule,
            "level": "error",
            "message": {"text": "said so"},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": "tests/test_a.py"}}}],
        }
        for rule in rules
    ]
    log = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "Bandit"}}, "results": results}]}
    report.write_text(json.dumps(log))


SARIF = """kind = "sarif"
path = "reports/{commit}/*.sarif"
exceptions = [
  { rule = "B101", file = "tests/**", reason = "tests assert", until = 2026-11-23, by = "ana" },
]
"""


def test_an_exception_that_was_used_is_on_record_and_ends_at_midnight_utc(
    tmp_path: Path, no_services_left: None, open_at: At
) -> None:
    web = gated(tmp_path / "web", SARIF)
    scan(web.root, "B101")
    last_minute = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)
    run = open_at(web.root, last_minute).deploy_release("web", "v1")
    assert run.status == "succeeded", run.to_json()["reason"]
    evidence = gate_of(run)["evidence"]
    assert "exception: B101 in tests/**, by ana until 2026-11-23: tests assert (1 excused)" in evidence
    over = open_at(web.root, last_minute + timedelta(seconds=1))
    web.version("v2")
    scan(web.root, "B101")
    run = over.deploy_release("web", "v2")
    assert (run.status, run.exit_code) == ("blocked", 4)
    assert "expired exception: B101" in run.to_json()["reason"]


def test_a_program_may_judge_and_its_words_are_evidence(
    tmp_path: Path, no_services_left: None, open_agent: Open
) -> None:
    web = gated(tmp_path / "web", 'kind = "command"\nrun = ["python3", "gate.py", "{commit}"]\n')
    gate = web.root / "gate.py"
    agent = open_agent(web.root)
    for status, verdict in ((1, "failed"), (77, "inconclusive"), (99, "errored")):
        gate.write_text(f"import sys; print('the queue is long'); sys.exit({status})")
        run = agent.deploy_release("web", "v1")
        assert (run.status, gate_of(run)["verdict"]) == ("blocked", verdict)
        assert "the queue is long" in run.to_json()["reason"]
        assert run.to_json()["effects"] == []
    gate.write_text("import sys; sys.exit(len(sys.argv[1]) != 40)")
    run = agent.deploy_release("web", "v1")
    assert run.status == "succeeded"
    assert gate_of(run)["commit"] == git(web.root, "rev-parse", "v1")
    assert gate_of(run)["age_seconds"] >= 0


def test_evidence_or_rules_that_change_after_the_question_are_refused(
    tmp_path: Path, no_services_left: None, open_agent: Open
) -> None:
    web = gated(tmp_path / "web", SARIF.replace("2026-11-23", "2999-01-01"), kind="production", approvals=1)
    scan(web.root, "B101")
    toml = (web.root / "midas.toml").read_text()

    def waiting() -> Run:
        return open_agent(web.root).deploy_release("web", "v1", requested_by="ben")

    run = waiting()
    scan(web.root, "B101", "B101")
    assert (approved(run).status, "gates" in run.to_json()["reason"]) == ("blocked", True)
    run = waiting()
    scan(web.root, "B101", "B602")
    assert (approved(run).status, "gates" in run.to_json()["reason"]) == ("blocked", True)
    scan(web.root, "B101")
    run = waiting()
    (web.root / "midas.toml").write_text(toml.replace("2999-01-01", "2999-01-02"))
    later = open_agent(web.root).run(run.id)
    assert (approved(later).status, "configuration" in later.to_json()["reason"]) == ("blocked", True)
    assert runs_now(open_agent(web.root)) == ""
    assert approved(waiting()).status == "succeeded"


WINDOW = 'kind = "window"\ntime_zone = "Europe/Berlin"\nallow = ["mon-fri 09:00-17:00"]\n'


def test_outside_of_the_window_everything_is_blocked(
    tmp_path: Path, no_services_left: None, open_at: At
) -> None:
    web = gated(tmp_path / "web", WINDOW)
    run = open_at(web.root, MONDAY + timedelta(hours=8)).deploy_release("web", "v1")
    assert (run.status, gate_of(run)["verdict"]) == ("blocked", "failed")
    assert "it opens Tue 2026-11-24 09:00" in run.to_json()["reason"]
    assert open_at(web.root, MONDAY + timedelta(days=1)).deploy_release("web", "v1").status == "succeeded"


def test_a_window_that_may_be_overridden_asks_a_person_even_where_nobody_else_does(
    tmp_path: Path, no_services_left: None, open_at: At
) -> None:
    web = gated(tmp_path / "web", WINDOW + "override = true\n")
    late = open_at(web.root, MONDAY + timedelta(hours=8))
    run = late.deploy_release("web", "v1", requested_by="ben")
    assert (run.status, run.exit_code) == ("awaiting_approval", 3)
    assert "This overrides one: closed" in (run.pending or {})["question"]
    assert approved(run).status == "succeeded"


def test_a_window_that_closes_before_the_effect_is_noticed(
    tmp_path: Path, no_services_left: None, open_at: At
) -> None:
    web = gated(tmp_path / "web", WINDOW, kind="production", approvals=1)
    waiting = open_at(web.root, MONDAY).deploy_release("web", "v1", requested_by="ben")
    late = open_at(web.root, MONDAY + timedelta(hours=8))
    assert approved(late.run(waiting.id)).status == "blocked"
    assert runs_now(late) == ""


def test_a_clock_that_is_set_back_into_the_window_opens_nothing(
    tmp_path: Path, no_services_left: None, open_at: At
) -> None:
    web = gated(tmp_path / "web", WINDOW + "override = true\n")
    evening = MONDAY + timedelta(hours=8)
    open_at(web.root, evening).deploy_release("web", "v1").reject(by="ana", reason="not now")
    run = open_at(web.root, MONDAY).deploy_release("web", "v1")
    assert (run.status, gate_of(run)["verdict"]) == ("blocked", "inconclusive")


@pytest.fixture
def promoted(tmp_path: Path, no_services_left: None, open_at: At) -> Controlled:
    web = Controlled(tmp_path / "web")
    web.configure(PROMOTION)
    assert open_at(web.root, MONDAY).deploy_release("web", "v1").status == "succeeded"
    return web


def shop(agent: DevOpsAgent) -> tuple[str, str]:
    run = agent.deploy_release("shop", "v1")
    return str(run.status), gate_of(run)["verdict"] if run.to_json()["gates"] else ""


def test_a_promotion_waits_for_the_version_to_have_run_there(promoted: Controlled, open_at: At) -> None:
    early = shop(open_at(promoted.root, MONDAY + timedelta(minutes=29)))
    assert early == ("blocked", "inconclusive")
    assert shop(open_at(promoted.root, MONDAY + timedelta(minutes=30))) == ("succeeded", "passed")


def test_looking_again_does_not_begin_the_wait_anew(promoted: Controlled, open_at: At) -> None:
    again = open_at(promoted.root, MONDAY + timedelta(minutes=20))
    assert again.deploy_release("web", "v1").status == "succeeded"
    assert shop(open_at(promoted.root, MONDAY + timedelta(minutes=31))) == ("succeeded", "passed")


def test_a_verdict_that_was_taken_back_does_not_count(promoted: Controlled, open_at: At) -> None:
    agent = open_at(promoted.root, MONDAY + timedelta(hours=1))
    promoted.tell("v1", status=500)
    agent.deploy_release("web", "v1")
    assert shop(agent) == ("blocked", "inconclusive")


def test_a_version_that_was_replaced_soon_has_not_run_long_enough(promoted: Controlled, open_at: At) -> None:
    promoted.version("v2")
    soon = open_at(promoted.root, MONDAY + timedelta(minutes=5))
    assert soon.deploy_release("web", "v2").status == "succeeded"
    assert shop(open_at(promoted.root, MONDAY + timedelta(hours=5))) == ("blocked", "inconclusive")


def test_a_version_that_a_person_left_for_a_reason_is_not_promoted(promoted: Controlled, open_at: At) -> None:
    promoted.version("v2")
    agent = open_at(promoted.root, MONDAY + timedelta(hours=1))
    agent.deploy_release("web", "v2")
    toml = promoted.root / "midas.toml"
    toml.write_text(
        toml.read_text().replace('"rev-parse", "v1"', '"rev-parse", "v2"').replace('"30m"', '"0s"')
    )
    later = open_at(promoted.root, MONDAY + timedelta(hours=2))
    assert later.roll_back("web", reason="orders are lost").status == "succeeded"
    run = later.deploy_release("shop", "v2")
    assert (run.status, "orders are lost" in run.to_json()["reason"]) == ("blocked", True)


def test_the_plan_shows_what_lies_between_and_what_will_be_done(
    tmp_path: Path, no_services_left: None, open_agent: Open
) -> None:
    web = Controlled(tmp_path / "web")
    agent = open_agent(web.root)
    agent.deploy_release("web", "v1")
    web.version("v2", {"db/migrate/20260131_add_total.rb": "#", "infra/main.tf": "#", "notes.md": "#"})
    web.tell("v2", status=500)
    agent.deploy_release("web", "v2")
    web.version("v3")
    web.configure('\n[environments.web.verify]\nhttp = [{ path = "/ready" }]\n')
    release = open_agent(web.root).deploy_release("web", "v3").to_json()["plan"]["release"]
    assert (release["from_version"], release["to_version"], release["commits_total"]) == ("v1", "v3", 2)
    assert release["migrations"] == ["db/migrate/20260131_add_total.rb (Rails)"]
    assert release["configuration"] == ["infra/main.tf"]
    assert set(release["files"]) >= {"notes.md", "VERSION"}
    assert any("migrations lie in between" in line for line in release["warnings"])
    assert any("it holds the commit of a bad version: v2 is blocked" in line for line in release["warnings"])
    assert "export" in release["effects"][0]
    assert release["effects"][-1] == "verify over HTTP: /ready"
    back = open_agent(web.root).roll_back("web").to_json()["plan"]["release"]
    assert any("older than what runs now" in line for line in back["warnings"])
    assert any("not undone by going back" in line for line in back["warnings"])


def test_changing_any_part_of_the_plan_changes_what_is_approved(
    tmp_path: Path, no_services_left: None, open_agent: Open
) -> None:
    web = Controlled(tmp_path / "web", kind="production", approvals=1)
    run = open_agent(web.root).deploy_release("web", "v1", requested_by="ben")
    release = ReleaseChange.model_validate(run.to_json()["plan"]["release"])
    saved = run.to_json()["artifacts"]["saved_plan"].removeprefix("artifact:")
    assert sha256_hex(canonical_json(release.model_dump(mode="json"))) == saved
    other: dict[type, Any] = {str: "x", int: 99, bool: True, tuple: ("x",)}
    hashes = {saved}
    for name in ReleaseChange.model_fields:
        if name == "details":
            continue
        changed = release.model_copy(update={name: other[type(getattr(release, name))]})
        hashes.add(sha256_hex(canonical_json(changed.model_dump(mode="json"))))
    assert len(hashes) == len(ReleaseChange.model_fields)


def test_a_name_that_is_hidden_on_record_cannot_answer(
    tmp_path: Path, no_services_left: None, open_agent: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE_TOKEN", "benedict-the-first")
    monkeypatch.setenv("OTHER_TOKEN", "anastasia-the-first")
    web = Controlled(tmp_path / "web", kind="production", approvals=1)
    run = open_agent(web.root).deploy_release("web", "v1", requested_by="benedict-the-first")
    pending = run.pending
    assert pending is not None
    for name in ("benedict-the-first", "anastasia-the-first", "[redacted:environment]"):
        with pytest.raises(ApprovalRefusedError, match="another one"):
            run.approve(pending["digest"], by=name, reason="yes")
    assert run.status == "awaiting_approval"
    assert approved(run).status == "succeeded"
