"""What children of ours may see."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from midas_devops.config import Settings
from midas_devops.safety.environment import child_environment

OURS = {"PATH": "/bin", "OPENAI_API_KEY": "k", "GITHUB_TOKEN": "t", "AWS_PROFILE": "p", "MY_KEY": "m"}


def settings(**tables: Any) -> Settings:
    return Settings.model_validate(tables)


def test_without_model_and_tracker_children_see_everything() -> None:
    assert child_environment(settings(), environ=OURS) == OURS


def test_the_key_of_the_model_is_withheld() -> None:
    child = child_environment(settings(model={"name": "m"}), environ=OURS)
    assert set(OURS) - set(child) == {"OPENAI_API_KEY"}


def test_the_variable_that_midas_toml_names_is_withheld_whatever_it_is_called() -> None:
    child = child_environment(settings(model={"name": "m", "api_key_env": "AWS_PROFILE"}), environ=OURS)
    assert set(OURS) - set(child) == {"AWS_PROFILE"}


@pytest.mark.parametrize(
    ("tracker", "withheld"),
    [
        ({"using": "github"}, {"GITHUB_TOKEN"}),
        ({"using": "github", "token_env": "MY_KEY"}, {"MY_KEY"}),
        ({"using": "none", "token_env": "MY_KEY"}, {"MY_KEY"}),
        ({"using": "none"}, set()),
    ],
)
def test_the_token_of_the_tracker_is_withheld(tracker: dict[str, str], withheld: set[str]) -> None:
    assert set(OURS) - set(child_environment(settings(tracker=tracker), environ=OURS)) == withheld


DISPATCHED = {"live": {"deploy": {"using": "github_actions", "workflow": "deploy.yml"}}}


@pytest.mark.parametrize(
    ("tables", "withheld"),
    [
        ({"environments": DISPATCHED}, {"GITHUB_TOKEN"}),
        ({"gates": {"ci": {"kind": "github_checks"}}}, {"GITHUB_TOKEN"}),
        ({"environments": {"live": {}}, "gates": {"tests": {"kind": "junit", "path": "r.xml"}}}, set()),
    ],
)
def test_a_token_that_a_deployer_or_a_gate_uses_is_withheld_without_a_tracker(
    tables: dict[str, Any], withheld: set[str]
) -> None:
    assert set(OURS) - set(child_environment(settings(**tables), environ=OURS)) == withheld


BOTH = {"model": {"name": "m"}, "tracker": {"using": "github"}}


@pytest.mark.parametrize(
    ("passed", "dropped", "gone"),
    [
        ((), (), {"OPENAI_API_KEY", "GITHUB_TOKEN"}),
        (("GITHUB_TOKEN",), (), {"OPENAI_API_KEY"}),
        (("*",), (), set()),
        ((), ("AWS_*",), {"OPENAI_API_KEY", "GITHUB_TOKEN", "AWS_PROFILE"}),
        (("GITHUB_TOKEN",), ("GITHUB_TOKEN",), {"OPENAI_API_KEY", "GITHUB_TOKEN"}),
        (("NOT_THERE",), ("NOT_THERE",), {"OPENAI_API_KEY", "GITHUB_TOKEN"}),
        (("github_token",), (), {"OPENAI_API_KEY", "GITHUB_TOKEN"}),
    ],
)
def test_pass_env_and_drop_env_adjust_it_and_drop_wins(
    passed: tuple[str, ...], dropped: tuple[str, ...], gone: set[str]
) -> None:
    child = child_environment(settings(**BOTH), pass_env=passed, drop_env=dropped, environ=OURS)
    assert set(OURS) - set(child) == gone


def test_extra_variables_are_set_last() -> None:
    child = child_environment(
        settings(), drop_env=["PORT"], extra={"PORT": "8081", "PATH": "/x"}, environ=OURS
    )
    assert (child["PORT"], child["PATH"]) == ("8081", "/x")


def test_our_own_environment_is_meant_and_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "only-for-us")
    child = child_environment(settings(model={"name": "m"}))
    assert os.environ["OPENAI_API_KEY"] == "only-for-us"
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(sorted(os.environ))"],
        env=child,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "OPENAI_API_KEY" not in done.stdout
    assert "'PATH'" in done.stdout
