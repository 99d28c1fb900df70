"""The GitHub tracker, against a GitHub on loopback that remembers."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from midas_devops.adapters.github import LONGEST_COMMENT, GitHubTracker
from midas_devops.config import Project, Settings, Tracker
from midas_devops.errors import ConfigError, RemoteError, ToolError
from midas_devops.ports.tracker import ReleaseStatus, ReleaseTracker
from tests.github.server import BOT, TOKEN, Fault, GitHub, serving
from tests.github.shapes import REPOSITORY

COMMIT = "c" * 40
HTML = "<!DOCTYPE html><title>Unicorn!</title>"


@pytest.fixture
def github() -> Iterator[GitHub]:
    with serving() as server:
        yield server


@pytest.fixture
def tracker(github: GitHub) -> GitHubTracker:
    return GitHubTracker(REPOSITORY, TOKEN, github.url)


def release(state: str = "in_progress", **changes: object) -> ReleaseStatus:
    told = {
        "marker": "run-1/1",
        "environment": "production",
        "production": True,
        "commit": COMMIT,
        "version": "v1",
        "state": state,
        "description": f"v1 {state}",
        "environment_url": "https://orders.example",
    }
    return ReleaseStatus.model_validate(told | changes)


def states(github: GitHub, number: int) -> list[str]:
    return [status["state"] for status in github.deployment_statuses[number]]


def test_it_is_a_tracker_of_releases(tracker: GitHubTracker) -> None:
    assert isinstance(tracker, ReleaseTracker)


def test_an_issue_is_read(tracker: GitHubTracker) -> None:
    issue = tracker.get_issue(7)
    assert (issue.number, issue.title, issue.state, issue.labels) == (7, "Deploy v1", "open", ("deploy",))


def test_an_issue_is_updated_in_the_named_fields_only(tracker: GitHubTracker, github: GitHub) -> None:
    assert tracker.update_issue(7, state="closed", labels=("done",)).state == "closed"
    assert github.issues[7]["title"] == "Deploy v1"
    assert [label["name"] for label in github.issues[7]["labels"]] == ["done"]


# comments


def test_a_comment_with_the_same_marker_is_edited_not_repeated(
    tracker: GitHubTracker, github: GitHub
) -> None:
    first = tracker.add_issue_comment(7, "deploying", marker="run-1")
    second = tracker.add_issue_comment(7, "deployed", marker="run-1")
    tracker.add_issue_comment(7, "another run", marker="run-10")
    assert first == second
    assert [text.split("\n")[0] for text in github.texts()] == ["deployed", "another run"]


def test_the_same_text_again_is_not_even_sent(tracker: GitHubTracker, github: GitHub) -> None:
    for _ in range(2):
        tracker.add_issue_comment(7, "deployed", marker="run-1")
    assert github.count("PATCH") == 0


def test_the_comment_is_found_behind_a_hundred_others(tracker: GitHubTracker, github: GitHub) -> None:
    for number in range(130):
        github.say("ana", f"talk {number}")
    tracker.add_issue_comment(7, "deploying", marker="run-1")
    for number in range(130):
        github.say("ana", f"more talk {number}")
    tracker.add_issue_comment(7, "deployed", marker="run-1")
    assert [text.split("\n")[0] for text in github.texts()] == ["deployed"]


def test_somebody_else_s_comment_with_our_marker_is_left_alone(
    tracker: GitHubTracker, github: GitHub
) -> None:
    planted = github.say("eve", "all is well\n\n<!-- midas-devops:run-1 -->")
    tracker.add_issue_comment(7, "failed", marker="run-1")
    assert planted["body"].startswith("all is well")
    assert [text.split("\n")[0] for text in github.texts()] == ["failed"]


def test_a_marker_within_a_text_of_ours_leads_nowhere(tracker: GitHubTracker, github: GitHub) -> None:
    tracker.add_issue_comment(7, "log says <!-- midas-devops:run-2 -->", marker="run-1")
    tracker.add_issue_comment(7, "the second run", marker="run-2")
    assert len(github.texts()) == 2


def test_of_two_comments_with_one_marker_the_first_is_kept_up_to_date(
    tracker: GitHubTracker, github: GitHub
) -> None:
    for text in ("first", "second"):
        github.say(BOT, f"{text}\n\n<!-- midas-devops:run-1 -->")
    tracker.add_issue_comment(7, "third", marker="run-1")
    assert [text.split("\n")[0] for text in github.texts()] == ["third", "second"]


def test_a_comment_that_somebody_edited_says_again_what_is_true(
    tracker: GitHubTracker, github: GitHub
) -> None:
    tracker.add_issue_comment(7, "failed", marker="run-1")
    github.edit(github.comments[0], "succeeded!\n\n<!-- midas-devops:run-1 -->")
    tracker.add_issue_comment(7, "failed", marker="run-1")
    assert github.texts() == ["failed\n\n<!-- midas-devops:run-1 -->"]


def test_a_comment_that_was_deleted_is_written_anew(tracker: GitHubTracker, github: GitHub) -> None:
    tracker.add_issue_comment(7, "deploying", marker="run-1")
    github.comments.clear()
    tracker.add_issue_comment(7, "deployed", marker="run-1")
    assert len(github.texts()) == 1


def test_a_lost_answer_leaves_one_comment(tracker: GitHubTracker, github: GitHub) -> None:
    github.faults = [Fault("POST .*/comments", after=True, drop=True, times=1)]
    with pytest.raises(RemoteError, match="comment on issue 7"):
        tracker.add_issue_comment(7, "deployed", marker="run-1")
    tracker.add_issue_comment(7, "deployed", marker="run-1")
    assert len(github.texts()) == 1


def test_a_text_beyond_github_s_limit_is_cut_and_says_so(tracker: GitHubTracker, github: GitHub) -> None:
    tracker.add_issue_comment(7, "x" * 80_000, marker="run-1")
    (text,) = github.texts()
    assert len(text) < LONGEST_COMMENT + 200
    assert "[cut:" in text


def test_an_installation_s_token_knows_its_comments_by_their_kind(
    tracker: GitHubTracker, github: GitHub
) -> None:
    github.faults = [Fault("GET /user", 403, '{"message": "Resource not accessible by integration"}')]
    github.say("eve", "planted\n\n<!-- midas-devops:run-1 -->")
    mine = github.say("midas[bot]", "deploying\n\n<!-- midas-devops:run-1 -->", kind="Bot")
    tracker.add_issue_comment(7, "deployed", marker="run-1")
    assert mine["body"].startswith("deployed")
    assert tracker.account() == ""


def test_comments_are_read_with_who_wrote_them_and_whether_they_were_edited(
    tracker: GitHubTracker, github: GitHub
) -> None:
    github.edit(github.say("ana", "/approve"), "/approve x")
    github.say("ci[bot]", "green", kind="Bot")
    tracker.add_issue_comment(7, "asks", marker="run-1")
    edited, robot, ours = tracker.comments(7)
    assert (edited.author, edited.is_person, edited.ours) == ("ana", True, False)
    assert edited.updated_at > edited.created_at
    assert not robot.is_person
    assert ours.ours
    assert ours.created_at.tzinfo is not None


@pytest.mark.parametrize("role", ["admin", "maintain", "write", "triage", "read", "none"])
def test_a_role_is_told_exactly(tracker: GitHubTracker, github: GitHub, role: str) -> None:
    github.roles["ana"] = role
    assert tracker.role("ana") == role


def test_a_custom_role_counts_by_its_powers(tracker: GitHubTracker, github: GitHub) -> None:
    body = (
        '{"permission": "write", "role_name": "release-captain",'
        ' "user": {"permissions": {"admin": false, "maintain": false, "push": true, "pull": true}}}'
    )
    github.faults = [Fault("/permission", 200, body)]
    assert tracker.role("ana") == "write"


def test_an_account_that_does_not_exist_may_nothing(tracker: GitHubTracker, github: GitHub) -> None:
    github.faults = [Fault("/permission", 404, '{"message": "Not Found"}')]
    assert tracker.role("../../../user") == "none"
    assert github.asked[-1].startswith("GET /collaborators/")


# releases


def test_a_release_is_one_deployment_with_its_statuses(tracker: GitHubTracker, github: GitHub) -> None:
    tracker.record_deployment(release())
    tracker.record_deployment(release("success"))
    (made,) = github.deployments
    assert (made["ref"], made["environment"], made["production_environment"]) == (
        COMMIT,
        "production",
        True,
    )
    assert made["payload"]["midas_devops"] == "run-1/1"
    assert states(github, made["id"]) == ["in_progress", "success"]
    assert github.deployment_statuses[made["id"]][1]["environment_url"] == "https://orders.example"


def test_recording_a_status_again_adds_nothing(tracker: GitHubTracker, github: GitHub) -> None:
    for _ in range(3):
        tracker.record_deployment(release("success"))
    assert len(github.deployments) == 1
    assert states(github, github.deployments[0]["id"]) == ["success"]


@pytest.mark.parametrize("lost", ["POST /deployments$", "POST /deployments/.*/statuses"])
def test_a_lost_answer_leaves_one_deployment(tracker: GitHubTracker, github: GitHub, lost: str) -> None:
    github.faults = [Fault(lost, after=True, drop=True, times=1)]
    with pytest.raises(RemoteError):
        tracker.record_deployment(release("success"))
    tracker.record_deployment(release("success"))
    assert len(github.deployments) == 1
    assert states(github, github.deployments[0]["id"]) == ["success"]


def test_the_release_before_becomes_inactive_others_are_left_alone(
    tracker: GitHubTracker, github: GitHub
) -> None:
    tracker.record_deployment(release("success"))
    tracker.record_deployment(release("success", marker="run-2/2", environment="staging"))
    tracker.record_deployment(release("failure", marker="run-3/3"))
    tracker.record_deployment(release("success", marker="run-4/4"))
    assert [states(github, made["id"]) for made in github.deployments] == [
        ["success", "inactive"],
        ["success"],
        ["failure"],
        ["success"],
    ]


def test_deployments_of_other_tools_with_any_payload_are_passed_by(
    tracker: GitHubTracker, github: GitHub
) -> None:
    tracker.record_deployment(release("success"))
    for payload in ("", "a text", {"midas_devops": "somebody's"}, {}):
        github.deployments[0] = github.deployments[0] | {"payload": payload}
        tracker.record_deployment(release("success", marker="run-2/2"))
    assert sum(made["payload"] == {"midas_devops": "run-2/2", "version": "v1"} for made in github.deployments)


def test_an_address_that_is_none_is_not_sent(tracker: GitHubTracker, github: GitHub) -> None:
    tracker.record_deployment(release("success", environment_url="javascript:alert(1)"))
    assert github.deployment_statuses[github.deployments[0]["id"]][0]["environment_url"] == ""


def test_a_commit_status_is_set_once_per_state(tracker: GitHubTracker, github: GitHub) -> None:
    for state in ("pending", "pending", "success"):
        tracker.set_commit_status(
            COMMIT,
            context="midas-devops/production",
            state=state,  # type: ignore[arg-type]
            description="v1 " + "is verified " * 40,
        )
    assert [status["state"] for status in github.commit_statuses] == ["pending", "success"]
    assert all(len(status["description"]) <= 140 for status in github.commit_statuses)


# refusals and silences


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, '{"message": "Bad credentials"}', "unauthorized"),
        (403, '{"message": "Resource not accessible by personal access token"}', "forbidden"),
        (403, '{"message": "You have exceeded a secondary rate limit."}', "rate_limited"),
        (404, '{"message": "Not Found"}', "not_found"),
        (410, '{"message": "This issue was deleted"}', "gone"),
        (422, '{"message": "Validation Failed", "errors": []}', "refused"),
        (429, '{"message": "API rate limit exceeded"}', "rate_limited"),
        (500, "", "unavailable"),
        (502, HTML, "unavailable"),
        (503, '{"message": "Service unavailable"}', "unavailable"),
        (200, HTML, "unreadable"),
    ],
)
@pytest.mark.parametrize("ask", ["comment", "deployment", "status", "comments", "role"])
def test_every_refusal_says_what_was_tried_and_why_it_failed(
    tracker: GitHubTracker, github: GitHub, ask: str, status: int, body: str, reason: str
) -> None:
    github.faults = [Fault("", status, body)]
    calls = {
        "comment": lambda: tracker.add_issue_comment(7, "x", marker="run-1"),
        "deployment": lambda: tracker.record_deployment(release()),
        "status": lambda: tracker.set_commit_status(COMMIT, context="c", state="error", description="d"),
        "comments": lambda: tracker.comments(7),
        "role": lambda: tracker.role("ana"),
    }
    if (ask, reason) == ("role", "not_found"):
        assert tracker.role("ana") == "none"
        return
    with pytest.raises(RemoteError, match="could not ") as caught:
        calls[ask]()
    assert caught.value.reason == reason
    assert TOKEN not in str(caught.value.as_dict())


def test_the_primary_rate_limit_says_when_it_ends(tracker: GitHubTracker, github: GitHub) -> None:
    github.remaining = 0
    with pytest.raises(RemoteError, match="rate limit") as caught:
        tracker.get_issue(7)
    assert caught.value.reason == "rate_limited"
    assert "10 min" in caught.value.hint


def test_an_outage_is_an_error_that_says_so() -> None:
    with pytest.raises(ToolError, match="could not read issue 7"):
        GitHubTracker(REPOSITORY, "token", "http://127.0.0.1:9").get_issue(7)


def test_the_token_is_sent_and_stands_in_no_log(
    tracker: GitHubTracker, github: GitHub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tracker.add_issue_comment(7, "x", marker="run-1")
    tracker.record_deployment(release())
    with pytest.raises(RemoteError, match="Bad credentials"):
        GitHubTracker(REPOSITORY, "another-secret", github.url).get_issue(7)
    assert TOKEN not in caplog.text
    assert "another-secret" not in caplog.text


def test_a_tracker_without_repository_or_token_is_a_configuration_error() -> None:
    using = Tracker(using="github")
    with pytest.raises(ConfigError, match="repository"):
        GitHubTracker.from_settings(Settings(tracker=using), {"GITHUB_TOKEN": "x"})
    with pytest.raises(ConfigError, match="GITHUB_TOKEN"):
        GitHubTracker.from_settings(Settings(tracker=using, project=Project(repository="a/b")), {})
