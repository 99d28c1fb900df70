"""Conformance suite of the tracker ports, and a tracker for tests that keeps everything in memory.

Subclass :class:`TrackerConformance` in a test file as ``class TestMine(TrackerConformance)`` and give it a
``world`` fixture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

import pytest

from midas_devops.domain.comment_review import Role
from midas_devops.errors import RemoteError
from midas_devops.ports.tracker import Comment, Issue, ReleaseStatus, ReleaseTracker

NUMBER = 7
"""The issue that a world has."""
COMMIT = "c" * 40


class TrackerWorld(Protocol):
    """A tracker with one open issue, seen from outside."""

    def tracker(self) -> ReleaseTracker:
        """A new object, as a new process would make it."""
        ...

    def say(self, account: str, body: str) -> None:
        """Somebody comments on the issue."""
        ...

    def give(self, account: str, role: Role) -> None:
        """An account may do this much from now on."""
        ...

    def comment_texts(self) -> list[str]:
        """Every comment on the issue, oldest first."""
        ...

    def deployment_states(self) -> list[list[str]]:
        """The states of every deployment, oldest first."""
        ...

    def commit_states(self) -> list[str]:
        """Every status that was set on ``COMMIT``, oldest first."""
        ...


class TrackerConformance:
    """What every tracker does. Every write can be made again."""

    @pytest.fixture
    def world(self) -> TrackerWorld:
        """To be given by the subclass."""
        raise NotImplementedError

    def test_it_is_a_tracker_of_releases(self, world: TrackerWorld) -> None:
        assert isinstance(world.tracker(), ReleaseTracker)

    def test_an_issue_is_updated_in_the_named_fields_only(self, world: TrackerWorld) -> None:
        before = world.tracker().get_issue(NUMBER)
        after = world.tracker().update_issue(NUMBER, state="closed", labels=("done",))
        assert (after.state, after.labels) == ("closed", ("done",))
        assert (after.title, after.body) == (before.title, before.body)
        assert world.tracker().get_issue(NUMBER) == after

    def test_an_issue_that_does_not_exist_is_an_error(self, world: TrackerWorld) -> None:
        with pytest.raises(RemoteError) as caught:
            world.tracker().get_issue(99)
        assert caught.value.reason == "not_found"

    def test_there_is_one_comment_per_marker(self, world: TrackerWorld) -> None:
        first = world.tracker().add_issue_comment(NUMBER, "deploying", marker="run-1")
        world.say("ana", "good luck")
        second = world.tracker().add_issue_comment(NUMBER, "deployed", marker="run-1")
        world.tracker().add_issue_comment(NUMBER, "another", marker="run-10")
        assert first == second
        assert [text.split("\n")[0] for text in world.comment_texts()] == ["deployed", "good luck", "another"]

    def test_comments_tell_who_said_what_and_which_are_ours(self, world: TrackerWorld) -> None:
        world.tracker().add_issue_comment(NUMBER, "asks", marker="run-1")
        world.say("ana", "/approve")
        world.say("eve", "asks\n\n<!-- midas-devops:run-1 -->")
        ours, theirs, planted = world.tracker().comments(NUMBER)
        assert (ours.ours, theirs.ours, planted.ours) == (True, False, False)
        assert (theirs.author, theirs.body, theirs.is_person) == ("ana", "/approve", True)
        assert theirs.created_at == theirs.updated_at >= ours.created_at
        assert world.tracker().account() in ("", ours.author)

    @pytest.mark.parametrize("role", ["none", "read", "triage", "write", "maintain", "admin"])
    def test_a_role_is_told_as_it_is_now(self, world: TrackerWorld, role: Role) -> None:
        world.give("ana", "admin")
        world.give("ana", role)
        assert world.tracker().role("ana") == role

    def test_a_stranger_may_nothing(self, world: TrackerWorld) -> None:
        assert world.tracker().role("stranger") == "none"

    def test_a_release_is_one_deployment_and_the_one_before_becomes_inactive(
        self, world: TrackerWorld
    ) -> None:
        for state in ("in_progress", "in_progress", "success"):
            world.tracker().record_deployment(release("run-1/1", state))
        for state in ("in_progress", "success", "success"):
            world.tracker().record_deployment(release("run-2/2", state))
        assert world.deployment_states() == [
            ["in_progress", "success", "inactive"],
            ["in_progress", "success"],
        ]

    def test_a_failed_release_leaves_the_one_before_as_it_is(self, world: TrackerWorld) -> None:
        world.tracker().record_deployment(release("run-1/1", "success"))
        world.tracker().record_deployment(release("run-2/2", "failure"))
        assert world.deployment_states() == [["success"], ["failure"]]

    def test_a_commit_status_is_set_once_per_state(self, world: TrackerWorld) -> None:
        for state in ("pending", "pending", "success"):
            world.tracker().set_commit_status(
                COMMIT,
                context="midas-devops/web",
                state=state,
                description=f"v1 {state}",
            )
        assert world.commit_states() == ["pending", "success"]


def release(marker: str, state: str, environment: str = "web") -> ReleaseStatus:
    """A status of one deployment of ``COMMIT``."""
    return ReleaseStatus.model_validate(
        {
            "marker": marker,
            "environment": environment,
            "production": True,
            "commit": COMMIT,
            "version": "v1",
            "state": state,
            "description": f"v1 {state}",
        }
    )


@dataclass
class FakeTracker:
    """A tracker in memory with one open issue. ``away`` makes every call fail as an outage does."""

    me: str = "midas-bot"
    roles: dict[str, Role] = field(default_factory=dict)
    away: bool = False
    issue: Issue = field(
        default_factory=lambda: Issue(number=NUMBER, title="Deploy v1", body="please", state="open")
    )
    said: list[Comment] = field(default_factory=list)
    deployments: dict[str, list[ReleaseStatus | Literal["inactive"]]] = field(default_factory=dict)
    statuses: list[tuple[str, str, str, str]] = field(default_factory=list)
    """(commit, context, state, description)"""
    now: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def get_issue(self, number: int) -> Issue:
        """The issue."""
        self._there()
        if number != self.issue.number:
            raise RemoteError(f"there is no issue {number}", reason="not_found")
        return self.issue

    def update_issue(
        self,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        state: Literal["open", "closed"] | None = None,
        labels: tuple[str, ...] | None = None,
    ) -> Issue:
        """The issue as it is then."""
        given = {"title": title, "body": body, "state": state, "labels": labels}
        changes = {key: value for key, value in given.items() if value is not None}
        self.issue = self.get_issue(number).model_copy(update=changes)
        return self.issue

    def add_issue_comment(self, number: int, body: str, *, marker: str) -> str:
        """Add, or edit ours with this marker."""
        self.get_issue(number)
        hidden = f"<!-- midas-devops:{marker} -->"
        text = f"{body}\n\n{hidden}"
        for place, comment in enumerate(self.said):
            if comment.author == self.me and comment.body.endswith(hidden):
                if comment.body != text:
                    at = self._tick()
                    self.said[place] = comment.model_copy(update={"body": text, "updated_at": at})
                return comment.url
        return self.say(self.me, text).url

    def say(self, account: str, body: str) -> Comment:
        """Somebody comments."""
        number, at = len(self.said) + 1, self._tick()
        ours = account == self.me and body.endswith("-->")
        comment = Comment(
            comment_id=number,
            author=account,
            is_person=not account.endswith("[bot]"),
            ours=ours,
            body=body,
            created_at=at,
            updated_at=at,
            url=f"https://tracker.invalid/{number}",
        )
        self.said.append(comment)
        return comment

    def comments(self, number: int) -> list[Comment]:
        """All of them."""
        self.get_issue(number)
        return list(self.said)

    def role(self, account: str) -> Role:
        """``none`` unless it was given one."""
        self._there()
        return self.roles.get(account, "none")

    def account(self) -> str:
        """``me``."""
        self._there()
        return self.me

    def record_deployment(self, status: ReleaseStatus) -> str:
        """As the port says."""
        self._there()
        states = self.deployments.setdefault(status.marker, [])
        if not states or states[-1] != status:
            states.append(status)
        for marker, others in self.deployments.items():
            latest = others[-1]
            if marker == status.marker or status.state != "success" or latest == "inactive":
                continue
            if latest.environment == status.environment and latest.state == "success":
                others.append("inactive")
        return f"https://tracker.invalid/{status.marker}"

    def set_commit_status(
        self,
        commit: str,
        *,
        context: str,
        state: Literal["pending", "success", "failure", "error"],
        description: str,
        target_url: str = "",
    ) -> str:
        """As the port says."""
        self._there()
        told = (commit, context, state, description)
        mine = [status for status in self.statuses if status[:2] == told[:2]]
        if not mine or mine[-1] != told:
            self.statuses.append(told)
        return target_url or f"https://tracker.invalid/{commit}"

    def _there(self) -> None:
        if self.away:
            raise RemoteError("could not reach the tracker", reason="unreachable")

    def _tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now
