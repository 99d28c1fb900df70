"""What people see of a run on GitHub, whatever happens to GitHub or to us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from midas_devops import DevOpsAgent
from midas_devops.errors import UsageError
from midas_devops.outbox import GIVE_UP_AFTER, deliver, queue
from tests.github.projects import messages, tracked
from tests.github.server import TOKEN, Fault, GitHub
from tests.projects import commit, write

Open = Callable[[Path], DevOpsAgent]
DRIVER = Path(__file__).with_name("driver.py")


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch, no_services_left: None) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)


@pytest.fixture
def open_agent() -> Iterator[Open]:
    with ExitStack() as stack:
        yield lambda root: stack.enter_context(DevOpsAgent.from_project(root))


def states(github: GitHub) -> list[list[str]]:
    return [[s["state"] for s in github.deployment_statuses[made["id"]]] for made in github.deployments]


def contexts(github: GitHub) -> list[tuple[str, str]]:
    return [(status["context"], status["state"]) for status in github.commit_statuses]


def test_a_release_shows_as_comment_deployment_and_commit_status(
    tmp_path: Path, github: GitHub, open_agent: Open
) -> None:
    root = tracked(tmp_path / "p", github)
    run = open_agent(root).deploy_release("web", "v1", issue_number=7)
    assert run.status == "succeeded"
    (text,) = github.texts()
    assert "**succeeded**" in text
    assert run.id in text
    assert states(github) == [["in_progress", "success"]]
    assert github.deployments[0]["environment"] == "web"
    assert contexts(github) == [("midas-devops/web", "pending"), ("midas-devops/web", "success")]
    assert messages(root) == []


def test_a_release_that_is_rolled_back_shows_both_deployments(
    tmp_path: Path, github: GitHub, open_agent: Open
) -> None:
    root = tracked(tmp_path / "p", github)
    open_agent(root).deploy_release("web", "v1")
    write(root, {"VERSION": "sick"})
    bad = commit(root, "sick", "v2")
    run = open_agent(root).deploy_release("web", "v2", issue_number=7)
    assert run.status == "rolled_back"
    assert [made["sha"] == bad for made in github.deployments][:2] == [False, True]
    assert states(github)[1] == ["in_progress", "failure"]
    assert contexts(github)[-1][1] in ("success", "failure")
    assert "rolled_back" in github.texts()[0]


def test_an_outage_fails_no_deployment_and_is_made_up_for_in_order(
    tmp_path: Path, github: GitHub, open_agent: Open
) -> None:
    root = tracked(tmp_path / "p", github)
    github.faults = [Fault("", 502)]
    agent = open_agent(root)
    assert agent.deploy_release("web", "v1", issue_number=7).status == "succeeded"
    waiting = messages(root)
    assert [message.kind for message in waiting] == [
        "deployment",
        "commit_status",
        "comment",
        "deployment",
        "commit_status",
    ]
    assert all("502" in message.last_error for message in waiting if message.attempts)
    # The outage was noticed once, not once per message.
    assert github.count("POST|GET") <= 3
    github.faults = []
    assert agent.deliver().delivered == len(waiting)
    assert states(github) == [["in_progress", "success"]]
    assert len(github.texts()) == 1
    assert agent.deliver().delivered == 0


def test_the_next_command_delivers_what_waits(tmp_path: Path, github: GitHub, open_agent: Open) -> None:
    root = tracked(tmp_path / "p", github)
    github.remaining = 0
    agent = open_agent(root)
    agent.report_deployment_status("web", "succeeded", "by hand", issue_number=7)
    github.remaining = 5000
    _due_now(root)
    agent.deploy_release("web", "v1")
    assert "by hand" in github.texts()[0]


def _due_now(root: Path) -> None:
    """The pause of every waiting message is over."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(root / ".midas" / "midas.db")) as connection, connection:
        connection.execute("UPDATE midas_outbox SET next_try_at = queued_at")


MOMENTS = [
    "before:message_delivered",
    "after:queue_message",
    "after:record_deployment",
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_between_sending_and_recording_leaves_no_second_trace(
    tmp_path: Path, github: GitHub, open_agent: Open, moment: str
) -> None:
    root = tracked(tmp_path / "p", github)
    ended = subprocess.run(
        [sys.executable, str(DRIVER), str(root), moment, "deploy_release", "web", "v1"],
        env={**os.environ, "PYTHONPATH": str(DRIVER.parents[2])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    agent = open_agent(root)
    run = agent.run(agent.runs()[0]["run_id"]).resume()
    assert run.status == "succeeded"
    agent.deliver()
    assert states(github) == [["in_progress", "success"]]
    assert [state for _, state in contexts(github)] == ["pending", "success"]


REPORTER = """
import os, signal, sys
from midas_devops import DevOpsAgent
from midas_devops.adapters.github import GitHubTracker
from midas_devops.adapters.sql.ledger import SqlLedger

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

moment, root = sys.argv[1:]
if moment == "before sending":
    GitHubTracker.add_issue_comment = die
else:
    SqlLedger.message_delivered = die
with DevOpsAgent.from_project(root) as agent:
    agent.report_deployment_status("web", "succeeded", "by hand", issue_number=7)
"""


@pytest.mark.parametrize("moment", ["before sending", "between sending and recording"])
def test_a_kill_leaves_exactly_one_comment(
    tmp_path: Path, github: GitHub, open_agent: Open, moment: str
) -> None:
    root = tracked(tmp_path / "p", github)
    ended = subprocess.run(
        [sys.executable, "-c", REPORTER, moment, str(root)], capture_output=True, timeout=60, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert len(messages(root)) == 1
    assert open_agent(root).deliver().delivered == 1
    assert len(github.texts()) == 1


def test_two_processes_tell_every_message_once(tmp_path: Path, github: GitHub, open_agent: Open) -> None:
    root = tracked(tmp_path / "p", github)
    agents = [DevOpsAgent.from_project(root) for _ in range(3)]
    for number in range(6):
        queue(
            agents[0].ports,
            f"key-{number}",
            "comment",
            "issue 7",
            {"issue": 7, "text": f"text {number}", "marker": f"m-{number}"},
        )
    threads = [threading.Thread(target=agent.deliver) for agent in agents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for agent in agents:
        agent.deliver()
        agent.close()
    assert [text.split("\n")[0] for text in github.texts()] == [f"text {number}" for number in range(6)]


def test_a_refused_message_holds_up_its_own_issue_only(
    tmp_path: Path, github: GitHub, open_agent: Open
) -> None:
    root = tracked(tmp_path / "p", github)
    agent = open_agent(root)
    for number, issue in enumerate([99, 7, 99]):
        body = {"issue": issue, "text": f"text {number}", "marker": f"m-{number}"}
        queue(agent.ports, f"key-{number}", "comment", f"issue {issue}", body)
    told = agent.deliver()
    assert (told.delivered, told.waiting) == (1, 2)
    assert "404" in told.why
    assert github.count("/issues/99/") == 1


def test_a_message_about_what_was_deleted_is_given_up_at_once_others_after_days(
    tmp_path: Path, github: GitHub, open_agent: Open
) -> None:
    root = tracked(tmp_path / "p", github)
    agent = open_agent(root)
    github.faults = [Fault("/issues/8/", 410, '{"message": "This issue was deleted"}')]
    for number, issue in enumerate([8, 99]):
        body = {"issue": issue, "text": "text", "marker": f"m-{number}"}
        queue(agent.ports, f"key-{number}", "comment", f"issue {issue}", body)
    assert (agent.deliver().given_up, agent.deliver().waiting) == (1, 1)
    from dataclasses import replace

    late = agent.ports.clock() + GIVE_UP_AFTER * 2
    told = deliver(replace(agent.ports, clock=lambda: late), at_once=True)
    assert (told.given_up, told.waiting) == (2, 0)


def test_pauses_grow_and_are_kept(tmp_path: Path, github: GitHub, open_agent: Open) -> None:
    root = tracked(tmp_path / "p", github)
    agent = open_agent(root)
    github.faults = [Fault("", 503)]
    queue(agent.ports, "key", "comment", "issue 7", {"issue": 7, "text": "t", "marker": "m"})
    pauses = []
    for _ in range(12):
        agent.deliver()
        (waiting,) = messages(root)
        pauses.append(round((waiting.next_try_at - agent.ports.clock()).total_seconds()))
    assert pauses == sorted(pauses)
    assert pauses[0] <= 30
    assert 3600 < pauses[-1] <= 6 * 3600
    asked = len(github.asked)
    deliver(agent.ports)
    assert len(github.asked) == asked


def test_what_is_told_can_be_chosen(tmp_path: Path, github: GitHub, open_agent: Open) -> None:
    root = tracked(tmp_path / "p", github)
    write(root, {"midas.toml": (root / "midas.toml").read_text().replace(
        'using = "github"', 'using = "github"\ntell = ["issues"]')})  # fmt: skip
    open_agent(root).deploy_release("web", "v1", issue_number=7)
    assert len(github.texts()) == 1
    assert (github.deployments, github.commit_statuses) == ([], [])


# report_deployment_status


def test_a_reported_status_is_on_record_and_on_the_issue(
    tmp_path: Path, github: GitHub, open_agent: Open
) -> None:
    root = tracked(tmp_path / "p", github)
    agent = open_agent(root)
    told = agent.report_deployment_status("web", "succeeded", f"with {TOKEN}", issue_number=7)
    assert told["tracking"] == "delivered"
    assert told["comment"].startswith("https://")
    again = agent.report_deployment_status("web", "failed", "by the nightly job", issue_number=7)
    assert again["comment"] == told["comment"]
    (text,) = github.texts()
    assert "**failed**" in text
    entries = agent.ports.ledger.audited("deployment status")
    assert [entry.data["status"] for entry in entries] == ["failed", "succeeded"]
    assert TOKEN not in str(entries)


def test_a_reported_status_waits_while_github_is_away(
    tmp_path: Path, github: GitHub, open_agent: Open
) -> None:
    agent = open_agent(tracked(tmp_path / "p", github))
    github.faults = [Fault("", drop=True)]
    told = agent.report_deployment_status("web", "succeeded", "by hand", issue_number=7)
    assert (told["tracking"], told["comment"]) == ("waiting", "")
    assert agent.report_deployment_status("web", "succeeded", "quietly")["tracking"] == "none"


@pytest.mark.parametrize(
    ("environment", "status"), [("nowhere", "succeeded"), ("web", " "), ("web", "x" * 65)]
)
def test_a_report_about_nothing_is_refused(
    tmp_path: Path, github: GitHub, open_agent: Open, environment: str, status: str
) -> None:
    with pytest.raises(UsageError):
        open_agent(tracked(tmp_path / "p", github)).report_deployment_status(environment, status, "x")
