# ruff: noqa: E501 (the patterns are the data)
"""Shapes of linters, formatters and static checkers."""

from __future__ import annotations

from midas_devops.domain.evidence import Category
from midas_devops.knowledge.structure.shapes import Shape, shape

_LINT = Category.LINT_FAILURE

LINTER_SHAPES: tuple[Shape, ...] = (
    shape("lint", 66, _LINT, "A type check failed",
          r"^[\w./\\-]+\.pyi?:\d+(?::\d+)?:? (?:- )?error: (.+)", before=1, after=5),
    shape("lint", 66, _LINT, "A lint rule is violated",
          r"^[\w./\\-]+\.(?:pyi?|ipynb):\d+:\d+:? \[?[A-Z]{1,4}\d{2,5}\]?:? (.+)", before=1, after=5),
    shape("lint", 65, _LINT, "A lint rule is violated",
          r"^[\w./\\-]+\.pyi?:\d+:\d+: [CRWEF]\d{4}: (.+)", before=1, after=5),
    shape("lint", 66, _LINT, "A lint rule is violated", r"^[A-Z]{1,4}\d{3,4} (?:\[\*\] )?\S.+", before=1, after=7),
    shape("lint", 66, _LINT, "Files are not formatted",
          r"^(?:would reformat|Would reformat:|error: cannot format|would be reformatted)\b.*|^ERROR: \S+\.py Imports are incorrectly sorted"
          r"|code should be clang-formatted|^Diff in /|^\S+: needs formatting|^File .* would be reformatted",
          before=1, after=6),
    shape("lint", 66, _LINT, "A lint rule is violated",
          r"^\s+\d+:\d+\s+(?:error|✖|×)\s+(\S.+?)\s{2,}[@\w/-]+$|^\s+\d+:\d+\s+error\s+(\S.+)$", before=4, after=6),
    shape("lint", 66, _LINT, "A lint rule is violated",
          r"^\S+\.go:\d+(?::\d+)?: .+\((?:errcheck|staticcheck|govet|unused|gosimple|revive|gofmt|goimports|ineffassign|gosec|lll|gocritic|typecheck|stylecheck|misspell|gofumpt|nolintlint|dupl|funlen|gocyclo|unparam|[a-z]{4,20})\)$",
          before=1, after=5),
    shape("lint", 64, _LINT, "A lint run found violations",
          r"^\s*>>> Lint for |^\s*(?:Error|Warning) \([A-Z][A-Z0-9_]{2,}\) ", before=1, after=10),
    shape("lint", 64, _LINT, "A pre-commit hook failed",
          r"^.{3,70}\.{3,}(?:\(.*\))?Failed$", before=1, after=10),
    shape("lint", 63, _LINT, "Files are not formatted",
          r"^\[(?:warn|error)\] (?:Code style issues|\S+\.(?:[jt]sx?|vue|css|scss|json|md|ya?ml|html)$)"
          r"|^Run Prettier with --write to fix|^Code style issues found in", before=3, after=5),
    shape("lint", 64, _LINT, "A lint rule is violated",
          r"^\S*Dockerfile\S*:\d+ (?:DL|SC)\d{4} (.+)|^In \S+ line \d+:$|^\S+:\d+:\d+: (?:error|warning|note): .+ \[SC\d{4}\]",
          before=1, after=6),
    shape("lint", 64, _LINT, "A lint rule is violated",
          r"^\S+\.ya?ml:\d+:\d+: (?:\[error\] )?.+\[[\w-]+\]$|^\s*\d+:\d+\s+error\s+.+\([\w-]+\)$", before=3, after=5),
    shape("lint", 64, _LINT, "A lint rule is violated",
          r"^\S+\.rb:\d+:\d+: [CWEF]: (.+)|^\S+\.(?:md|markdown):\d+(?::\d+)? (?:error )?MD\d{3}/|^\S+\.kts?:\d+:\d+: .+\([\w:-]+\)$"
          r"|^\[(?:ERROR|WARN)\] \S+\.java:\d+(?::\d+)?: .+\[\w+\]$|^✖   .+\[[\w-]+\]$",
          before=2, after=5),
    shape("lint", 60, _LINT, "The check found violations",
          r"^(?:Oh no! .*|\d+ issue\(s\) found:|\d+ files? would be reformatted|✖ \d+ problems? \(\d+ errors?|Found \d+ errors?\.(?: \[\*\].*)?$"
          r"|Your code has been rated at|Lint failed|.* have differences|error: formatting check failed|Checking formatting\.\.\.$)",
          before=8, after=3),
    shape("lint", 66, _LINT, "Clippy found a violation", r"`-D (?:clippy::[\w-]+|warnings)`|#\[deny\(clippy::", before=9, after=3),
    shape("lint", 66, _LINT, "A security check found a problem", r"^>> Issue: \[\w+", before=1, after=7),
    shape("lint", 66, _LINT, "The layers of the code are crossed",
          r"^[\w.]+ is not allowed to import [\w.]+|^Contracts: \d+ kept, [1-9]\d* broken", before=2, after=5),
    shape("lint", 64, _LINT, "Spelling is wrong", r"^\S+:\d+: \w+ ==> \w+", before=1, after=4),
)  # fmt: skip
