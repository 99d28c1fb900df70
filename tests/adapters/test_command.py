"""The command deployer, with a small real tool: it starts a service, says what runs, and rolls back."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from midas_devops.adapters.artifacts import LocalArtifacts, open_artifacts
from midas_devops.adapters.command import CommandDeployer
from midas_devops.config import CommandDeploy, Health
from midas_devops.errors import ConfigError, ToolError
from midas_devops.ports.deployer import Release
from midas_devops.testing.deployer import DeployerConformance
from midas_devops.testing.source import FakeSource, Step
from tests.adapters.local.place import APP, free_port, until

TOOL = """
import json, os, pathlib, shutil, signal, subprocess, sys, time
what, *rest = sys.argv[1:]
note = pathlib.Path("running.json")
def running():
    return json.loads(note.read_text()) if note.exists() else {}
if what == "status":
    print("asking the machine", file=sys.stderr)
    print(running().get("commit", ""))
elif what == "deploy":
    commit = rest[0]
    print("deploying", commit, flush=True)
    with open("calls", "a") as calls:
        calls.write(" ".join(sys.argv[1:]) + chr(10))
    folder = pathlib.Path("versions") / commit
    if (pid := running().get("pid")):
        os.killpg(pid, signal.SIGKILL)
    with open("service.log", "w") as log:
        service = subprocess.Popen([sys.executable, "app.py"], cwd=folder, start_new_session=True,
            stdout=log, stderr=log, env=os.environ | {"PORT": os.environ["TOOL_PORT"]})
    note.write_text(json.dumps({"commit": commit, "pid": service.pid}))
"""


class Place:
    """A project with the tool above, and versions that it can deploy."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / ".midas" / "command" / "production"
        self.port = free_port()
        self.mark = uuid.uuid4().hex
        self.environ = {**os.environ, "MIDAS_TEST": self.mark, "TOOL_PORT": str(self.port)}
        self.artifacts: LocalArtifacts = open_artifacts(".midas/artifacts", root)
        self.first = self.release("v1", "a" * 40)
        self.second = self.release("v2", "b" * 40)
        self.unhealthy = self.release("v3", "c" * 40, "unhealthy")
        (root / "tool.py").write_text(TOOL)

    def release(self, version: str, commit: str, mode: str = "") -> Release:
        folder = self.root / "versions" / commit
        folder.mkdir(parents=True)
        shutil.copy(APP, folder / "app.py")
        (folder / "VERSION").write_text(commit)
        (folder / "mode").write_text(mode)
        return Release(run_id="run-1", environment="production", version=version, commit=commit)

    def deployer(self, **changes: Any) -> CommandDeployer:
        tool = (sys.executable, "tool.py")
        given = {
            "deploy": (*tool, "deploy", "{commit}", "{version}", "{environment}", "{url}"),
            "status": (*tool, "status", "{environment}"),
            "health": Health(url="{url}/health", within=timedelta(seconds=5)),
            "within": timedelta(seconds=60),
        }
        source = changes.pop("source", None)
        version_of = changes.pop("version_of", lambda _: "")
        return CommandDeployer(
            "production",
            CommandDeploy(using="command", **(given | changes)),
            root=self.root,
            home=self.home,
            artifacts=self.artifacts,
            environ=self.environ,
            url=f"http://127.0.0.1:{self.port}",
            source=source,
            version_of=version_of,
            redact=lambda text: text.replace("tok-4711", "[redacted]"),
        )

    def answer(self) -> str:
        return self._ask().partition(" ")[0]

    def instance(self) -> str:
        return self._ask().partition(" ")[2]

    def _ask(self) -> str:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{self.port}/", timeout=10) as response:
                text: str = response.read().decode()
                return text
        except urllib.error.HTTPError as error:
            with error:
                running = json.loads((self.root / "running.json").read_text())
                return f"{running['commit']} {running['pid']}"
        except OSError:
            return ""

    def calls(self) -> list[str]:
        path = self.root / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def living(self) -> set[int]:
        found = set()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                ours = process.environ().get("MIDAS_TEST") == self.mark
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.add(process.pid)
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    note = tmp_path / "running.json"
    if note.exists():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(json.loads(note.read_text())["pid"], signal.SIGKILL)
    until(lambda: not made.living())


def _silent(_: str) -> None:
    return None


class TestCommandDeployer(DeployerConformance):
    restores_on_failure = False

    @pytest.fixture
    def world(self, place: Place) -> Any:
        return place


def test_the_placeholders_are_filled_and_never_split(place: Place) -> None:
    release = place.first.model_copy(update={"version": "v1 with spaces; rm -rf /"})
    assert place.deployer().deploy(release, _silent).failure is None
    url = f"http://127.0.0.1:{place.port}"
    assert place.calls() == [f"deploy {'a' * 40} v1 with spaces; rm -rf / production {url}"]


def test_its_plan_is_the_very_command_line_of_the_rollback(place: Place) -> None:
    rollback = ("./back", "{to_commit}", "{to_version}", "from", "{commit}", "{version}", "tok-4711")
    place.deployer().deploy(place.second, _silent)
    named = {place.second.commit: "v2 rc"}
    deployer = place.deployer(rollback=rollback, version_of=lambda commit: named.get(commit, ""))
    to, away = place.first.commit, place.second.commit
    assert deployer.plan_rollback(place.first).effects == (
        f"run ./back {to} v1 from {away} 'v2 rc' [redacted]",
    )
    argv = shlex.join([sys.executable, "tool.py", "deploy", to, "v1", "production", deployer.url()])
    assert place.deployer().plan_rollback(place.first).effects == (f"run {argv}",)


def test_rollback_names_where_it_comes_from_and_where_it_goes(place: Place) -> None:
    rollback = (sys.executable, "tool.py", "deploy", "{to_commit}", "{to_version}", "from", "{commit}")
    place.deployer().deploy(place.second, _silent)
    result = place.deployer(rollback=rollback).rollback(place.first, _silent)
    assert result.failure is None
    assert place.calls()[-1] == f"deploy {'a' * 40} v1 from {'b' * 40}"


@pytest.mark.parametrize(
    ("key", "word"), [("deploy", "{to_commit}"), ("status", "{commit}"), ("rollback", "{port}")]
)
def test_a_placeholder_that_nothing_fills_is_a_configuration_error(place: Place, key: str, word: str) -> None:
    with pytest.raises(ConfigError) as refused:
        place.deployer(**{key: ("tool", word)})
    assert word in refused.value.message
    assert refused.value.location == f"midas.toml: environments.production.deploy.{key}"


# status


@pytest.mark.parametrize("answer", ["v1.2.0", "a" * 6, "commit " + "a" * 40, "a" * 40 + "\nok", "<html>"])
def test_a_status_that_is_no_commit_alone_cannot_be_told(place: Place, answer: str) -> None:
    with pytest.raises(ToolError) as refused:
        place.deployer(status=(sys.executable, "-c", f"print({answer!r})")).status()
    assert "nothing else" in refused.value.message


def test_words_on_stderr_do_not_count_as_status(place: Place) -> None:
    script = "import sys; print('Warning: known_hosts', file=sys.stderr); print('A' * 40)"
    running = place.deployer(status=(sys.executable, "-c", script)).status()
    assert running is not None
    assert running.commit == "a" * 40


def test_a_short_hash_is_completed_by_the_source(place: Place) -> None:
    source = FakeSource([Step("Begin", {"a": "1"})])
    full = source.head()
    status = (sys.executable, "-c", f"print('{full[:8]}')")
    running = place.deployer(status=status, source=source).status()
    assert running is not None
    assert running.commit == full


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ((sys.executable, "-c", "import sys; sys.exit('no route to tok-4711')"), "no route to [redacted]"),
        (("no-such-tool",), "no-such-tool"),
    ],
)
def test_a_status_command_that_fails_says_how(place: Place, status: tuple[str, ...], said: str) -> None:
    with pytest.raises(ToolError) as refused:
        place.deployer(status=status).status()
    assert said in refused.value.message
    assert refused.value.location == "environments.production.deploy.status"


def test_a_status_command_that_hangs_is_ended_with_its_children(place: Place) -> None:
    script = "import subprocess, sys, time; subprocess.Popen(['sleep', '600']);"
    status = (sys.executable, "-c", script + "time.sleep(600)")
    with pytest.raises(ToolError) as refused:
        place.deployer(status=status, within=timedelta(seconds=1)).status()
    assert "no answer within 1 s" in refused.value.message
    until(lambda: not place.living())


def test_nothing_is_deployed_while_it_cannot_be_told_what_runs(place: Place) -> None:
    with pytest.raises(ToolError):
        place.deployer(status=("false",)).deploy(place.first, _silent)
    assert place.calls() == []


# how a command ends


def test_a_failing_command_is_quoted_and_its_output_kept(place: Place) -> None:
    script = "import sys; print('connecting with tok-4711'); sys.exit(7)"
    result = place.deployer(deploy=(sys.executable, "-c", script)).deploy(place.first, _silent)
    assert result.failure is not None
    assert result.failure.code == "start_failed"
    assert "status 7" in result.failure.message
    assert "connecting with [redacted]" in result.failure.message
    assert place.artifacts.get(result.logs[0]) == b"connecting with tok-4711\n"
    assert result.logs[0].private


def test_a_command_that_is_not_there_is_a_failure_that_names_it(place: Place) -> None:
    result = place.deployer(deploy=("no-such-tool",)).deploy(place.first, _silent)
    assert result.failure is not None
    assert result.failure.code == "start_failed"
    assert "no-such-tool" in result.failure.message


def test_a_command_that_ends_well_and_changed_nothing_is_a_failure(place: Place) -> None:
    place.deployer().deploy(place.first, _silent)
    result = place.deployer(deploy=(sys.executable, "-c", "print('done')")).deploy(place.second, _silent)
    assert result.failure is not None
    assert "commit aaaaaaaaaaaa" in result.failure.message
    assert result.serving is not None
    assert result.serving.commit == place.first.commit


def test_a_command_that_takes_too_long_is_ended(place: Place) -> None:
    script = "import time; print('waiting for the cluster', flush=True); time.sleep(600)"
    deployer = place.deployer(deploy=(sys.executable, "-c", script), within=timedelta(seconds=2))
    result = deployer.deploy(place.first, _silent)
    assert result.failure is not None
    assert result.failure.code == "timed_out"
    assert "waiting for the cluster" in result.failure.message
    assert place.living() == set()


def test_ctrl_c_ends_the_command_and_is_said(place: Place) -> None:
    script = "import time; open('begun', 'w').close(); time.sleep(600)"
    deployer = place.deployer(deploy=(sys.executable, "-c", script))
    place.deployer().deploy(place.first, _silent)
    with interrupting((place.root / "begun").exists):
        result = deployer.deploy(place.second, _silent)
    assert result.failure is not None
    assert result.failure.code == "cancelled"
    assert result.serving is not None
    assert result.serving.commit == place.first.commit


@contextlib.contextmanager
def interrupting(when: Callable[[], bool]) -> Iterator[None]:
    """Send ourselves a real SIGINT as soon as something is true."""

    def send() -> None:
        until(when)
        os.kill(os.getpid(), signal.SIGINT)

    sending = threading.Thread(target=send)
    sending.start()
    yield
    sending.join()


def test_a_command_of_a_killed_call_is_waited_for_and_not_doubled(place: Place) -> None:
    slow = "import time, runpy, sys; time.sleep(2); sys.argv = sys.argv[1:]; runpy.run_path('tool.py')"
    deploy = (sys.executable, "-c", slow, "tool.py", "deploy", "{commit}")
    code = (
        "import os, sys, json; from pathlib import Path; from datetime import timedelta;"
        "from midas_devops.adapters.command import CommandDeployer;"
        "from midas_devops.adapters.artifacts import open_artifacts;"
        "from midas_devops.config import CommandDeploy; from midas_devops.ports.deployer import Release;"
        "root = Path(sys.argv[1]); given = json.loads(sys.argv[2]);"
        "CommandDeployer('production', CommandDeploy(using='command', **given['settings']), root=root,"
        " home=Path(given['home']), artifacts=open_artifacts('.midas/artifacts', root), environ=os.environ)"
        ".deploy(Release(**given['release']), print)"
    )
    status = (sys.executable, "tool.py", "status")
    given = json.dumps(
        {
            "settings": {"deploy": deploy, "status": status},
            "home": str(place.home),
            "release": place.first.model_dump(),
        }
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", code, str(place.root), given],
        env=place.environ,
        cwd=Path(__file__).parents[2],
        stdout=subprocess.DEVNULL,
    )
    until((place.home / "command.json").exists)
    driver.kill()
    driver.wait()
    assert place.calls() == []
    lines: list[str] = []
    result = place.deployer().deploy(place.first, lines.append)
    assert result.failure is None
    assert any("interrupted call" in line for line in lines)
    assert len(place.calls()) == 1


def test_a_note_of_a_process_id_that_is_somebody_elses_now_is_no_reason_to_wait(place: Place) -> None:
    place.home.mkdir(parents=True)
    note = {"pid": os.getpid(), "born": "7", "boot_id": "other", "what": "deploy"}
    (place.home / "command.json").write_text(json.dumps(note))
    # Waiting for it would last until this test is ended from outside.
    result = place.deployer(within=timedelta(hours=1)).deploy(place.first, _silent)
    assert result.failure is None


# health


def test_without_a_health_check_health_was_not_measured(place: Place) -> None:
    deployer = place.deployer(health=Health())
    result = deployer.deploy(place.unhealthy, _silent)
    assert result.failure is None
    assert deployer.health(_silent).healthy is None


def test_a_health_path_is_asked_below_the_environments_url(place: Place) -> None:
    lines: list[str] = []
    deployer = place.deployer(health=Health(path="/health", within=timedelta(seconds=30)))
    assert deployer.deploy(place.first, lines.append).failure is None
    assert any(f"127.0.0.1:{place.port}/health" in line for line in lines)


def test_raw_output_rests_only_among_private_artifacts(place: Place) -> None:
    script = "print('tok-4711')"
    place.deployer(deploy=(sys.executable, "-c", script)).deploy(place.first, _silent)
    midas = place.root / ".midas"
    holding = [path for path in midas.rglob("*") if path.is_file() and b"tok-4711" in path.read_bytes()]
    assert holding
    assert all(path.is_relative_to(midas / "artifacts" / "private") for path in holding)
