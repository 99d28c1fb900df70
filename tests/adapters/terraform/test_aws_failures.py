"""Whole runs against a local AWS that refuses, goes away and comes back: what follows, and what is left."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from midas_devops import DevOpsAgent
from tests.graph.test_crashes import DRIVER
from tests.projects import commit, infrastructure_files, project, write

from .aws import MARKS, Cloud, Proxy, denied, in_use, provider

pytestmark = MARKS

NETWORK = """
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}
resource "aws_subnet" "a" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "%s"
}
resource "aws_security_group" "web" {
  name   = "web-${aws_subnet.a.id}"
  vpc_id = aws_vpc.main.id
  timeouts {
    delete = "3s"
  }
}
"""
GOOD = NETWORK % "10.0.1.0/24"
VPC_ONLY = NETWORK[: NETWORK.index('resource "aws_subnet"')]
Open = Callable[..., DevOpsAgent]


@pytest.fixture
def root(proxy: Proxy, mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(mirror))
    files = infrastructure_files(extra="max_retries = 1\n")
    return project(
        tmp_path / "cloud", {**files, "infra/main.tf": GOOD, "infra/provider.tf": provider(proxy.url)}
    )


@pytest.fixture
def open_agent(root: Path) -> Iterator[Open]:
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(DevOpsAgent.from_project(root, **options))


class TestDenied:
    def test_what_a_policy_denies_half_way_is_diagnosed_and_not_tried_again(
        self, proxy: Proxy, open_agent: Open
    ) -> None:
        proxy.answers["CreateSubnet"] = (403, denied("CreateSubnet"))
        run = open_agent().manage_infrastructure("apply", "infra")
        record = run.to_json()
        assert (run.status, run.exit_code) == ("failed", 1), record["timeline"]
        assert (record["outcome"]["created"], record["outcome"]["failed_addresses"]) == (1, ["aws_subnet.a"])
        assert "not begun: aws_security_group.web" in record["outcome"]["summary"]
        assert record["diagnosis"]["category"] == "authorization"
        assert record["diagnosis"]["retryable"] is False
        assert any("UnauthorizedOperation" in span["text"] for span in record["diagnosis"]["spans"])
        assert proxy.counts["CreateVpc"] == 1

    def test_motos_own_access_control_denies_everything_to_a_stranger(
        self, cloud: Cloud, root: Path, proxy: Proxy, open_agent: Open
    ) -> None:
        """No proxy's word: moto checks the signature and the policies of the caller itself."""
        write(root, {"infra/provider.tf": provider(proxy.url, key="AKIAIOSFODNN7EXAMPLX", secret="x" * 40)})
        plain = {"Content-Type": "text/plain"}
        cloud.call("/moto-api/reset-auth", b"0", plain)
        try:
            run = open_agent().manage_infrastructure("apply", "infra")
        finally:
            cloud.call("/moto-api/reset-auth", b"inf", plain)
        record = run.to_json()
        assert run.status == "failed"
        assert record["outcome"]["created"] == 0
        assert record["diagnosis"]["category"] in ("authorization", "authentication"), record["diagnosis"]


class TestInUse:
    def test_what_something_else_still_needs_is_not_destroyed(
        self, root: Path, proxy: Proxy, open_agent: Open
    ) -> None:
        agent = open_agent()
        assert agent.manage_infrastructure("apply", "infra").status == "succeeded"
        proxy.answers["DeleteSecurityGroup"] = (400, in_use("sg-1"))
        write(root, {"infra/main.tf": GOOD[: GOOD.index('resource "aws_security_group"')]})
        run = agent.manage_infrastructure("apply", "infra")
        record = run.to_json()
        assert (run.status, run.exit_code) == ("reverted", 5), record["timeline"]
        assert record["diagnosis"]["category"] == "dependency_or_ordering"
        assert any("DependencyViolation" in span["text"] for span in record["diagnosis"]["spans"])
        assert [proxy.counts[action] for action in ("DeleteSubnet", "DeleteVpc")] == [0, 0]
        proxy.answers.clear()
        again = agent.manage_infrastructure("apply", "infra")
        assert (again.status, again.to_json()["plan"]["destroy"]) == ("succeeded", 1)


class TestAway:
    def test_a_cloud_that_comes_back_is_asked_for_what_remains(self, proxy: Proxy, open_agent: Open) -> None:
        """It goes away in the middle; the retry plans what is not there yet, and makes nothing twice."""

        def go_away() -> None:
            proxy.away = True

        def come_back(event: object) -> None:
            if getattr(event, "text", "").startswith("retry 1 after"):
                proxy.before.clear()
                proxy.away = False

        proxy.before["CreateSubnet"] = go_away
        run = open_agent(on_event=come_back).manage_infrastructure("apply", "infra")
        record = run.to_json()
        assert run.status == "succeeded", str((record["diagnosis"], record["outcome"]["diagnostics"]))
        assert record["plan"]["add"] == 2
        assert [proxy.counts[action] for action in ("CreateVpc", "CreateSubnet", "CreateSecurityGroup")] == [
            1,
            1,
            1,
        ]

    def test_an_approval_covers_what_remains_and_nothing_else(
        self, root: Path, proxy: Proxy, open_agent: Open
    ) -> None:
        toml = root / "midas.toml"
        toml.write_text(
            toml.read_text().replace('"staging"', '"production"').replace("approvals = 0", "approvals = 1")
        )

        def come_back(event: object) -> None:
            if getattr(event, "text", "").startswith("retry 1 after"):
                proxy.before.clear()
                proxy.away = False

        def go_away() -> None:
            proxy.away = True

        proxy.before["CreateSubnet"] = go_away
        agent = open_agent(on_event=come_back)
        run = agent.manage_infrastructure("apply", "infra", requested_by="ben")
        assert run.pending is not None
        run.approve(run.pending["digest"], by="ana", reason="as planned")
        assert run.status == "succeeded", run.to_json()["timeline"]
        assert [event["event"] for event in run.events()].count("approved") == 1

    def test_one_that_stays_away_ends_the_run_within_its_retries(
        self, proxy: Proxy, open_agent: Open
    ) -> None:
        def go_away() -> None:
            proxy.away = True

        proxy.before["CreateSubnet"] = go_away
        run = open_agent().manage_infrastructure("apply", "infra")
        record = run.to_json()
        assert (run.status, run.exit_code) == ("failed", 1), record["timeline"]
        assert proxy.counts["CreateVpc"] == 1
        assert (
            sum("retry" in event["event"] or "RETRY" in str(event.get("data")) for event in run.events()) <= 2
        )


class TestRevert:
    def test_a_change_that_fails_half_way_goes_back_to_the_last_good_configuration(
        self, root: Path, proxy: Proxy, open_agent: Open
    ) -> None:
        agent = open_agent()
        assert agent.manage_infrastructure("apply", "infra").status == "succeeded"
        second = NETWORK.replace('"a"', '"b"').replace('"main"', '"second"').replace('"web"', '"api"')
        second = second.replace("aws_vpc.main", "aws_vpc.second").replace("aws_subnet.a", "aws_subnet.b")
        write(root, {"infra/second.tf": second % "192.168.0.0/24"})
        commit(root, "a subnet outside of its network")
        run = agent.manage_infrastructure("apply", "infra")
        record = run.to_json()
        assert (run.status, run.exit_code) == ("reverted", 5), record["timeline"]
        assert (proxy.counts["CreateVpc"], proxy.counts["DeleteVpc"]) == (2, 1)


class TestKilled:
    def test_nothing_is_created_twice(self, root: Path, proxy: Proxy, open_agent: Open) -> None:
        """Our process dies in the middle; the engine goes on, and the run is carried on by a new process."""
        asked, go = threading.Event(), threading.Event()

        def hold() -> None:
            asked.set()
            go.wait(60)

        proxy.before["CreateSubnet"] = hold
        command = [sys.executable, str(DRIVER), str(root), "never", "manage_infrastructure", "apply", "infra"]
        environ = {**os.environ, "PYTHONPATH": str(DRIVER.parents[2])}
        with subprocess.Popen(command, env=environ) as ours:
            assert asked.wait(120)
            [engine] = [child for child in psutil.Process(ours.pid).children() if "apply" in child.cmdline()]
            ours.kill()
        assert engine.is_running()
        agent = open_agent()
        run = agent.run(agent.runs()[0]["run_id"])
        assert run.status == "interrupted"
        threading.Timer(1, go.set).start()
        run.resume()
        assert run.status == "succeeded", run.to_json()["timeline"]
        assert [proxy.counts[action] for action in ("CreateVpc", "CreateSubnet", "CreateSecurityGroup")] == [
            1,
            1,
            1,
        ]
        assert agent.manage_infrastructure("plan", "infra").to_json()["plan"]["has_changes"] is False

    def test_what_may_exist_unrecorded_is_left_to_a_person(
        self, root: Path, proxy: Proxy, open_agent: Open
    ) -> None:
        """The engine dies too, while the cloud makes a network that no state will ever know."""
        made, go = threading.Event(), threading.Event()
        write(root, {"infra/main.tf": VPC_ONLY})
        commit(root, "one network")

        def hold() -> None:
            made.set()
            go.wait(60)

        proxy.before["DescribeVpcs"] = hold  # the provider's first look at what it has just made
        command = [sys.executable, str(DRIVER), str(root), "never", "manage_infrastructure", "apply", "infra"]
        environ = {**os.environ, "PYTHONPATH": str(DRIVER.parents[2])}
        with subprocess.Popen(command, env=environ) as ours:
            assert made.wait(120)
            [engine] = [child for child in psutil.Process(ours.pid).children() if "apply" in child.cmdline()]
            providers = engine.children(recursive=True)
            ours.kill()
            for process in (engine, *providers):
                process.kill()
        go.set()
        proxy.before.clear()
        agent = open_agent()
        run = agent.run(agent.runs()[0]["run_id"])
        run.resume()
        record = run.to_json()
        assert (run.status, run.exit_code) == ("awaiting_approval", 3), record["timeline"]
        assert record["outcome"]["orphans"] == ["aws_vpc.main"]
        assert proxy.counts["CreateVpc"] == 1
        assert run.pending is not None
        run.reject(by="ana", reason="it is there: I remove it first")
        assert (run.status, proxy.counts["CreateVpc"]) == ("failed", 1)
