"""The example service: its versions pass what they should pass, and v1.1.0 fails where it should fail."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import pytest

from midas_devops.adapters.junit import JUnitResults
from midas_devops.adapters.sarif import SarifResults
from midas_devops.config import load_settings
from midas_devops.domain.gate_rules import judge_scan, judge_tests
from midas_devops.domain.gates import Verdict
from midas_devops.interfaces.demo.project import example_folder
from midas_devops.testing.results import COMMIT

EXAMPLE = example_folder()
ORDER = {"item": "tea", "quantity": 2, "price_cents": 450}


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {}
    for version in ("v1.0.0", "v1.1.0"):
        folder = tmp_path_factory.mktemp(version) / "orders"
        shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("versions", "__pycache__"))
        overlay = EXAMPLE / "versions" / version
        if overlay.exists():
            shutil.copytree(overlay, folder, dirs_exist_ok=True)
        folders[version] = folder
    return folders


@contextmanager
def running(folder: Path, data: Path, log: Path) -> Iterator[int]:
    """The service as a real process; its port, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port), "--data", str(data), "--environment", "test"],
            cwd=folder,
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + 20
        while "event=listening" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        assert process.wait(10) == 0


def ask(port: int, method: str, path: str, body: object = None) -> tuple[int, dict[str, object]]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, json.dumps(body) if body else None)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.mark.parametrize("version", ["v1.0.0", "v1.1.0"])
def test_every_version_passes_its_own_tests(versions: dict[str, Path], version: str) -> None:
    folder = versions[version]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--junitxml=reports/{COMMIT}/junit.xml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    reading = JUnitResults(folder, "reports/{commit}/junit.xml").read(COMMIT)
    assert judge_tests("tests", reading, COMMIT, datetime.now(UTC), None).verdict is Verdict.PASSED
    assert reading.tests >= 15


@pytest.mark.parametrize("version", ["v1.0.0", "v1.1.0"])
def test_every_version_passes_its_scan(versions: dict[str, Path], version: str) -> None:
    folder = versions[version]
    report = folder / "reports" / COMMIT / "bandit.sarif"
    report.parent.mkdir(parents=True, exist_ok=True)
    scan = [sys.executable, "-m", "bandit", "-q", "-f", "sarif", "-o", str(report), "-r", "app.py", "orders"]
    subprocess.run(scan, cwd=folder, capture_output=True, check=True)
    reading = SarifResults(folder, "reports/{commit}/*.sarif").read(COMMIT)
    result = judge_scan("security", reading, COMMIT, datetime.now(UTC), None, "note")
    assert result.verdict is Verdict.PASSED, result.reason


def test_version_1_1_is_healthy_on_an_empty_database(versions: dict[str, Path], tmp_path: Path) -> None:
    with running(versions["v1.1.0"], tmp_path / "data", tmp_path / "log") as port:
        assert ask(port, "GET", "/health")[0] == 200


def test_version_1_1_fails_on_a_database_of_1_0_and_logs_the_cause_before_the_symptom(
    versions: dict[str, Path], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    with running(versions["v1.0.0"], data, tmp_path / "first.log") as port:
        assert ask(port, "POST", "/orders", ORDER)[0] == 201
        with running(versions["v1.1.0"], data, tmp_path / "log") as other:
            status, answer = ask(other, "GET", "/health")
        assert status == 503
        assert "turnover" in json.dumps(answer)
        assert "currency" not in json.dumps(answer)
        lines = (tmp_path / "log").read_text().splitlines()
        cause = lines.index("sqlite3.OperationalError: no such column: currency")
        symptom = next(number for number, line in enumerate(lines) if "status=503" in line)
        assert cause < symptom
        assert ask(port, "GET", "/health")[0] == 200
        assert len(ask(port, "GET", "/orders")[1]["orders"]) == 1  # type: ignore[arg-type]


def test_the_settings_are_valid_and_ask_a_person_for_every_change() -> None:
    settings = load_settings(EXAMPLE / "midas.toml", {})
    staging, production = settings.environments["staging"], settings.environments["production"]
    assert staging.approvals_needed == production.approvals_needed == 1
    assert staging.gates == production.gates == ("tests", "security")
    assert production.promotes_from == "staging"


def test_the_files_of_a_version_stand_where_they_replace_or_add_to_the_example() -> None:
    for overlay in (EXAMPLE / "versions").iterdir():
        for file in (path for path in overlay.rglob("*") if path.is_file() and path.suffix != ".pyc"):
            assert (EXAMPLE / file.relative_to(overlay)).parent.is_dir(), file
