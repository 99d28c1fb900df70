"""midas.toml as people write it, and what they are told when it is wrong."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from midas_devops.config import CommandDeploy, LocalDeploy, Settings, load_settings
from midas_devops.errors import ConfigError

HERE = Path(__file__).parent


def load(tmp_path: Path, text: str, **environ: str) -> Settings:
    file = tmp_path / "midas.toml"
    file.write_text(text, encoding="utf-8")
    return load_settings(file, environ)


def refusal(tmp_path: Path, text: str, **environ: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, **environ)
    return caught.value


def test_every_key_of_the_reference_file_loads_with_its_value():
    settings = load_settings(HERE / "reference.toml", {})

    assert settings.project.repository == "acme/orders"
    assert settings.model is not None
    assert (settings.model.name, settings.model.budget_tokens) == ("gpt-5-mini", 8000)
    assert settings.knowledge.sources == ("infra/**/*.tf", "docs/**/*.md")
    assert settings.approvals.expire_after == timedelta(hours=24)
    assert settings.approvals.approvers == ("release-managers",)
    assert settings.tracker.using == "github"
    staging, production = settings.environments["staging"], settings.environments["production"]
    assert isinstance(staging.deploy, LocalDeploy)
    assert staging.deploy.health.within == timedelta(seconds=20)
    assert staging.approvals_needed == 0
    assert staging.infrastructure is not None
    assert staging.infrastructure.config == "infra/staging"
    assert isinstance(production.deploy, CommandDeploy)
    assert production.deploy.rollback == ("./deploy.sh", "{environment}", "{to_commit}")
    assert production.infrastructure is not None
    assert production.infrastructure.protected == ("aws_db_instance.*", "module.network.*")
    assert (production.is_production, production.approvals_needed) == (True, 1)


def test_an_empty_file_gives_the_defaults(tmp_path):
    assert load(tmp_path, "") == Settings()


def test_a_folder_stands_for_the_file_in_it(tmp_path):
    (tmp_path / "midas.toml").write_text('[project]\nname = "x"\n')

    assert load_settings(tmp_path, {}).project.name == "x"


def test_a_missing_file_is_an_error_that_says_how_to_begin(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no midas\.toml") as caught:
        load_settings(tmp_path / "midas.toml", {})

    assert "midas-devops init" in caught.value.hint


def test_a_missing_file_gives_the_defaults_where_the_caller_allows_it(tmp_path):
    assert load_settings(tmp_path / "midas.toml", {}, missing_ok=True) == Settings()


def test_an_unknown_environment_and_an_unknown_kind_are_production(tmp_path):
    settings = load(tmp_path, '[environments.odd]\nkind = "stagign"\n')

    assert settings.environment("nowhere").is_production
    assert settings.environment("nowhere").deploy is None
    assert settings.environments["odd"].is_production
    assert settings.environments["odd"].approvals_needed == 1


def test_variables_are_filled_in_wherever_text_stands(tmp_path):
    settings = load(
        tmp_path,
        """
        [storage]
        url = "postgresql+psycopg://midas:${PGPASSWORD}@db/midas"
        [environments.staging.deploy]
        using = "local"
        start = ["python", "${ENTRY}", "$${LITERAL}"]
        port = "${PORT}"
        """,
        PGPASSWORD="pw",
        ENTRY="app.py",
        PORT="8099",
    )

    assert settings.storage.url == "postgresql+psycopg://midas:pw@db/midas"
    deploy = settings.environments["staging"].deploy
    assert isinstance(deploy, LocalDeploy)
    assert deploy.start == ("python", "app.py", "${LITERAL}")
    assert deploy.port == 8099


def test_a_value_from_a_variable_is_never_repeated_in_an_error(tmp_path):
    error = refusal(tmp_path, '[model]\nname = "m"\nbudget_tokens = "${B}"\n', B="hunter2-hunter2")

    assert "must be a whole number, got '${B}'" in error.message
    assert "hunter2" not in json.dumps(error.as_dict())


CASES = sorted((HERE / "wrong").glob("*.toml"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_what_is_wrong_is_said_in_plain_words_with_place_and_fix(case, golden):
    with pytest.raises(ConfigError) as caught:
        load_settings(case, {"SET": "value"})

    said = caught.value.as_dict()
    said["location"] = said["location"].replace(str(case.parent), "…")
    golden(case.with_suffix(".json"), json.dumps(said, indent=2, ensure_ascii=False) + "\n")
    words = json.dumps(said).lower()
    assert not [
        jargon
        for jargon in ("pydantic", "https:", "type=", "input_value", "validation error")
        if jargon in words
    ]


@pytest.mark.parametrize(
    "line",
    [
        'api_key = "whatever-it-is"',
        'api_key_env = "sk-abcdefghijklmnopqrstuvwxyz"',
        'base_url = "https://user:pa55word@host/v1"',
        'name = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"',
        'name = "AKIAIOSFODNN7EXAMPLE"',
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path, line):
    error = refusal(tmp_path, f"[model]\n{line}\n")

    assert "looks like a secret" in error.message
    assert error.location.startswith("midas.toml:2: model.")
    value = line.split('"')[1]
    assert value not in json.dumps(error.as_dict())
    assert "pa55word" not in json.dumps(error.as_dict())


def test_credentials_from_a_variable_are_no_secret_in_the_file(tmp_path):
    settings = load(tmp_path, '[storage]\nurl = "postgresql://u:${PW}@h/d"\n', PW="x")

    assert settings.storage.url == "postgresql://u:x@h/d"


def test_a_file_that_is_not_utf_8_is_named_as_such(tmp_path):
    file = tmp_path / "midas.toml"
    file.write_bytes(b'[project]\nname = "caf\xe9"\n')

    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_settings(file, {})


def test_a_byte_order_mark_does_no_harm(tmp_path):
    file = tmp_path / "midas.toml"
    file.write_bytes(b'\xef\xbb\xbf[project]\nname = "x"\n')

    assert load_settings(file, {}).project.name == "x"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("7d", 604800), ("1.5h", 5400)],
)
def test_durations_are_written_with_their_unit(tmp_path, text, seconds):
    settings = load(tmp_path, f'[approvals]\nexpire_after = "{text}"\n')

    assert settings.approvals.expire_after == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ['"24"', "24", '"h"', '"5 m"', '"-5m"', '""', "true"])
def test_a_duration_without_a_unit_is_refused(tmp_path, text):
    assert "must be a duration such as" in refusal(tmp_path, f"[approvals]\nexpire_after = {text}\n").message
