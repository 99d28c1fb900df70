"""What goes wrong at three in the morning: the command line as a stranger would hit it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.projects import (
    TERRAFORM,
    commit,
    free_port,
    infrastructure_files,
    project,
    service_files,
    write,
)

SLOW = """
resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "echo begun >> begun.txt; exec sleep 60"
  }
}
"""
SECRET = "hunter2-hunter2-hunter2"


def start(root: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "midas_devops", "--project", str(root), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    )


def run(root: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    process = start(root, *arguments, **environment)
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.05)


def processes_below(root: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cwd"]):
        if (process.info["cwd"] or "").startswith(str(root)):
            found.append(process)
    return found


@pytest.fixture
def cloud(tmp_path: Path, no_services_left: None) -> Path:
    return project(tmp_path / "cloud", infrastructure_files())


@pytest.fixture
def service(tmp_path: Path, no_services_left: None) -> Path:
    return project(tmp_path / "service", service_files(free_port()))


def test_ctrl_c_during_apply_ends_the_engine_gracefully_and_says_what_is_left(cloud: Path) -> None:
    write(cloud, {"infra/slow.tf": SLOW})
    process = start(cloud, "infra", "apply", "infra", "--json")
    until((cloud / "infra" / "begun.txt").exists)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    record = json.loads(out)
    assert (process.returncode, record["status"]) == (1, "failed"), record
    assert record["diagnosis"]["category"] == "cancelled"
    until(lambda: processes_below(cloud) == [])
    state = json.loads((cloud / "infra" / "terraform.tfstate").read_text())
    assert {r["name"] for r in state["resources"]} >= {"network", "database"}
    assert not (cloud / "infra" / ".terraform.tfstate.lock.info").exists()


def test_ctrl_c_during_deploy_leaves_the_old_version_serving(service: Path) -> None:
    assert run(service, "deploy", "web", "v1", "--json")[0] == 0
    slow = 'import pathlib, time\npathlib.Path("begun").touch()\ntime.sleep(60)\n'
    write(service, {"app.py": slow})
    commit(service, "slow", "v2")
    process = start(service, "deploy", "web", "v2", "--json")
    until(lambda: any((service / ".midas").rglob("begun")))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    record = json.loads(out)
    assert (process.returncode, record["status"]) == (5, "rolled_back"), record
    until(lambda: len(processes_below(service)) == 1)
    assert run(service, "deploy", "web", "v1", "--json")[0] == 0


def test_a_second_run_on_a_leased_environment_is_blocked_with_holder_and_age(cloud: Path) -> None:
    write(cloud, {"infra/slow.tf": SLOW})
    first = start(cloud, "infra", "apply", "infra", "--json")
    until((cloud / "infra" / "begun.txt").exists)
    code, out, err = run(cloud, "infra", "apply", "infra", "--json")
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    reason = json.loads(out)["reason"]
    assert (code, json.loads(out)["status"]) == (4, "blocked"), err
    assert "run-" in reason
    assert str(first.pid) in reason


def test_a_killed_run_shows_as_interrupted_and_resumes(cloud: Path) -> None:
    write(cloud, {"infra/slow.tf": SLOW.replace("exec sleep 60", "sleep 3")})
    process = start(cloud, "infra", "apply", "infra", "--json")
    until((cloud / "infra" / "begun.txt").exists)
    process.kill()
    process.communicate(timeout=10)
    run_id = json.loads(run(cloud, "runs", "list", "--json")[1])["runs"][0]["run_id"]
    shown = json.loads(run(cloud, "runs", "show", run_id, "--json")[1])
    assert shown["status"] == "interrupted"
    assert [effect["state"] for effect in shown["effects"]] == ["in_doubt"]
    code, out, err = run(cloud, "runs", "resume", run_id, "--json")
    assert (code, json.loads(out)["status"]) == (0, "succeeded"), err
    assert (cloud / "infra" / "begun.txt").read_text().split() == ["begun"]


@pytest.mark.parametrize(
    "content", [b"not a database at all, sorry" * 100, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_corrupt_database_is_named_and_nothing_is_done(service: Path, content: bytes) -> None:
    (service / ".midas").mkdir()
    (service / ".midas" / "midas.db").write_bytes(content)
    for words in (["deploy", "web", "v1"], ["runs", "list"], ["env", "list"]):
        code, out, err = run(service, *words, "--json")
        assert code in (1, 2), err
        assert "midas.db" in out
    assert processes_below(service) == []


def test_a_malformed_settings_file_names_the_line(service: Path) -> None:
    toml = service / "midas.toml"
    toml.write_text(toml.read_text().replace("approvals = 0", "aprovals = 0"))
    code, out, _ = run(service, "deploy", "web", "v1", "--json")
    error = json.loads(out)["error"]
    assert (code, error["code"]) == (2, "configuration")
    assert "approvals" in error["hint"] + error["message"]


def test_a_port_that_somebody_else_holds_is_named_and_nothing_is_stopped(service: Path) -> None:
    import socket

    port = int((service / "midas.toml").read_text().split("port = ")[1].split()[0])
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        code, out, _ = run(service, "deploy", "web", "v1", "--json")
    record = json.loads(out)
    assert (code, record["status"], record["outcome"]["code"]) == (1, "failed", "port_in_use")
    assert str(port) in record["outcome"]["summary"]
    assert processes_below(service) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a full disk needs a small file system of its own: run as root with mount(8)")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_said_plainly_and_the_run_goes_on_when_there_is_room(small_disk: Path) -> None:
    root = project(small_disk / "cloud", infrastructure_files())
    filler = small_disk / "filler"
    assert run(root, "infra", "plan", "infra", "--json")[0] == 0
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 1024)
    code, out, err = run(root, "infra", "apply", "infra", "--json")
    assert code == 1, err
    assert "space" in (out + err).lower() or "full" in (out + err).lower()
    assert not (root / "infra" / "terraform.tfstate").exists()
    filler.unlink()
    assert run(root, "infra", "apply", "infra", "--json")[0] == 0


def everything_written(root: Path) -> Iterator[tuple[Path, bytes]]:
    for path in root.rglob("*"):
        private = "private" in path.parts or path.suffix == ".tfstate" or ".tfstate." in path.name
        source = ".git" in path.parts or path.suffix == ".tf"
        if path.is_file() and not private and not source:
            yield path, path.read_bytes()


def test_a_secret_rests_nowhere_but_in_private_artifacts_and_state(cloud: Path) -> None:
    configuration = (
        TERRAFORM
        + """
variable "db_password" {
  type      = string
  sensitive = true
}
resource "terraform_data" "user" {
  input = var.db_password
}
output "dsn" {
  value     = "postgres://app:${var.db_password}@db/orders"
  sensitive = true
}
resource "terraform_data" "leaks" {
  depends_on = [terraform_data.user]
  provisioner "local-exec" {
    command = "echo Error: cannot log in with $DB_PASSWORD; exit 1"
    environment = { DB_PASSWORD = nonsensitive(var.db_password) }
  }
}
"""
    )
    write(cloud, {"infra/main.tf": configuration})
    commit(cloud, "a secret that leaks into the log")
    variables: dict[str, Any] = {"TF_VAR_db_password": SECRET}
    code, out, err = run(cloud, "infra", "apply", "infra", "--json", **variables)
    assert code == 1, out
    assert SECRET not in out + err
    record = json.loads(out)
    code, shown, _ = run(cloud, "runs", "show", record["run_id"], "--json")
    assert SECRET not in shown
    run(cloud, "runs", "report", record["run_id"])
    leaks = [path for path, content in everything_written(cloud) if SECRET.encode() in content]
    assert leaks == []
    for path in (cloud / ".midas" / "artifacts" / "private").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("command", [["plan"], ["apply"], ["drift"], ["outputs"]])
def test_a_state_file_that_is_garbage_is_named_and_left_as_it_is(cloud: Path, command: list[str]) -> None:
    assert run(cloud, "infra", "apply", "infra")[0] == 0
    state = cloud / "infra" / "terraform.tfstate"
    state.write_bytes(b"\xff garbage")
    code, out, err = run(cloud, "infra", *command, "infra", "--json")
    assert code == 1, out + err
    assert "mistake in midas-devops" not in out + err
    assert "state" in out
    assert state.read_bytes() == b"\xff garbage"
