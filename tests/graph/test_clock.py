"""Releases under a clock that jumps: a pause is real time, and what is still to come proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle, pairwise
from pathlib import Path

import pytest

from midas_devops import DevOpsAgent
from midas_devops.config import load_settings
from tests.graph.controlled import PROMOTION, Controlled
from tests.projects import project

Clock = Callable[[], datetime]
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
YEAR = timedelta(days=365)


@pytest.fixture
def open_with() -> Iterator[Callable[[Path, Clock], DevOpsAgent]]:
    """Agents with a clock of the test's."""
    with ExitStack() as stack:

        def opened(root: Path, clock: Clock) -> DevOpsAgent:
            real = stack.enter_context(DevOpsAgent.from_project(root))
            return DevOpsAgent(root, load_settings(root), ports=replace(real.ports, clock=clock))

        yield opened


OpenWith = Callable[[Path, Clock], DevOpsAgent]

TOOL = """
import pathlib, sys, time
what, *rest = sys.argv[1:]
note = pathlib.Path("stable")
if what == "status":
    print(note.read_text() if note.exists() else "")
if what == "switch":
    commit, weight = rest
    with open("switched", "a") as switched:
        switched.write(f"{weight} {time.monotonic()}\\n")
    if weight == "100":
        note.write_text(commit)
"""
CANARY = """
[environments.live]
kind = "staging"

[environments.live.deploy]
using = "command"
deploy = ["true"]
status = ["python3", "tool.py", "status"]
switch = ["python3", "tool.py", "switch", "{commit}", "{weight}"]
canary = [{ weight = 10, pause = "700ms" }, { weight = 50, pause = "700ms" }]
analysis = ["true"]

[environments.live.verify]
command = ["true"]
"""


@pytest.mark.parametrize("jumps", [(0, 1, 2, 3), (3, 2, 1, 0), (0, 2, -2)], ids=["forward", "back", "both"])
def test_a_canary_pauses_for_as_long_as_it_was_told_to(
    tmp_path: Path, open_with: OpenWith, jumps: tuple[int, ...]
) -> None:
    files = {"tool.py": TOOL, "midas.toml": CANARY, ".gitignore": ".midas/\nstable\nswitched\n"}
    root = project(tmp_path / "live", files)
    years = cycle(jumps)
    run = open_with(root, lambda: NOW + YEAR * next(years)).deploy_release("live", "v1")
    assert run.status == "succeeded", run.to_json()["timeline"]
    switched = [line.split() for line in (root / "switched").read_text().splitlines()]
    assert [weight for weight, _ in switched] == ["10", "50", "100"]
    moments = [float(at) for _, at in switched]
    assert all(later - earlier >= 0.7 for earlier, later in pairwise(moments))


@pytest.fixture
def ahead(tmp_path: Path, no_services_left: None, open_with: OpenWith) -> Controlled:
    """v1 was deployed and verified while the clock was four years ahead."""
    web = Controlled(tmp_path / "web")
    web.configure(PROMOTION)
    assert open_with(web.root, lambda: NOW + 4 * YEAR).deploy_release("web", "v1").status == "succeeded"
    return web


def promoted(agent: DevOpsAgent) -> tuple[str, str]:
    run = agent.deploy_release("shop", "v1")
    return str(run.status), run.to_json()["gates"][0]["reason"]


def test_a_verification_that_is_still_to_come_proves_nothing(ahead: Controlled, open_with: OpenWith) -> None:
    status, reason = promoted(open_with(ahead.root, lambda: NOW + timedelta(hours=9)))
    assert (status, "dated in the future" in reason) == ("blocked", True)


def test_looking_again_by_the_right_clock_begins_the_wait(ahead: Controlled, open_with: OpenWith) -> None:
    assert open_with(ahead.root, lambda: NOW).deploy_release("web", "v1").status == "succeeded"
    early = open_with(ahead.root, lambda: NOW + timedelta(minutes=29))
    assert promoted(early)[0] == "blocked"
    assert promoted(open_with(ahead.root, lambda: NOW + timedelta(minutes=30)))[0] == "succeeded"


def test_a_clock_that_is_set_back_after_the_verification_shortens_no_wait(
    tmp_path: Path, no_services_left: None, open_with: OpenWith
) -> None:
    web = Controlled(tmp_path / "web")
    web.configure(PROMOTION)
    assert open_with(web.root, lambda: NOW).deploy_release("web", "v1").status == "succeeded"
    for moment in (NOW - YEAR, NOW - timedelta(seconds=1), NOW + timedelta(minutes=29)):
        assert promoted(open_with(web.root, lambda moment=moment: moment))[0] == "blocked"
    assert promoted(open_with(web.root, lambda: NOW + timedelta(minutes=30)))[0] == "succeeded"
