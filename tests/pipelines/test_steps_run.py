"""The rendered steps, really run: what they write is what a gate reads for exactly that commit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
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
from tests.projects import write

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
    """One ``run`` step as a runner runs it: bash -e, with the job's folder and the step's variables."""
    step = next(step for step in job["steps"] if step.get("name") == name)
    folder = root / job.get("defaults", {}).get("run", {}).get("working-directory", ".")
    given = {
        key: value.replace("${{ github.workspace }}", str(root)).replace("${{ github.sha }}", COMMIT)
        for key, value in step.get("env", {}).items()
    }
    variables = {
        **os.environ,
        **given,
        "GITHUB_SHA": COMMIT,
        "GITHUB_WORKSPACE": str(root),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }
    ended = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


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
