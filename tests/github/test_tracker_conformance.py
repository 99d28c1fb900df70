"""Both trackers do what a tracker has to: GitHub's, and the one in memory that tests of others rely on."""

from __future__ import annotations

import pytest

from midas_devops.adapters.github import GitHubTracker
from midas_devops.domain.comment_review import Role
from midas_devops.errors import RemoteError
from midas_devops.testing.tracker import COMMIT, NUMBER, FakeTracker, TrackerConformance
from tests.github.server import TOKEN, GitHub
from tests.github.shapes import REPOSITORY


class GitHubWorld:
    def __init__(self, github: GitHub) -> None:
        self.github = github

    def tracker(self) -> GitHubTracker:
        return GitHubTracker(REPOSITORY, TOKEN, self.github.url)

    def say(self, account: str, body: str) -> None:
        self.github.say(account, body)

    def give(self, account: str, role: Role) -> None:
        self.github.roles[account] = role

    def comment_texts(self) -> list[str]:
        return [comment["body"] for comment in self.github.comments]

    def deployment_states(self) -> list[list[str]]:
        statuses = self.github.deployment_statuses
        return [[status["state"] for status in statuses[made["id"]]] for made in self.github.deployments]

    def commit_states(self) -> list[str]:
        mine = [status for status in self.github.commit_statuses if status["url"].endswith(COMMIT)]
        return [status["state"] for status in mine]


class FakeWorld:
    def __init__(self) -> None:
        self.fake = FakeTracker()

    def tracker(self) -> FakeTracker:
        return self.fake

    def say(self, account: str, body: str) -> None:
        self.fake.say(account, body)

    def give(self, account: str, role: Role) -> None:
        self.fake.roles[account] = role

    def comment_texts(self) -> list[str]:
        return [comment.body for comment in self.fake.said]

    def deployment_states(self) -> list[list[str]]:
        return [
            [status if isinstance(status, str) else status.state for status in states]
            for states in self.fake.deployments.values()
        ]

    def commit_states(self) -> list[str]:
        return [state for commit, _, state, _ in self.fake.statuses if commit == COMMIT]


class TestGitHub(TrackerConformance):
    @pytest.fixture
    def world(self, github: GitHub) -> GitHubWorld:
        return GitHubWorld(github)


class TestInMemory(TrackerConformance):
    @pytest.fixture
    def world(self) -> FakeWorld:
        return FakeWorld()


def test_the_tracker_in_memory_can_be_away() -> None:
    tracker = FakeTracker(away=True)
    with pytest.raises(RemoteError) as caught:
        tracker.add_issue_comment(NUMBER, "x", marker="m")
    assert caught.value.reason == "unreachable"
