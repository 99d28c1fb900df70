"""Each small repository: what is found in it, what is rendered, and whether the validators take it."""

from __future__ import annotations

import json

import pytest

from midas_devops.pipelines.detect import detect
from midas_devops.pipelines.plan import plan_pipeline
from midas_devops.pipelines.tree import FolderTree
from midas_devops.pipelines.validate import validators_missing
from tests.pipelines.cases import Case, cases

needs_validators = pytest.mark.skipif(
    bool(validators_missing()),
    reason=f"{', '.join(validators_missing())} not installed: pip install 'midas-devops[pipelines]'",
)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.folder.name)
def test_findings_are_those_expected_and_each_cites_a_file_that_is_there(case: Case) -> None:
    found = detect(FolderTree(case.tree))

    assert [f for f in found.findings if not (case.tree / f.file).is_file()] == []
    listed = {
        "components": [f"{part.name}: {part.tool} in {part.folder}" for part in found.components],
        "findings": [f"{f.what}: {f.value} ({f.file})" for f in found.findings],
        "notes": list(found.notes),
    }
    case.assert_golden("findings.json", json.dumps(listed, indent=2) + "\n")


@needs_validators
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.folder.name)
def test_the_pipeline_is_the_golden_one_and_every_validator_takes_it(case: Case) -> None:
    proposal = plan_pipeline("here", FolderTree(case.tree), case.details)

    assert len(proposal.files) == 1
    case.assert_golden("pipeline.golden", proposal.files[0].text)
    case.assert_golden(
        "reasons.txt",
        "".join(f"{r}\n" for r in proposal.reasons if "passes the" not in r and "parse" not in r),
    )
