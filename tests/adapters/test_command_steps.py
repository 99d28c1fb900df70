"""The command deployer with a traffic switch: shares, analyses, killed calls; and an address it prints."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from midas_devops.adapters.artifacts import open_artifacts
from midas_devops.adapters.command import CommandDeployer
from midas_devops.config import CommandDeploy, load_settings
from midas_devops.errors import ConfigError
from midas_devops.ports.deployer import DeployPlan, Release

TOOL = """
import json, pathlib, sys
what, *rest = sys.argv[1:]
note = pathlib.Path("traffic.json")
traffic = json.loads(note.read_text()) if note.exists() else {"stable": "", "before": ""}
if what == "status":
    print(traffic["stable"])
else:
    with open("calls", "a") as calls:
        calls.write(" ".join([what, *(word[:2] if len(word) == 40 else word for word in rest)]) + chr(10))
if what == "switch":
    commit, weight = rest
    if weight == "100":
        traffic = {"stable": commit, "before": traffic["stable"]}
    elif weight == "0" and traffic["stable"] == commit:
        traffic = {"stable": traffic["before"], "before": ""}
    note.write_text(json.dumps(traffic))
if what == "analyse" and pathlib.Path("bad").exists() and pathlib.Path("bad").read_text() == rest[1]:
    sys.exit("error rate 7 % with tok-4711")
"""

FIRST = Release(run_id="run-1", environment="production", version="v1", commit="a1" * 20)
SECOND = Release(run_id="run-1", environment="production", version="v2", commit="b2" * 20)
THIRD = Release(run_id="run-1", environment="production", version="v3", commit="c3" * 20)


class World:
    """A tool that shares traffic out, v1 on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "tool.py").write_text(TOOL)
        (root / "traffic.json").write_text(json.dumps({"stable": FIRST.commit, "before": ""}))

    def table(self, **changes: Any) -> dict[str, Any]:
        tool = [sys.executable, "tool.py"]
        given: dict[str, Any] = {
            "deploy": [*tool, "deploy", "{commit}"],
            "status": [*tool, "status"],
            "switch": [*tool, "switch", "{commit}", "{weight}"],
            "analysis": [*tool, "analyse", "{commit}", "{weight}"],
            "canary": [{"weight": 10}, {"weight": 50}],
        }
        return {"using": "command", **given, **changes}

    def deployer(self, **changes: Any) -> CommandDeployer:
        return CommandDeployer(
            "production",
            CommandDeploy.model_validate(self.table(**changes)),
            root=self.root,
            home=self.root / ".midas" / "command" / "production",
            artifacts=open_artifacts(".midas/artifacts", self.root),
            environ={"PATH": "/usr/bin:/bin"},
            redact=lambda text: text.replace("tok-4711", "[redacted]"),
        )

    def killed(self, release: Release, words: str) -> None:
        """A call in a process of its own that dies when its progress says so."""
        code = (
            "import json, os, signal, sys; from pathlib import Path;"
            "from midas_devops.ports.deployer import Release;"
            "from tests.adapters.test_command_steps import World;"
            "World.deployer(World.__new__(World).at(Path(sys.argv[1]))).deploy("
            "Release.model_validate_json(sys.argv[2]),"
            " lambda line: os.kill(os.getpid(), signal.SIGKILL) if sys.argv[3] in line else None)"
        )
        driver = subprocess.run(
            [sys.executable, "-c", code, str(self.root), release.model_dump_json(), words],
            cwd=Path(__file__).parents[2],
            check=False,
            timeout=120,
        )
        assert driver.returncode == -signal.SIGKILL

    def at(self, root: Path) -> World:
        """This world as another process finds it."""
        self.root = root
        return self

    @property
    def calls(self) -> list[str]:
        path = self.root / "calls"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def stable(self) -> str:
        stable: str = json.loads((self.root / "traffic.json").read_text())["stable"]
        return stable


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _silent(_: str) -> None:
    return None


CLIMB = [
    "deploy b2",
    *(f"{what} b2 {weight}" for weight in ("10", "50", "100") for what in ("switch", "analyse")),
]


def test_a_version_goes_up_step_by_step_and_is_analysed_at_each(world: World) -> None:
    assert world.deployer().deploy(SECOND, _silent).failure is None
    assert world.calls == CLIMB
    assert world.stable == SECOND.commit


def test_without_steps_it_is_one_switch(world: World) -> None:
    assert world.deployer(canary=[]).deploy(SECOND, _silent).failure is None
    assert world.calls == ["deploy b2", "switch b2 100", "analyse b2 100"]


@pytest.mark.parametrize("weight", ["10", "50", "100"])
def test_a_failing_analysis_takes_all_traffic_from_it(world: World, weight: str) -> None:
    (world.root / "bad").write_text(weight)
    result = world.deployer().deploy(SECOND, _silent)
    assert result.failure is not None
    assert result.failure.code == "health_check_failed"
    assert f"at {weight} %" in result.failure.message
    assert "error rate 7 % with [redacted]" in result.failure.message
    assert result.serving is not None
    assert result.serving.commit == FIRST.commit == world.stable
    assert world.calls[-1] == "switch b2 0"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("deploy v2 with", ["deploy b2", *CLIMB]),
        ("10 % of the traffic", ["deploy b2", "switch b2 10", *CLIMB]),
        ("50 % of the traffic", [*CLIMB[:4], *CLIMB[3:]]),
        ("100 % of the traffic", [*CLIMB[:6], *CLIMB[5:]]),
    ],
)
def test_a_killed_call_goes_on_at_its_step(world: World, words: str, expected: list[str]) -> None:
    world.killed(SECOND, words)
    assert world.deployer().deploy(SECOND, _silent).failure is None
    # What was begun is begun again; a step that was left behind is not gone back to.
    assert world.calls in (expected, expected[1:])
    assert world.stable == SECOND.commit


def test_a_version_that_has_everything_is_unfinished_until_the_last_check(world: World) -> None:
    world.killed(SECOND, "100 % of the traffic")
    running = world.deployer().status()
    assert running is not None
    assert (running.commit, running.unfinished) == (SECOND.commit, True)
    result = world.deployer().deploy(SECOND, _silent)
    assert result.serving is not None
    assert not result.serving.unfinished


def test_another_version_first_takes_down_what_a_killed_call_left(world: World) -> None:
    world.killed(SECOND, "50 % of the traffic")
    assert world.deployer().deploy(THIRD, _silent).failure is None
    assert world.calls[4:6] == ["switch b2 0", "deploy c3"]
    assert world.stable == THIRD.commit


def test_rollback_has_no_steps_and_takes_down_what_was_on_its_way(world: World) -> None:
    world.killed(SECOND, "50 % of the traffic")
    assert world.deployer().rollback(FIRST, _silent).failure is None
    assert world.calls[4:] == ["switch b2 0"]
    assert world.stable == FIRST.commit


def test_a_switch_back_that_fails_is_said(world: World) -> None:
    switch = [
        sys.executable,
        "-c",
        "import sys; sys.exit('no route' if sys.argv[1] == '0' else 0)",
        "{weight}",
    ]
    (world.root / "bad").write_text("10")
    result = world.deployer(switch=switch).deploy(SECOND, _silent)
    assert result.failure is not None
    assert "could not be taken out of the traffic" in result.failure.message


def test_a_damaged_note_stops_before_anything(world: World) -> None:
    note = world.root / ".midas" / "command" / "production" / "canary.json"
    note.parent.mkdir(parents=True)
    note.write_text("{")
    with pytest.raises(Exception, match="how far the new version has come"):
        world.deployer().deploy(SECOND, _silent)
    assert world.calls == []


def test_the_steps_are_in_the_plan_in_order(world: World) -> None:
    effects = world.deployer(canary=[{"weight": 10, "pause": "2m"}]).plan(SECOND).effects
    assert "tool.py deploy" in effects[0]
    assert "10 %" in effects[1]
    assert "120 s" in effects[1]
    assert "100 %" in effects[2]
    assert "none" in effects[3]
    assert world.calls == []


def test_a_rollback_without_a_command_of_its_own_is_planned_as_one_switch(world: World) -> None:
    (world.root / "traffic.json").write_text(json.dumps({"stable": SECOND.commit, "before": FIRST.commit}))
    effects = world.deployer().plan_rollback(FIRST).effects
    assert effects[0] == f"run {sys.executable} tool.py deploy {FIRST.commit}; what serves now goes on"
    assert effects[1].startswith("give v1 100 % of the traffic; check it by ")
    assert effects[2:] == ("give it none again when a check fails",)
    assert world.calls == []


def test_a_script_among_the_words_is_one_line_of_the_plan(world: World) -> None:
    (effect,) = world.deployer(rollback=["sh", "-c", "one\ntwo"]).plan_rollback(SECOND).effects
    assert effect == r"run sh -c 'one\ntwo'"


def test_the_plan_takes_down_first_what_a_killed_call_left(world: World) -> None:
    world.killed(SECOND, "50 % of the traffic")
    down = f"take v2 out of the traffic: run {sys.executable} tool.py switch {SECOND.commit} 0"
    left = DeployPlan.stays(FIRST).effects
    assert world.deployer().plan_rollback(FIRST).effects == (down, *left)
    third = world.deployer().plan(THIRD).effects
    assert third[0] == down
    assert "tool.py deploy" in third[1]


def test_the_plan_goes_on_at_the_step_of_a_killed_call(world: World) -> None:
    world.killed(SECOND, "50 % of the traffic")
    effects = world.deployer().plan(SECOND).effects
    assert [line.split(" %")[0] for line in effects] == ["give v2 50", "give v2 100", effects[-1]]
    # A rollback has one step alone, however far it had come.
    assert world.deployer().plan_rollback(SECOND).effects[0].startswith("give v2 100 %")


def test_a_rollback_to_what_was_on_its_way_gives_it_everything(world: World) -> None:
    world.killed(SECOND, "50 % of the traffic")
    assert world.deployer().rollback(SECOND, _silent).failure is None
    assert world.stable == SECOND.commit


def test_an_analysis_that_speaks_on_stdout_alone_is_quoted_all_the_same(world: World) -> None:
    script = "print('error rate 9 %\\nof tok-4711'); raise SystemExit(3)"
    result = world.deployer(analysis=[sys.executable, "-c", script]).deploy(SECOND, _silent)
    assert result.failure is not None
    assert "ended with status 3: error rate 9 % of [redacted]" in result.failure.message


def test_an_analysis_that_says_nothing_is_said_to(world: World) -> None:
    result = world.deployer(analysis=["false"]).deploy(SECOND, _silent)
    assert result.failure is not None
    assert "false ended with status 1: it said nothing" in result.failure.message


# the configuration


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('canary = [{ weight = 10 }]\nhealth = { path = "/" }', "moves traffic"),
        ('switch = ["s"]\ncanary = [{ weight = 10 }]', "judges a step"),
        ('switch = ["s"]\nanalysis = ["a"]\ncanary = [{ weight = 50 }, { weight = 10 }]', "rise"),
        ('switch = ["s"]\nanalysis = ["a"]\ncanary = [{ weight = 0 }]', "weight"),
        ('switch = ["s"]\nanalysis = ["a"]\ncanary = [{ weight = 10, pause = 5 }]', "pause"),
    ],
)
def test_steps_that_cannot_be_gone_are_a_configuration_error(tmp_path: Path, lines: str, said: str) -> None:
    table = f'[environments.live.deploy]\nusing = "command"\ndeploy = ["d"]\nstatus = ["s"]\n{lines}\n'
    (tmp_path / "midas.toml").write_text(table)
    with pytest.raises(ConfigError, match=said):
        load_settings(tmp_path / "midas.toml")


# the address


def test_the_address_is_what_its_command_prints(world: World) -> None:
    deployer = world.deployer(url=[sys.executable, "-c", "print('https://{environment}.example')"])
    assert deployer.url() == "https://production.example"
    running = deployer.status()
    assert running is not None
    assert running.url == "https://production.example"


@pytest.mark.parametrize("script", ["print('no address yet')", "import sys; sys.exit(3)", "print('ftp://x')"])
def test_what_is_no_address_is_none_and_health_says_why(world: World, script: str) -> None:
    deployer = world.deployer(url=[sys.executable, "-c", script], health={"path": "/health"})
    assert deployer.url() == ""
    reading = deployer.health(_silent)
    assert reading.healthy is None
    assert "address" in reading.detail
