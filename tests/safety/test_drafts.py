"""A drafted configuration holds nothing that planning it would run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midas_devops.safety.drafts import MOST_BYTES, refusal

TYPES = {"aws_db_instance"}


@pytest.mark.parametrize(
    "text",
    [
        'resource "aws_db_instance" "x" {\n  engine = "postgres"\n}\n',
        'module "db" {\n  source = "../modules/db"\n}\n',
        'variable "size" {\n  default = 3\n}\noutput "size" {\n  value = var.size\n}\n',
        'locals {\n  names = [for n in ["a"] : upper(n)]\n}\n',
        'resource "aws_db_instance" "x" {\n  dynamic "a" {\n    for_each = [1]\n    content {}\n  }\n}\n',
    ],
)
def test_plain_configuration_may_be_tried(text: str) -> None:
    assert refusal({"db.tf": text}, TYPES) == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('data "external" "x" {\n  program = ["sh"]\n}', "a block 'data'"),
        ('provider "aws" {}', "a block 'provider'"),
        ("terraform {}", "a block 'terraform'"),
        ("import {\n  to = a.b\n}", "a block 'import'"),
        ('ephemeral "a" "b" {}', "a block 'ephemeral'"),
        ("removed {\n  from = a.b\n}", "a block 'removed'"),
        ("x = 1", "a block 'x'"),
        ('resource "aws_iam_role" "x" {}', "'aws_iam_role', which nobody asked for"),
        ("resource aws_iam_role x {}", "'aws_iam_role', which nobody asked for"),
        ('resource "aws_db_instance" "x" {\n  provisioner "local-exec" {}\n}', "a provisioner"),
        (
            'resource "aws_db_instance" "x" {\n  dynamic "a" {\n    content {\n      connection {}\n}\n}\n}',
            "a provisioner",
        ),
        ('module "a" {\n  source = "git::https://example.org/x"\n}', "not in the project"),
        ('module "a" {\n  source = "/etc"\n}', "not in the project"),
        ('module "a" {\n  source = "./${var.x}"\n}', "not in the project"),
        ('module "a" {}', "not in the project"),
        ('locals {\n  a = file("x")\n}', "reads files"),
        ('locals {\n  a = "${templatefile ("x", {})}"\n}', "reads files"),
        ("locals {\n  a = <<EOT\n${filebase64(var.x)}\nEOT\n}", "reads files"),
        ("{", "no HCL"),
        ("\x00", "no HCL"),
        ("# " + "x" * MOST_BYTES, "larger than"),
    ],
)
def test_whatever_runs_reads_or_fetches_is_refused(text: str, why: str) -> None:
    assert why in refusal({"db.tf": text}, TYPES)


@pytest.mark.parametrize(
    "name",
    [
        "../db.tf",
        "/db.tf",
        "a/db.tf",
        ".db.tf",
        "override.tf",
        "x_override.tf",
        "db.tfvars",
        "db.tf.json",
        "",
    ],
)
def test_a_file_goes_into_the_folder_under_a_plain_name(name: str) -> None:
    assert refusal({name: "locals {}"}, TYPES) == "a file name is not allowed"


def test_there_are_files_and_not_too_many() -> None:
    assert refusal({}, TYPES) == "it has no files"
    assert "6 files" in refusal({f"f{n}.tf": "locals {}" for n in range(6)}, TYPES)


@given(st.text(alphabet='abd {}"=()[]$\n.<', max_size=60))
def test_no_text_makes_it_fall_over(text: str) -> None:
    assert isinstance(refusal({"db.tf": text}, TYPES), str)
