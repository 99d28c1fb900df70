"""The whole demo, as a newcomer runs it: every numbered point, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from midas_devops.interfaces.demo.services import services_of, stop_services

PROGRAM = [sys.executable, "-c", "from midas_devops.interfaces.cli.main import main; main()"]
pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("demo")]


@dataclass(frozen=True)
class Played:
    """One demo that ended."""

    code: int
    output: str
    folder: Path
    left_running: list[int]

    def step(self, number: int) -> str:
        """What was printed under one of the numbered headlines."""
        parts = re.split(r"^ (\d)  [^\n]+─+$", self.output, flags=re.MULTILINE)
        steps = dict(zip(parts[1::2], parts[2::2], strict=True))
        return steps[str(number)]

    def devops(self, *words: str) -> dict[str, object]:
        argv = [*PROGRAM, "--project", str(self.folder), *words, "--json"]
        ended = subprocess.run(argv, capture_output=True, text=True, check=True)
        document = json.loads(ended.stdout)
        assert isinstance(document, dict)
        return document


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, "demo"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    where = tmp_path_factory.mktemp("demo")
    process = start(where)
    output, _ = process.communicate(timeout=540)
    folder = where / "midas-demo"
    left = [service.pid for service in services_of(folder)]
    stop_services(folder)
    return Played(process.returncode, output, folder, left)


def test_the_demo_succeeds_and_leaves_no_process(played: Played) -> None:
    assert played.code == 0, played.output
    assert "everything went as it has to" in played.output
    assert played.left_running == []


def test_1_staging_infrastructure_is_planned_approved_and_applied_and_its_outputs_are_read(
    played: Played,
) -> None:
    step = played.step(1)
    assert "infra apply infra/staging" in step
    assert "4 to add" in step
    assert "demo operator (no terminal) answers: approve" in step
    assert re.search(r"url +http://127\.0\.0\.1:\d+", step)
    state = json.loads((played.folder / "infra" / "staging" / "terraform.tfstate").read_text())
    assert {resource["type"] for resource in state["resources"]} == {"terraform_data"}
    secret = state["outputs"]["database_connection"]["value"]
    assert secret not in played.output


def test_2_the_first_release_passes_real_tests_and_a_real_scan_of_its_commit(played: Played) -> None:
    step = played.step(2)
    commit = re.search(r"v1\.0\.0 is commit ([0-9a-f]{40})", step)
    assert commit is not None
    reports = played.folder / "reports" / commit[1]
    assert "<testcase" in (reports / "junit.xml").read_text()
    assert json.loads((reports / "bandit.sarif").read_text())["version"] == "2.1.0"
    assert f"reports/{commit[1]}/junit.xml" in step
    assert "✔ tests: 17 tests passed" in step
    assert re.search(r"v1\.0\.0 is verified on staging: http://127\.0\.0\.1:\d+", step)


def test_3_the_promotion_waits_with_digest_and_evidence_and_resumes_in_a_new_process(played: Played) -> None:
    step = played.step(3)
    assert re.search(r"digest +[0-9a-f]{64}", step)
    assert "✔ promotion" in step
    processes = re.findall(r"asked by process (\d+), continued by process (\d+), exit code 0", step)
    assert processes
    assert all(asked != continued for asked, continued in processes)
    assert "v1.0.0 serves production" in step


def test_4_the_bad_release_is_diagnosed_rolled_back_and_blocked(played: Played) -> None:
    step = played.step(4)
    assert "┃ sqlite3.OperationalError: no such column: currency" in step
    assert "exit code 5" in step
    assert "v1.0.0 serves staging again" in step
    assert "blocked, exit code 4" in step
    environments = played.devops("env", "list")["environments"]
    assert isinstance(environments, list)
    staging = next(item for item in environments if item["name"] == "staging")
    assert [item["version"] for item in staging["blocked_versions"]] == ["v1.1.0"]
    assert staging["last_verified_version"] == "v1.0.0"
    assert staging["running"] is False  # the demo stops its services when it ends


def test_5_the_guard_stops_the_apply_and_names_the_database(played: Played) -> None:
    step = played.step(5)
    assert "┃ module.database.terraform_data.database" in step
    assert "answers: reject" in step
    state = json.loads((played.folder / "infra" / "production" / "terraform.tfstate").read_text())
    assert "module.database" in {resource.get("module") for resource in state["resources"]}


def test_6_a_table_sums_up_and_the_report_stands_alone(played: Played) -> None:
    step = played.step(6)
    for status in ("succeeded", "rolled back", "blocked", "rejected"):
        assert status in step
    path = re.search(r"HTML report of the failed release: (\S+)", step)
    assert path is not None
    html = Path(path[1]).read_text()
    assert "no such column: currency" in html
    assert not re.search(r"""(?:src|href)=["']https?://(?!127\.0\.0\.1)""", html)


def test_what_to_try_next_is_said_and_works(played: Played) -> None:
    line = re.search(r"^ +look +midas-devops --project midas-demo (.+)$", played.output, re.MULTILINE)
    assert line is not None
    runs = played.devops(*line[1].split())["runs"]
    assert isinstance(runs, list)
    assert len(runs) == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_half_way_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path)
    folder = tmp_path / "midas-demo"
    deadline = time.monotonic() + 120
    while not list(services_of(folder)):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode not in (0, None)
    assert list(services_of(folder)) == []
    assert "Traceback" not in output
