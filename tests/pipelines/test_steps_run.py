"""The rendered steps, really run: what they write is what a gate reads for exactly that commit."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from midas_devops.adapters.junit import JUnitResults
from midas_devops.pipelines.details import parse_details
from midas_devops.pipelines.detect import detect
from midas_devops.pipelines.github_actions import render_workflow
from midas_devops.pipelines.tree import FolderTree
from midas_devops.pipelines.wanted import settle
from tests.pipelines.cases import Case, cases
from tests.projects import free_port, git, project, service_files, write

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GATE = "reports/{commit}/junit.xml"

PYTHON = {
    "requirements.txt": "pytest\n",
    "test_app.py": "def test_a(): pass\ndef test_b(): pass\n",
}
NODE = {
    "package.json": '{"name": "x", "scripts": {"test": "node --test"}}',
    "one.test.js": "require('node:test').test('one', () => {});\n",
}


def workflow(root: Path, **details: Any) -> dict[str, Any]:
    tree = FolderTree(root)
    text = render_workflow(settle(detect(tree), parse_details(details)), tree)
    read: dict[str, Any] = yaml.safe_load(text)
    return read


def run_step(root: Path, job: dict[str, Any], name: str) -> None:
    ended = ended_step(root, job, name)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def ended_step(
    root: Path, job: dict[str, Any], name: str, commit: str = COMMIT
) -> subprocess.CompletedProcess[str]:
    """One ``run`` step as a runner runs it: bash -e, with the job's folder and the step's variables."""
    step = next(step for step in job["steps"] if step.get("name") == name)
    folder = root / job.get("defaults", {}).get("run", {}).get("working-directory", ".")
    given = {
        key: value.replace("${{ github.workspace }}", str(root)).replace("${{ github.sha }}", commit)
        for key, value in step.get("env", {}).items()
    }
    variables = {
        **os.environ,
        **given,
        "GITHUB_SHA": commit,
        "GITHUB_ACTOR": "ada",
        # What a step installs is here already; nothing is fetched.
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "GITHUB_WORKSPACE": str(root),
        "PATH": os.pathsep.join([str(root / ".bin"), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }
    return subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_component_reports_where_the_gate_looks(tmp_path: Path) -> None:
    write(tmp_path, PYTHON)
    run_step(tmp_path, workflow(tmp_path)["jobs"]["python"], "Test")

    reading = JUnitResults(tmp_path, GATE).read(COMMIT)
    assert (reading.failure, reading.tests, reading.commit) == (None, 2, COMMIT)


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not on PATH: install Node.js 20 or later")
def test_several_components_are_merged_before_the_deploy(tmp_path: Path) -> None:
    write(tmp_path, {f"api/{name}": text for name, text in PYTHON.items()})
    write(tmp_path, {f"web/{name}": text for name, text in NODE.items()})
    jobs = workflow(tmp_path, environments=[{"name": "staging"}])["jobs"]

    run_step(tmp_path, jobs["api"], "Test")
    run_step(tmp_path, jobs["web"], "Test")
    run_step(tmp_path, jobs["deploy-staging"], "Merge the test results")

    reading = JUnitResults(tmp_path, GATE).read(COMMIT)
    assert (reading.failure, reading.tests, reading.failures) == (None, 3, 0)


def test_reports_of_java_are_collected_from_every_module(tmp_path: Path) -> None:
    report = '<testsuite name="s" tests="1"><testcase name="t" classname="c"/></testsuite>'
    write(
        tmp_path,
        {
            "pom.xml": "<project><modules/></project>",
            "a/src/test/java/ATest.java": "",
            "a/target/surefire-reports/TEST-A.xml": report,
            "b/target/failsafe-reports/TEST-A.xml": report,
        },
    )
    jobs = workflow(tmp_path, environments=[{"name": "staging"}])["jobs"]

    run_step(tmp_path, jobs["java"], "Collect the test results")
    run_step(tmp_path, jobs["deploy-staging"], "Merge the test results")

    assert JUnitResults(tmp_path, GATE).read(COMMIT).tests == 2


SETTINGS = """
[gates.tests]
kind = "junit"
path = "reports/{{commit}}/junit.xml"

[gates.security]
kind = "sarif"
path = "reports/{{commit}}/*.sarif"

[environments.web]
kind = "{kind}"
gates = ["tests", "security"]

[environments.web.deploy]
using = "local"
start = ["python3", "app.py"]
port = {port}
health = {{ path = "/", status = 200, within = "20s" }}
"""
PIPX = """#!/bin/sh
# pipx run --spec 'bandit[sarif]==1.2.3' bandit ARGUMENTS: the installed scanner, same arguments.
shift 3
program=$1
shift
exec "$program" "$@"
"""


@pytest.fixture
def service(tmp_path: Path, no_services_left: None) -> Callable[..., tuple[Path, dict[str, Any], str]]:
    """A web service as a repository, the jobs of its workflow, and its commit."""

    def make(kind: str = "staging", test: str = "def test_a(): pass\n") -> tuple[Path, dict[str, Any], str]:
        port = free_port()
        files = {
            **service_files(port),
            "midas.toml": SETTINGS.format(kind=kind, port=port),
            "requirements.txt": "pytest\n",
            "test_app.py": test,
            ".gitignore": ".midas/\nreports/\n.bin/\n__pycache__/\n",
        }
        root = project(tmp_path / "service", files)
        write(root, {".bin/pipx": PIPX})
        (root / ".bin/pipx").chmod(0o755)
        return root, workflow(root, environments=[{"name": "web"}])["jobs"], git(root, "rev-parse", "HEAD")

    return make


def until_deploy(root: Path, jobs: dict[str, Any], commit: str) -> subprocess.CompletedProcess[str]:
    """Every ``run`` step of every job in its order, but the installs that need a registry."""
    for name in ("python", "scan", "deploy-web"):
        for step in jobs[name]["steps"]:
            if "run" in step and step["name"] not in ("Install", "Deploy"):
                ended_step(root, jobs[name], step["name"], commit)
    return ended_step(root, jobs["deploy-web"], "Deploy", commit)


@pytest.mark.parametrize("merged", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_rendered_deploy_job_deploys_what_was_tested_and_scanned(
    service: Callable[..., tuple[Path, dict[str, Any], str]], merged: bool
) -> None:
    root, jobs, commit = service()
    if merged:
        jobs = workflow(root, environments=[{"name": "web"}], python_versions=["3.11", "3.13"])["jobs"]
        for job in jobs.values():
            for step in job["steps"]:
                step["env"] = {
                    key: value.replace("${{ matrix.version }}", "3.11")
                    for key, value in step.get("env", {}).items()
                }

    ended = until_deploy(root, jobs, commit)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = json.loads(ended.stdout)
    assert told["status"] == "succeeded"
    assert {gate["name"]: gate["verdict"] for gate in told["gates"]} == {
        "tests": "passed",
        "security": "passed",
    }
    assert urllib.request.urlopen(told["url"], timeout=10).read() == b"1"
    assert list((root / "reports" / commit).glob("*.sarif"))


@pytest.mark.slow
def test_a_failed_test_fails_its_step_and_would_block_the_deploy(
    service: Callable[..., tuple[Path, dict[str, Any], str]],
) -> None:
    root, jobs, commit = service(test="def test_a(): assert False\n")
    assert ended_step(root, jobs["python"], "Test", commit).returncode == 1
    ended = until_deploy(root, jobs, commit)
    assert (ended.returncode, json.loads(ended.stdout)["status"]) == (4, "blocked")


@pytest.mark.slow
def test_production_waits_for_a_person_and_the_job_says_so(
    service: Callable[..., tuple[Path, dict[str, Any], str]],
) -> None:
    root, jobs, commit = service(kind="production")
    ended = until_deploy(root, jobs, commit)
    assert (ended.returncode, json.loads(ended.stdout)["status"]) == (3, "awaiting_approval")


def test_a_deploy_without_reports_is_blocked(
    service: Callable[..., tuple[Path, dict[str, Any], str]],
) -> None:
    root, jobs, commit = service()
    assert ended_step(root, jobs["deploy-web"], "Deploy", commit).returncode == 4


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.folder.name)
def test_every_script_of_every_golden_pipeline_is_shell(case: Case) -> None:
    text = (case.folder / "github-actions.golden").read_text()
    scripts = []
    if not text.startswith("refused: "):
        jobs = yaml.safe_load(text)["jobs"].values()
        scripts += [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    jenkinsfile = (case.folder / "jenkins.golden").read_text()
    for long, short in re.findall(r"\'\'\'(.*?)\'\'\'|sh '((?:[^'\\\\]|\\\\.)*)'", jenkinsfile, re.DOTALL):
        scripts.append((long or short).replace("\\'", "'").replace("\\\\", "\\"))
    for script in scripts:
        ended = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, ""), script
