"""The README's commands and code do what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.projects import REPOSITORY, free_port, infrastructure_files, project, service_files, write

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", README, re.S)


def blocks(language: str, containing: str) -> list[str]:
    """Lines of the blocks of one language that contain a text, without trailing comments."""
    found = [text for kind, text in BLOCKS if kind == language and containing in text]
    assert found, f"the README has no {language} block with {containing!r}"
    return [line.split("  #")[0].strip() for text in found for line in text.splitlines() if line.strip()]


@pytest.fixture
def home(tmp_path: Path, no_services_left: None) -> Path:
    files = {**infrastructure_files(), **service_files(free_port())}
    settings = infrastructure_files()["midas.toml"] + service_files(free_port())["midas.toml"]
    settings = settings.replace("environments.cloud", "environments.staging").replace(
        "environments.web.deploy", "environments.staging.deploy"
    )
    settings = re.sub(r"\[environments\.web\]\nkind = \"staging\"\napprovals = 0\n", "", settings)
    files["midas.toml"] = settings.replace('config = "infra"', 'config = "infra/staging"')
    files["infra/staging/main.tf"] = files.pop("infra/main.tf")
    files["build.log"] = "compiling\nmain.c:3:1: error: unknown type name 'foo'\nmake: *** [all] Error 1\n"
    return project(tmp_path / "project", files, tag="v1.4.0")


def run(home: Path, line: str) -> subprocess.CompletedProcess[str]:
    program = f"{sys.executable} -m midas_devops"
    words = line.replace("midas-devops", program, 1).split()
    return subprocess.run(words, cwd=home, capture_output=True, text=True, check=False, timeout=120)


def test_the_commands_for_a_project_work_in_order(home: Path) -> None:
    lines = [line for line in blocks("bash", "infra plan") if "RUN_ID" not in line]
    assert len(lines) == 5
    for line in lines:
        ended = run(home, line)
        assert ended.returncode == 0, f"{line}\n{ended.stdout}{ended.stderr}"
    assert "v1.4.0" in run(home, "midas-devops env list").stdout


def test_the_commands_that_look_back_say_what_is_not_there_yet(home: Path) -> None:
    codes = {line: run(home, line).returncode for line in blocks("bash", "env history")}
    assert {line.split()[1]: code for line, code in codes.items()} == {
        "env": 0,
        "deploy": 4,  # nothing was verified before
        "pipeline": 2,  # no host is configured
    }


def test_commands_that_need_a_run_name_flags_that_exist(home: Path) -> None:
    for line in blocks("bash", "infra plan"):
        if "RUN_ID" in line:
            words = line.replace("RUN_ID", "run-unknown").replace('"reviewed the plan"', "reviewed")
            ended = run(home, words)
            assert ended.returncode == 2, ended.stderr
            assert "run-unknown" in ended.stderr


def test_init_and_doctor_work_in_a_repository_without_settings(tmp_path: Path) -> None:
    plain = project(tmp_path / "plain", {"app.py": "print('hello')\n"})
    for line in blocks("bash", "midas-devops init"):
        ended = run(plain, line)
        assert ended.returncode == 0, f"{line}\n{ended.stdout}{ended.stderr}"


def test_the_commands_without_a_project_work(tmp_path: Path) -> None:
    write(tmp_path, {"plan.json": '{"format_version": "1.2"}', "build.log": "x.c:1:1: error: no\n"})
    for line in blocks("bash", "infra check"):
        if line.startswith("midas-devops"):
            assert run(tmp_path, line).returncode == 0, line


def test_the_python_example_runs(home: Path) -> None:
    code = "\n".join(text for kind, text in BLOCKS if kind == "python")
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert ended.returncode == 0, ended.stderr
    assert "succeeded" in ended.stdout


def test_every_make_target_that_the_readme_names_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?make ([a-z-]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.M), target


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (REPOSITORY / link).exists()
