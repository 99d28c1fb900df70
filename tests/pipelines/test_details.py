"""config_details: typed, closed, and safe to render."""

from __future__ import annotations

from typing import Any

import pytest

from midas_devops.errors import UsageError
from midas_devops.pipelines.details import parse_details
from midas_devops.pipelines.detect import detect
from midas_devops.pipelines.tree import FolderTree
from midas_devops.pipelines.wanted import settle
from tests.pipelines.cases import case


def test_nothing_given_is_github_actions_on_main() -> None:
    details = parse_details({})
    assert (details.platform, details.branches, details.environments) == ("github-actions", ("main",), ())


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ({"platfrom": "jenkins"}, "'platfrom' is not known", "Did you mean 'platform'?"),
        ({"platform": "jenkin"}, "platform", "Did you mean 'jenkins'?"),
        ({"environments": [{"name": "staging", "passenv": []}]}, "environments.0.passenv", "'pass_env'"),
        ({"services": {"db": {"imgae": "postgres"}}}, "services.db.imgae", "'image'"),
        ({"zzz": 1}, "'zzz' is not known", "Known: platform"),
    ],
)
def test_a_misspelt_key_is_an_error_with_what_was_meant(
    given: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as refused:
        parse_details(given)
    assert message in refused.value.message
    assert hint in refused.value.hint
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    "given",
    [
        {"test": "make\nrm -rf /"},
        {"test": "make\u2028permissions: write-all"},
        {"test": "echo ${{ github.event.issue.title }}"},
        {"test": "make \u202e tset"},
        {"test": ""},
        {"test": "a'''b"},
        {"build": "make \\"},
        {"branches": []},
        {"branches": ["main'"]},
        {"branches": ["-x"]},
        {"python_versions": ["3.x"]},
        {"node_versions": ["22", "22"]},
        {"runner": "ubuntu: x"},
        {"timeout_minutes": 0},
        {"environments": [{"name": "a b"}]},
        {"environments": [{"name": "x"}, {"name": "X"}]},
        {"environments": [{"name": "x", "pass_env": ["A }} ${{ B"]}]},
        {"services": {"db": {"image": "postgres", "ports": [0]}}},
        {"services": {"db": {"image": "postgres", "env": {"POSTGRES_PASSWORD": "x"}}}},
        {"test": "make test TOKEN=[redacted:value]"},
        {"services": {"db": {"image": "postgres", "env": {"A": "x\u0085y"}}}},
    ],
)
def test_what_could_break_out_of_a_pipeline_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="config_details"):
        parse_details(given)


@pytest.mark.parametrize(
    ("repository", "given", "message"),
    [
        ("monorepo", {"test": "make test"}, "has 3 components"),
        ("go", {"python_versions": ["3.12"]}, "there is no python component"),
        ("go", {"branches": ["release/*"], "environments": [{"name": "staging"}]}, "from the pattern"),
        ("go", {"environments": [{"name": "staging", "branch": "next"}]}, "never runs the pipeline"),
        (
            "jenkins-python",
            {"platform": "jenkins", "python_versions": ["3.12"]},
            "cannot choose python_versions",
        ),
        (
            "jenkins-python",
            {"platform": "jenkins", "services": {"db": {"image": "postgres"}}},
            "cannot choose services",
        ),
    ],
)
def test_what_cannot_be_expressed_is_an_error_not_silence(
    repository: str, given: dict[str, Any], message: str
) -> None:
    found = detect(FolderTree(case(repository).tree))
    with pytest.raises(UsageError, match=message):
        settle(found, parse_details(given))


def test_an_own_test_command_reports_where_it_is_told_to() -> None:
    found = detect(FolderTree(case("rust").tree))
    wanted = settle(found, parse_details({"test": "cargo nextest run --junit {junit}"}))
    assert wanted.components[0].reports == "file"
    assert not wanted.merge
