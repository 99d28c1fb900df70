"""A run that waits is answered on its issue: by the right person, with the right digest, once."""

from __future__ import annotations

import pwd
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from midas_devops import DevOpsAgent, Run
from midas_devops.adapters.connect import connect
from midas_devops.config import load_settings
from midas_devops.safety.people import groups_of
from midas_devops.testing.deployer import FakeDeployer, FakeTarget
from tests.github.projects import tracked
from tests.github.server import BOT, TOKEN, Fault, GitHub

Ask = Callable[..., Run]


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch, no_services_left: None) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)


@pytest.fixture
def ask(tmp_path: Path, github: GitHub) -> Iterator[Ask]:
    """A production release that waits for a person, asked for by ``carol``."""
    with ExitStack() as stack:

        def asked(extra: str = 'comment_permission = "write"', approvals: int = 1, **options: Any) -> Run:
            root = tracked(tmp_path / "p", github, kind="production", approvals=approvals, extra=extra)
            settings = load_settings(root)
            ports = connect(root, settings)
            stack.callback(ports.ledger.close)
            stack.callback(ports.leases.close)
            # What is deployed, and how, is not asked here: a deployer in memory is quick.
            target = FakeTarget()
            quick = replace(ports, deployer=lambda name: FakeDeployer(name, target))
            agent = stack.enter_context(DevOpsAgent(root, settings, ports=quick))
            given = {"requested_by": "carol", "issue_number": 7} | options
            run = agent.deploy_release("web", "v1", **given)
            assert run.status == "awaiting_approval"
            return run

        yield asked


def digest(run: Run) -> str:
    assert run.pending is not None
    return str(run.pending["digest"])


def resumed(run: Run) -> str:
    return str(run.resume().status)


def replies(github: GitHub) -> list[str]:
    return [text for text in github.texts() if text.startswith("@")]


def test_the_question_says_how_it_is_answered(ask: Ask, github: GitHub) -> None:
    run = ask()
    (question,) = github.texts()
    assert f"/approve {digest(run)}" in question
    assert "1. `deploy v1`\n2. `verify from outside: the commit that runs, and its health`" in question
    assert "`write`" in question


def test_an_approval_on_the_issue_carries_the_run_on(ask: Ask, github: GitHub) -> None:
    run = ask()
    github.say("ana", f"/approve {digest(run)} tests are green")
    assert resumed(run) == "succeeded"
    (given,) = run.to_json()["approvals"]
    assert (given["by"], given["decision"]) == ("ana", "approve")
    assert given["reason"].startswith("tests are green (https://")
    assert "approve by ana" in github.texts()[0]
    assert replies(github) == []


def test_a_rejection_on_the_issue_ends_the_run(ask: Ask, github: GitHub) -> None:
    run = ask()
    github.say("ben", "/reject not on a Friday")
    assert resumed(run) == "rejected"
    assert "not on a Friday" in run.to_json()["reason"]


def test_without_the_setting_comments_are_no_answers(ask: Ask, github: GitHub) -> None:
    run = ask(extra="")
    github.say("root", f"/approve {digest(run)}")
    assert resumed(run) == "awaiting_approval"
    assert github.count("permission") == 0
    assert "/approve" not in github.texts()[0]


def test_a_run_without_an_issue_reads_none(ask: Ask, github: GitHub) -> None:
    run = ask(issue_number=None)
    assert resumed(run) == "awaiting_approval"
    assert github.count("/comments") == 0


WRONG = [
    ("eve", "/approve {digest}", "permission 'write'"),
    ("nobody", "/approve {digest}", "permission 'write'"),
    ("ana", "/approve 50ab7b781b1f", "whole digest"),
    ("ana", "/approve " + "0" * 64, "not the digest"),
    ("ana", "/reject", "REASON"),
    ("carol", "/approve {digest}", "asked for this change"),
    (BOT, "/approve {digest}", "asked for this change"),
]


def test_a_wrong_answer_is_told_why_once_and_changes_nothing(ask: Ask, github: GitHub) -> None:
    run = ask()
    github.roles["carol"] = "admin"
    for author, body, _ in WRONG:
        github.say(author, body.format(digest=digest(run)))
    for _ in range(2):
        assert resumed(run) == "awaiting_approval"
    told = replies(github)
    assert len(told) == len(WRONG)
    for (author, _, why), reply in zip(WRONG, told, strict=True):
        assert reply.startswith(f"@{author} ")
        assert why in reply
    github.say("ana", f"/approve {digest(run)}")
    assert resumed(run) == "succeeded"


def test_an_edited_comment_a_program_and_ordinary_talk_are_no_answers(ask: Ask, github: GitHub) -> None:
    run = ask()
    github.edit(github.say("ana", "I will look at it"), f"/approve {digest(run)}")
    github.roles["ci[bot]"] = "admin"
    github.say("ci[bot]", f"/approve {digest(run)}", kind="Bot")
    github.say("ana", f"> /approve {digest(run)}\n\nwhat does this mean?")
    assert resumed(run) == "awaiting_approval"
    assert [("edited" in reply, "person" in reply) for reply in replies(github)] == [
        (True, False),
        (False, True),
    ]


def test_a_comment_from_before_the_question_is_passed_by_in_silence(ask: Ask, github: GitHub) -> None:
    github.say("ana", "/reject another change altogether")
    run = ask()
    assert resumed(run) == "awaiting_approval"
    assert replies(github) == []


def test_only_listed_approvers_count(ask: Ask, github: GitHub) -> None:
    run = ask(extra='comment_permission = "write"\napprovers = ["ben"]')
    github.say("ana", f"/approve {digest(run)}")
    assert resumed(run) == "awaiting_approval"
    github.say("ben", f"/approve {digest(run)}")
    assert resumed(run) == "succeeded"


def test_a_local_group_lends_no_account_its_rights(ask: Ask, github: GitHub) -> None:
    account = next((user for user in pwd.getpwall() if user.pw_name not in groups_of(user.pw_name)), None)
    if account is None:
        pytest.skip("every user of this machine has a group of the same name: useradd -g nogroup somebody")
    run = ask(extra=f'comment_permission = "write"\napprovers = ["{groups_of(account.pw_name)[0]}"]')
    github.roles[account.pw_name] = "admin"
    github.say(account.pw_name, f"/approve {digest(run)}")
    assert resumed(run) == "awaiting_approval"
    assert "approvers" in replies(github)[0]


def test_who_asked_may_approve_where_that_is_allowed(ask: Ask, github: GitHub) -> None:
    run = ask(extra='comment_permission = "write"\nself_approve = true', requested_by="ana")
    github.say("ana", f"/approve {digest(run)}")
    assert resumed(run) == "succeeded"


def test_two_approvals_are_of_two_people_and_may_both_stand_there_already(ask: Ask, github: GitHub) -> None:
    run = ask(approvals=2)
    github.say("ana", f"/approve {digest(run)}")
    github.say("ana", f"/approve {digest(run)} again")
    assert resumed(run) == "awaiting_approval"
    assert "approve by ana" in github.texts()[0]
    assert [effect["state"] for effect in run.to_json()["effects"]] == ["not_begun"]
    github.say("ben", f"/approve {digest(run)}")
    assert resumed(run) == "succeeded"
    assert replies(github) == []


def test_two_approvals_given_before_anybody_looked_carry_the_run_on_at_once(ask: Ask, github: GitHub) -> None:
    run = ask(approvals=2)
    for author in ("ana", "ben"):
        github.say(author, f"/approve {digest(run)}")
    assert resumed(run) == "succeeded"


def test_one_comment_answers_one_run_only(tmp_path: Path, ask: Ask, github: GitHub) -> None:
    first = ask()
    second = first._agent.deploy_release("web", "v1", requested_by="carol", issue_number=7)
    assert digest(first) == digest(second)
    github.say("ana", f"/approve {digest(first)}")
    assert {resumed(first), resumed(second)} == {"succeeded", "awaiting_approval"}


def test_a_comment_with_our_marker_is_not_ours_unless_we_wrote_it(ask: Ask, github: GitHub) -> None:
    run = ask()
    asked = github.comments.pop()
    github.say("eve", asked["body"])
    github.say("ana", f"/approve {digest(run)}")
    assert resumed(run) == "awaiting_approval"


def test_a_question_that_was_changed_is_not_answered(ask: Ask, github: GitHub) -> None:
    run = ask()
    github.edit(github.comments[0], github.comments[0]["body"].replace(digest(run), "f" * 64))
    github.say("ana", f"/approve {digest(run)}")
    assert resumed(run) == "awaiting_approval"


def test_github_being_away_leaves_the_run_waiting(ask: Ask, github: GitHub) -> None:
    run = ask()
    github.say("ana", f"/approve {digest(run)}")
    for fault in (Fault("", 502), Fault("", 401, '{"message": "Bad credentials"}'), Fault("", drop=True)):
        github.faults = [fault]
        assert resumed(run) == "awaiting_approval"
    github.faults = []
    assert resumed(run) == "succeeded"


def test_a_question_that_could_not_be_asked_is_asked_when_somebody_looks(ask: Ask, github: GitHub) -> None:
    github.faults = [Fault("", 502)]
    run = ask()
    assert github.texts() == []
    github.faults = []
    assert resumed(run) == "awaiting_approval"
    assert f"/approve {digest(run)}" in github.texts()[0]
    github.say("ana", f"/approve {digest(run)}")
    assert resumed(run) == "succeeded"


def test_a_crowd_is_not_answered_one_by_one(ask: Ask, github: GitHub) -> None:
    run = ask()
    for number in range(40):
        github.say(f"stranger-{number}", "/approve now")
    for _ in range(2):
        assert resumed(run) == "awaiting_approval"
    assert len(replies(github)) == 10
    assert github.count("permission") <= 100


def test_a_moved_digest_makes_an_approval_worthless(ask: Ask, github: GitHub, tmp_path: Path) -> None:
    run = ask()
    github.say("ana", f"/approve {digest(run)}")
    settings = tmp_path / "p" / "midas.toml"
    settings.write_text(settings.read_text().replace('within = "10s"', 'within = "11s"'))
    with DevOpsAgent.from_project(tmp_path / "p") as agent:
        assert agent.run(run.id).resume().status == "blocked"
