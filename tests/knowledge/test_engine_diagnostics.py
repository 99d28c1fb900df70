# ruff: noqa: E501 - the lines of logs are long
"""What Terraform and OpenTofu report of a configuration, by its form and not by the words that it quotes."""

from __future__ import annotations

import pytest

from midas_devops.domain.evidence import Diagnosis
from midas_devops.domain.outcome import Diagnostic
from midas_devops.knowledge.diagnose import diagnose_lines

BANNER = (
    "Error: {engine} encountered problems during {initialising}, including problems",
    "with the configuration, described below.",
    "",
    "The {engine} configuration must be valid before initialization so that",
    "{engine} can determine which modules and providers need to be installed.",
    "",
    "",
)


def diagnosed(*lines: str) -> Diagnosis:
    return diagnose_lines(lines, shown_as="log")


def boxed(*lines: str) -> tuple[str, ...]:
    return ("╷", *(f"│ {line}".rstrip() for line in lines), "╵")


@pytest.mark.parametrize("form", [boxed, lambda *lines: lines], ids=["boxed", "plain"])
@pytest.mark.parametrize(
    ("summary", "place", "source", "detail"),
    [
        ("Output refers to sensitive values", "", 'output "token" {', "annotate the output value as sensitive"),
        ("Call to unknown function", ', in output "x"', "value = frob(var.timeout)", 'no function named "frob"'),
        ("Duplicate variable declaration", "", 'variable "size" {', 'A variable named "size" was already declared'),
        ("Variables not allowed", ', in terraform', "path = var.path", "Variables may not be used here."),
        ("Attempt to get attribute from null value", ', in output "x"', "value = local.a.c", "This value is null."),
        ("Moved object still exists", "", "moved {", "This statement declares a move from terraform_data.a"),
        ("Configuration for import target does not exist", "", "import {", "The configuration for it is missing."),
        ("Unsuitable value type", ', in resource "terraform_data" "a"', 'size = "many"', "a number is required"),
        ("Attribute redefined", ', in resource "terraform_data" "a"', "input = 2", "was already set at main.tf:2"),
    ],
)  # fmt: skip
def test_an_error_in_the_text_of_a_configuration_is_one_of_configuration(
    form: object, summary: str, place: str, source: str, detail: str
) -> None:
    assert callable(form)
    lines = form(f"Error: {summary}", "", f"  on main.tf line 7{place}:", f"   7:   {source}", "", detail)
    found = diagnosed(*lines)
    assert found.category == "invalid_configuration", found.summary
    assert summary in found.summary
    assert "on main.tf line 7" in found.spans[0].text


def test_an_undeclared_variable_on_the_command_line_is_no_compile_error() -> None:
    found = diagnosed(
        "Error: Value for undeclared variable",
        "",
        'A variable named "regoin" was assigned on the command line, but the root module does not declare it.',
    )
    assert found.category == "invalid_configuration"


@pytest.mark.parametrize(
    "line",
    [
        "orders.c:12:5: error: 'total' undeclared (first use in this function)",
        "error[E0433]: failed to resolve: use of undeclared crate or module `orders`",
    ],
)
def test_what_a_compiler_calls_undeclared_is_one(line: str) -> None:
    assert diagnosed(line).category == "compile_error"


@pytest.mark.parametrize(
    ("engine", "initialising"), [("Terraform", "initialisation"), ("OpenTofu", "initialization")]
)
def test_the_banner_of_a_failed_init_is_never_the_cause(engine: str, initialising: str) -> None:
    banner = [line.format(engine=engine, initialising=initialising) for line in BANNER]
    found = diagnosed(
        *banner,
        "Error: Unclosed configuration block",
        "",
        '  on net.tf line 12, in resource "terraform_data" "net":',
        '  12: resource "terraform_data" "net" {',
        "",
        "There is no closing brace for this block before the end of the file.",
    )
    assert found.category == "invalid_configuration"
    assert found.summary.endswith("Error: Unclosed configuration block (line 8)")
    assert "net.tf line 12" in found.spans[0].text


def test_the_banner_alone_tells_no_cause() -> None:
    assert (
        diagnosed(BANNER[0].format(engine="Terraform", initialising="initialisation")).verdict
        == "inconclusive"
    )


@pytest.mark.parametrize(
    ("lines", "category"),
    [
        (("Error: creating Bucket (orders): AccessDenied: Access Denied", "",
          "  with aws_s3_bucket.orders,", '  on main.tf line 3, in resource "aws_s3_bucket" "orders":'), "authorization"),
        (("Error: error creating Bucket: RequestError: dial tcp 10.0.0.1:443: i/o timeout", "",
          '  on main.tf line 3, in resource "aws_s3_bucket" "orders":'), "network_or_timeout"),
        (("Error: Error accessing remote module registry", "", "  on main.tf line 1:", '   1: module "net" {'),
         "dependency_install"),
        (("Error: Error acquiring the state lock", "", "Error message: 1 problem:", "",
          "- Unsupported state file format: The state file could not be parsed as JSON"), "state_drift"),
    ],
)  # fmt: skip
def test_what_a_provider_or_a_backend_reports_keeps_its_own_category(
    lines: tuple[str, ...], category: str
) -> None:
    assert diagnosed(*lines).category == category


def test_a_block_that_the_engine_reported_itself_is_quoted_with_its_place() -> None:
    told = Diagnostic(summary="Self-referential block", file="main.tf", line=2)
    lines = [
        "Error: Self-referential block",
        "  on main.tf line 2:",
        "  2:   input = terraform_data.a.id",
        "done",
    ]
    found = diagnose_lines(lines, diagnostics=[told])
    assert found.category == "invalid_configuration"
    assert "on main.tf line 2" in found.spans[0].text
