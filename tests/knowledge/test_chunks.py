from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midas_devops.knowledge.chunks import (
    MAX_CHARS,
    Piece,
    chunk_source,
    environment_of,
    kind_of,
    provider_of,
    split_lines,
)

SOURCES = [
    "a.tf",
    "a.tfvars",
    "a.md",
    "a.yml",
    ".github/workflows/a.yml",
    "Jenkinsfile",
    "a.log",
    "a.txt",
    "a.py",
]
LINES = st.sampled_from(
    [
        'resource "aws_db_instance" "main" {',
        'variable "x" {',
        'output "y" { value = 1 }',
        "}",
        "  tags = { a = 1",
        "  b = <<-EOT",
        "EOT",
        '  c = "${var.x}"',
        '  broken = "no end',
        "/* open",
        "*/",
        "# comment",
        "# Title",
        "## Part",
        "Setext",
        "---",
        "```",
        "jobs:",
        "  test:",
        "    steps:",
        "stage('Build') {",
        "##[group]Run",
        "",
        "   ",
        "\t",
        "x" * 900,
        "y" * 4000,
        "tab\tform\x0cfeed\x85next\u2028separator",
    ]
) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), max_size=60)


def pieces_of(source: str, text: str) -> list[tuple[int, int, str]]:
    return [(piece.first_line, piece.last_line, piece.text) for piece in chunk_source(source, text)]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SOURCES), st.lists(LINES, max_size=80), st.sampled_from(["\n", "\r\n"]))
def test_pieces_quote_their_lines_and_leave_none_out(source: str, lines: list[str], end: str) -> None:
    text = end.join(lines)
    found = chunk_source(source, text)
    seen: set[int] = set()
    for piece in found:
        assert 1 <= piece.first_line <= piece.last_line <= len(lines)
        stands_there = "\n".join(lines[piece.first_line - 1 : piece.last_line])
        if len(stands_there) <= MAX_CHARS or piece.first_line < piece.last_line:
            assert piece.text == stands_there
        assert piece.text in stands_there
        assert piece.text.strip()
        seen.update(range(piece.first_line, piece.last_line + 1))
    assert {n for n, line in enumerate(lines, start=1) if line.strip()} <= seen


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SOURCES), st.lists(LINES, max_size=60))
def test_pieces_are_in_order_bounded_and_share_no_line(source: str, lines: list[str]) -> None:
    found = chunk_source(source, "\n".join(lines))
    assert all(len(piece.text) <= MAX_CHARS for piece in found)
    for before, after in pairwise(found):
        one_long_line = before.first_line == before.last_line == after.first_line == after.last_line
        assert before.last_line < after.first_line or one_long_line


def test_a_long_line_is_cut_and_nothing_of_it_lost() -> None:
    line = "".join(chr(97 + n % 26) for n in range(5 * MAX_CHARS + 7))
    found = chunk_source("a.txt", f"before\n{line}\nafter")
    cut = [piece for piece in found if piece.first_line == 2]
    assert "".join(piece.text for piece in cut) == line
    assert {piece.last_line for piece in cut} == {2}


def test_only_line_feeds_end_a_line() -> None:
    assert split_lines("a\x0bb\u2028c\r\nd\re\n") == ["a\x0bb\u2028c", "d\re", ""]


def test_a_block_comes_with_the_comment_above_it() -> None:
    text = """\
# The state bucket.
# Never delete it.
resource "aws_s3_bucket" "state" {
  bucket = "state"
}

// The lock table.
resource "aws_dynamodb_table" "lock" {
  name = "lock"
}
"""
    assert [(first, last) for first, last, _ in pieces_of("main.tf", text)] == [(1, 5), (7, 10)]


def test_variables_and_outputs_of_a_module_stay_together() -> None:
    text = """\
variable "name" {
  type = string
}

variable "size" {
  type    = number
  default = 2
}

output "url" {
  value = local.url
}

resource "null_resource" "x" {
}
"""
    assert [(first, last) for first, last, _ in pieces_of("infra/module/main.tf", text)] == [
        (1, 12),
        (14, 15),
    ]
    first = chunk_source("infra/module/main.tf", text)[0]
    assert first.context == "infra/module/main.tf: variable name, variable size, output url"


@pytest.mark.parametrize(
    "inside",
    [
        'policy = "{ not a brace"',
        'policy = <<EOT\n}\nresource "a" "b" {\nEOT',
        'name = "${lookup({ a = "}" }, "a")}"',
        "/* } */",
        "# }",
        'escaped = "\\"}"',
        'literal = "$${ }"',
        "nested {\n    deep {\n    }\n  }",
        "list = [\n    { a = 1 },\n  ]",
    ],
)
def test_braces_that_close_nothing_do_not_end_a_block(inside: str) -> None:
    text = f'resource "x" "one" {{\n  {inside}\n}}\n\nresource "x" "two" {{\n}}\n'
    found = pieces_of("main.tf", text)
    assert len(found) == 2
    assert found[1][2].startswith('resource "x" "two"')


@pytest.mark.parametrize(
    "broken", ["tags = {", 'name = "open', "text = <<EOT", "/* never closed", "list = ["]
)
def test_a_broken_block_does_not_swallow_the_next(broken: str) -> None:
    text = f'resource "x" "one" {{\n  {broken}\n}}\n\n# Second.\nresource "x" "two" {{\n  a = 1\n}}\n'
    found = pieces_of("main.tf", text)
    assert found[-1][2].startswith('# Second.\nresource "x" "two"')


def test_a_large_block_is_cut_between_its_statements_and_keeps_its_name() -> None:
    rules = "".join(f"  rule {{\n    port = {n}\n    from = 10.0.0.{n}\n  }}\n" for n in range(80))
    found = chunk_source("fw.tf", f'resource "firewall" "main" {{\n{rules}}}\n')
    assert len(found) > 1
    assert all("resource firewall main" in piece.context for piece in found)
    assert all(piece.text.lstrip().startswith("rule {") for piece in found[1:])


def test_a_section_carries_the_path_of_headings() -> None:
    body = "Words about it, enough of them to stand alone. " * 10
    text = f"# Runbook\n\n{body}\n\n## Restore\n\n{body}\n\n### By hand\n\n{body}\n\n## Failover\n\n{body}\n"
    assert [piece.context for piece in chunk_source("docs/db.md", text)] == [
        "docs/db.md: Runbook",
        "docs/db.md: Runbook > Restore",
        "docs/db.md: Runbook > Restore > By hand",
        "docs/db.md: Runbook > Failover",
    ]


def test_a_heading_in_a_code_fence_is_no_heading() -> None:
    text = "# Real\n\n```sh\n# a comment\nmake\n```\n\n~~~\n## another\n~~~\n"
    assert [piece.context for piece in chunk_source("a.md", text)] == ["a.md: Real"]


def test_front_matter_is_no_heading() -> None:
    found = chunk_source("a.md", "---\ntitle: x\n---\n\n# Real\n\nText.\n")
    assert [piece.context for piece in found] == ["a.md", "a.md: Real"]


def test_underlined_headings_count() -> None:
    assert [piece.context for piece in chunk_source("a.md", "Title\n=====\n\nText.\n")] == ["a.md: Title"]


def test_each_job_of_a_workflow_is_one_piece() -> None:
    text = """\
name: ci
on: [push]

jobs:
  lint:
    runs-on: ubuntu-latest
    steps:
      - run: ruff check
  test:
    runs-on: ubuntu-latest
    steps:
      - run: pytest
"""
    found = chunk_source(".github/workflows/ci.yml", text)
    assert [piece.context.split(": ")[1] for piece in found] == ["name, on, jobs", "jobs lint", "jobs test"]
    assert found[2].text.startswith("  test:")


def test_each_stage_of_a_jenkinsfile_is_one_piece() -> None:
    text = "pipeline {\n  stages {\n    stage('Build') {\n    }\n    stage('Ship it') {\n    }\n  }\n}\n"
    assert [piece.context for piece in chunk_source("Jenkinsfile", text)] == [
        "Jenkinsfile: stage Build",
        "Jenkinsfile: stage Ship it",
    ]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("infra/main.tf", "terraform"),
        ("infra/prod.tfvars", "terraform"),
        ("docs/guide.md", "markdown"),
        ("docs/runbooks/db.md", "runbook"),
        ("runbook-db.txt", "runbook"),
        ("docs/postmortems/2025.md", "incident"),
        ("incidents/1.md", "incident"),
        ("src/incident.py", "text"),
        (".github/workflows/ci.yml", "pipeline"),
        ("sub/.github/workflows/ci.yaml", "pipeline"),
        ("Jenkinsfile", "pipeline"),
        ("ci/Jenkinsfile.release", "pipeline"),
        (".gitlab-ci.yml", "pipeline"),
        ("build.log", "log"),
        ("logs/out.txt", "log"),
        ("values.yaml", "text"),
        ("Dockerfile", "text"),
    ],
)
def test_kind_by_path(source: str, kind: str) -> None:
    assert kind_of(source) == kind


@pytest.mark.parametrize(
    ("source", "environment"),
    [
        ("infra/production/main.tf", "production"),
        ("infra/prod/main.tf", "production"),
        ("envs/eu-west/main.tf", "eu-west"),
        ("environments/stg.tfvars", "staging"),
        ("app-staging.yaml", "staging"),
        ("infra/modules/network/main.tf", ""),
        ("tests/test_app.py", ""),
    ],
)
def test_environment_by_path(source: str, environment: str) -> None:
    assert environment_of(source) == environment


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        ('resource "aws_s3_bucket" "x" {}', "aws"),
        ('# x\ndata "google_project" "p" {}', "google"),
        ('provider "azurerm" {}', "azure"),
        ('variable "aws_region" {}', ""),
    ],
)
def test_provider_by_block(text: str, provider: str) -> None:
    assert provider_of(text) == provider


def test_a_piece_is_a_value() -> None:
    assert Piece(1, 1, "a", "b") == Piece(1, 1, "a", "b")
