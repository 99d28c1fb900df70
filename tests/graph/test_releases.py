"""A release from request to report, on real processes."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import psutil
import pytest

from midas_devops.errors import ApprovalRefusedError, UsageError
from tests.graph.conftest import Open
from tests.projects import commit, git, project, write


def answer(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as response:
        text: str = response.read().decode()
        return text


def new_version(root: Path, version: str) -> str:
    write(root, {"VERSION": version})
    return commit(root, version, version)


def test_a_healthy_version_is_deployed_and_verified(service: Path, open_agent: Open) -> None:
    agent = open_agent(service)
    run = agent.deploy_release("web", "v1")
    assert (run.status, run.exit_code) == ("succeeded", 0)
    assert answer(run.to_json()["url"]) == "1"
    (environment,) = agent.environments()
    assert (environment["version"], environment["verified"]) == ("v1", True)


def test_the_same_version_again_does_nothing(service: Path, open_agent: Open) -> None:
    agent = open_agent(service)
    agent.deploy_release("web", "v1")
    run = agent.deploy_release("web", "v1")
    assert (run.status, run.to_json()["effects"]) == ("succeeded", [])


@pytest.mark.parametrize("bad", ["dies-at-start", "sick-on-health"])
def test_a_bad_version_leaves_the_verified_one_serving_and_is_blocked(
    service: Path, open_agent: Open, bad: str
) -> None:
    agent = open_agent(service)
    url = agent.deploy_release("web", "v1").to_json()["url"]
    new_version(service, bad)
    run = agent.deploy_release("web", bad)
    record = run.to_json()
    assert (run.status, run.exit_code) == ("rolled_back", 5)
    assert record["diagnosis"]["spans"], record["diagnosis"]
    assert record["recovery"]["to_version"] == "v1"
    assert answer(url) == "1"

    again = open_agent(service).deploy_release("web", bad)
    assert (again.status, again.exit_code) == ("blocked", 4)
    assert "unblock" in again.to_json()["reason"]


def test_a_block_is_lifted_by_a_person_with_a_reason(service: Path, open_agent: Open) -> None:
    agent = open_agent(service)
    agent.deploy_release("web", "v1")
    new_version(service, "sick-one")
    agent.deploy_release("web", "sick-one")
    assert agent.unblock("web", "sick-one", by="ana", reason="the fault was elsewhere")
    assert agent.deploy_release("web", "sick-one").status == "rolled_back"


def test_a_bad_first_version_fails_and_says_that_there_is_nothing_to_return_to(
    service: Path, open_agent: Open
) -> None:
    new_version(service, "sick-first")
    run = open_agent(service).deploy_release("web", "sick-first")
    assert (run.status, run.exit_code) == ("failed", 1)
    assert "nothing to return to" in run.to_json()["report"]["summary"]


def test_production_waits_for_a_person_and_goes_on_in_another_process(
    guarded_service: Path, open_agent: Open
) -> None:
    waiting = open_agent(guarded_service).deploy_release("web", "v1", requested_by="ben")
    assert (waiting.status, waiting.exit_code) == ("awaiting_approval", 3)
    pending = waiting.pending
    assert pending is not None
    assert pending["kind"] == "approval"

    run = open_agent(guarded_service).run(waiting.id)
    run.approve(pending["digest"], by="ana", reason="tested on staging")
    assert (run.status, run.pending) == ("succeeded", None)
    assert any(event["event"] == "approval used" for event in run.events())


def test_a_wrong_digest_changes_nothing_and_the_run_still_waits(
    guarded_service: Path, open_agent: Open
) -> None:
    run = open_agent(guarded_service).deploy_release("web", "v1", requested_by="ben")
    with pytest.raises(ApprovalRefusedError, match="digest"):
        run.approve("0" * 64, by="ana", reason="a typing error")
    assert run.status == "awaiting_approval"
    assert all(effect["state"] == "not_begun" for effect in run.to_json()["effects"])


def test_a_used_approval_cannot_be_used_again(guarded_service: Path, open_agent: Open) -> None:
    run = open_agent(guarded_service).deploy_release("web", "v1", requested_by="ben")
    pending = run.pending
    assert pending is not None
    run.approve(pending["digest"], by="ana", reason="yes")
    with pytest.raises(ApprovalRefusedError, match="not waiting"):
        run.approve(pending["digest"], by="ana", reason="once more")


def test_a_rejection_ends_the_run_without_effect(guarded_service: Path, open_agent: Open) -> None:
    run = open_agent(guarded_service).deploy_release("web", "v1", requested_by="ben")
    run.reject(by="ana", reason="not on a Friday")
    assert (run.status, run.exit_code) == ("rejected", 4)
    assert "not on a Friday" in run.to_json()["reason"]
    assert agent_runs_nothing(open_agent, guarded_service)


def agent_runs_nothing(open_agent: Open, root: Path) -> bool:
    return open_agent(root).ports.deployer("web").status() is None


def test_a_tag_that_moved_after_the_question_is_refused(guarded_service: Path, open_agent: Open) -> None:
    run = open_agent(guarded_service).deploy_release("web", "v1", requested_by="ben")
    pending = run.pending
    assert pending is not None
    write(guarded_service, {"VERSION": "2"})
    commit(guarded_service, "second")
    git(guarded_service, "tag", "-f", "v1")
    run.approve(pending["digest"], by="ana", reason="yes")
    assert (run.status, run.exit_code) == ("blocked", 4)
    assert "commit" in run.to_json()["reason"]
    assert agent_runs_nothing(open_agent, guarded_service)


def test_changed_deploy_settings_after_the_question_are_refused(
    guarded_service: Path, open_agent: Open
) -> None:
    run = open_agent(guarded_service).deploy_release("web", "v1", requested_by="ben")
    pending = run.pending
    assert pending is not None
    toml = guarded_service / "midas.toml"
    toml.write_text(toml.read_text().replace("app.py", "other.py"))
    changed = open_agent(guarded_service).run(run.id)
    changed.approve(pending["digest"], by="ana", reason="yes")
    assert changed.status == "blocked"
    assert "configuration" in changed.to_json()["reason"]


def test_two_approvals_need_two_people(guarded_service: Path, open_agent: Open) -> None:
    toml = guarded_service / "midas.toml"
    toml.write_text(toml.read_text().replace("approvals = 1", "approvals = 2"))
    run = open_agent(guarded_service).deploy_release("web", "v1", requested_by="ben")
    pending = run.pending
    assert pending is not None
    run.approve(pending["digest"], by="ana", reason="yes")
    assert run.status == "awaiting_approval"
    with pytest.raises(ApprovalRefusedError, match="another person"):
        run.approve(pending["digest"], by="ana", reason="yes, yes")
    run.approve(pending["digest"], by="cem", reason="agreed")
    assert run.status == "succeeded"


def test_an_expired_question_ends_the_run(guarded_service: Path, open_agent: Open) -> None:
    toml = guarded_service / "midas.toml"
    toml.write_text(toml.read_text() + '\n[approvals]\nexpire_after = "1ms"\n')
    run = open_agent(guarded_service).deploy_release("web", "v1", requested_by="ben")
    pending = run.pending
    assert pending is not None
    run.approve(pending["digest"], by="ana", reason="too late")
    assert (run.status, run.exit_code) == ("blocked", 4)
    assert agent_runs_nothing(open_agent, guarded_service)


def test_unknown_environments_and_versions_are_refused_with_near_names(
    service: Path, open_agent: Open
) -> None:
    agent = open_agent(service)
    with pytest.raises(UsageError) as unknown:
        agent.deploy_release("wbe", "v1")
    assert "'web'" in unknown.value.hint
    with pytest.raises(UsageError):
        agent.deploy_release("web", "v1.9")
    assert agent.runs() == []


def test_a_service_that_died_is_not_listed_as_running(service: Path, open_agent: Open) -> None:
    agent = open_agent(service)
    agent.deploy_release("web", "v1")
    assert agent.environments()[0]["running"] is True
    for process in psutil.process_iter(["cwd", "cmdline"]):
        below = str(service) in (process.info["cwd"] or "")
        if below and "app.py" in " ".join(process.info["cmdline"] or []):
            process.kill()
            process.wait(10)
    (environment,) = agent.environments()
    assert (environment["running"], environment["version"], environment["verified"]) == (False, "", None)
    assert environment["last_verified_version"] == "v1"


def test_a_repeated_deploy_tells_the_address_again(service: Path, open_agent: Open) -> None:
    agent = open_agent(service)
    first = agent.deploy_release("web", "v1").to_json()["url"]
    assert agent.deploy_release("web", "v1").to_json()["url"] == first != ""


def test_a_variable_that_equals_an_environments_name_hides_nothing_a_run_acts_on(
    service: Path, open_agent: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml = service / "midas.toml"
    toml.write_text(toml.read_text().replace("environments.web", "environments.web-environment"))
    monkeypatch.setenv("KEY_STAGE", "web-environment")
    run = open_agent(service).deploy_release("web-environment", "v1")
    assert (run.status, run.to_json()["environment"]) == ("succeeded", "web-environment")


def test_what_an_approver_says_is_redacted_before_it_rests(
    guarded_service: Path, open_agent: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "s3cret-s3cret-s3cret")
    run = open_agent(guarded_service).deploy_release("web", "v1", requested_by="ben")
    pending = run.pending
    assert pending is not None
    run.approve(pending["digest"], by="ana", reason="the token is s3cret-s3cret-s3cret")
    assert run.status == "succeeded"
    for path in (guarded_service / ".midas").glob("midas.db*"):
        assert b"s3cret-s3cret-s3cret" not in path.read_bytes()


HASHES_ONLY = """
[environments.live]
kind = "staging"
verify = { command = ["true"] }

[environments.live.deploy]
using = "command"
deploy = ["git", "tag", "-f", "runs", "{commit}"]
status = ["python3", "status.py"]
"""
STATUS = """
import subprocess
argv = ["git", "rev-parse", "--short", "-q", "--verify", "runs"]
print(subprocess.run(argv, capture_output=True, text=True).stdout.strip())
"""


def test_what_runs_is_named_as_the_ledger_knows_it(tmp_path: Path, open_agent: Open) -> None:
    files = {"status.py": STATUS, "midas.toml": HASHES_ONLY, ".gitignore": ".midas/\n"}
    root = project(tmp_path / "live", files)
    agent = open_agent(root)
    assert agent.deploy_release("live", "v1").status == "succeeded"
    commit(root, "nothing but a build", "v2")
    run = agent.deploy_release("live", "v2")
    release = run.to_json()["plan"]["release"]
    assert (release["from_version"], release["to_version"]) == ("v1", "v2")
    assert (release["commits_total"], release["files_changed"]) == (1, 0)
    assert run.to_json()["plan"]["summary"] == "v1 → v2 on live (1 commit)"
