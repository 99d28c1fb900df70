"""``init``: a settings file that fits what is there, and always loads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midas_devops.config import LocalDeploy, load_settings


@pytest.fixture
def init(cli, tmp_path: Path):
    def write(files: dict[str, str], *flags: str):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        result = cli("init", "--project", str(tmp_path), *flags)
        assert result.code == 0, result.err
        return load_settings(tmp_path, {})

    return write


@pytest.mark.parametrize(
    ("files", "start", "build"),
    [
        ({"app.py": "print()"}, ("python", "app.py"), ("python", "-m", "compileall", "-q", "app.py")),
        (
            {"main.py": "from fastapi import FastAPI\napi = FastAPI()\n"},
            ("uvicorn", "main:api", "--host", "127.0.0.1", "--port", "{port}"),
            ("python", "-m", "compileall", "-q", "main.py"),
        ),
        (
            {"app.py": "from flask import Flask\napp = Flask(__name__)\n"},
            ("flask", "--app", "app", "run", "--port", "{port}"),
            ("python", "-m", "compileall", "-q", "app.py"),
        ),
        ({"manage.py": ""}, ("python", "manage.py", "runserver", "--noreload", "127.0.0.1:{port}"), ()),
        (
            {"package.json": json.dumps({"scripts": {"start": "node x"}}), "package-lock.json": "{}"},
            ("npm", "start"),
            ("npm", "ci"),
        ),
        ({"package.json": json.dumps({"main": "srv.js"}), "srv.js": ""}, ("node", "srv.js"), ()),
        ({"go.mod": "module x", "main.go": "package main\n"}, ("./app",), ("go", "build", "-o", "app", ".")),
        (
            {"go.mod": "module x", "cmd/srv/main.go": "package main\n"},
            ("./app",),
            ("go", "build", "-o", "app", "./cmd/srv"),
        ),
    ],
    ids=["python", "fastapi", "flask", "django", "npm", "node", "go", "go-cmd"],
)
def test_the_service_is_found_and_goes_to_staging_then_production(init, files, start, build):
    settings = init(files)

    staging, production = settings.environments["staging"], settings.environments["production"]
    assert isinstance(staging.deploy, LocalDeploy)
    assert isinstance(production.deploy, LocalDeploy)
    assert (staging.deploy.start, staging.deploy.build) == (start, build)
    assert staging.deploy.port != production.deploy.port
    assert (production.promotes_from, production.approvals_needed) == ("staging", 1)


def test_terraform_folders_become_environments_by_their_names(init):
    settings = init(
        {
            "infra/dev/main.tf": "",
            "infra/staging/main.tf": "",
            "infra/prod/main.tf": "",
            "infra/modules/network/main.tf": "",
            "infra/prod/.terraform/x/main.tf": "",
        }
    )

    assert {
        name: (environment.kind, environment.infrastructure.config)
        for name, environment in settings.environments.items()
        if environment.infrastructure
    } == {
        "dev": ("development", "infra/dev"),
        "staging": ("staging", "infra/staging"),
        "prod": ("production", "infra/prod"),
    }


def test_a_terraform_folder_whose_name_says_nothing_is_production(init):
    settings = init({"terraform/main.tf": ""})

    assert settings.environments["production"].is_production
    assert settings.environments["production"].infrastructure is not None


def test_tests_become_a_gate_of_releases(init):
    settings = init({"app.py": "", "tests/test_app.py": "", "x.py": "if path == '/healthz': ..."})

    assert settings.gates["tests"].kind == "junit"
    assert settings.environments["staging"].gates == ("tests",)
    deploy = settings.environments["staging"].deploy
    assert isinstance(deploy, LocalDeploy)
    assert deploy.health.path == "/healthz"


def test_an_empty_folder_gets_a_file_that_loads_too(init):
    assert list(init({}).environments) == ["production"]


def test_odd_names_do_not_break_the_file(cli, tmp_path):
    folder = tmp_path / 'we"ird näme\\'
    folder.mkdir()
    (folder / "app.py").touch()
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text('[remote "origin"]\n\turl = git@github.com:acme/orders.git\n')

    assert cli("init", "--project", str(folder)).code == 0
    assert load_settings(folder, {}).project.repository == "acme/orders"


def test_a_file_that_is_there_is_kept_unless_forced(cli, tmp_path):
    file = tmp_path / "midas.toml"
    file.write_text('[project]\nname = "mine"\n')

    refused = cli("init", "--project", str(tmp_path), "--json")
    assert (refused.code, refused.json["error"]["code"]) == (2, "usage")
    assert load_settings(tmp_path, {}).project.name == "mine"

    assert cli("init", "--project", str(tmp_path), "--force").code == 0
    assert load_settings(tmp_path, {}).project.name != "mine"


def test_json_says_what_was_found_and_what_comes_next(cli, tmp_path):
    (tmp_path / "app.py").touch()

    told = cli("init", "--project", str(tmp_path), "--json").json

    assert told["path"] == str(tmp_path / "midas.toml")
    assert told["service"]["start"] == ["python", "app.py"]
    assert any("doctor" in step for step in told["next"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app.py", "midas.toml"]


def test_a_folder_of_a_repository_that_is_named_is_a_project_of_its_own(cli, tmp_path):
    (tmp_path / ".git").mkdir()
    api = tmp_path / "services" / "api"
    api.mkdir(parents=True)

    result = cli("init", "--project", str(api), "--json")

    assert result.json["path"] == str(api / "midas.toml")
    assert not (tmp_path / "midas.toml").exists()
    assert not [step for step in result.json["next"] if "git init" in step]


def test_a_folder_of_a_repository_that_is_not_named_is_told_how_to_be_one(cli, tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    (tmp_path / "api").mkdir()
    monkeypatch.chdir(tmp_path / "api")

    result = cli("init", "--json")

    assert result.json["path"] == str(tmp_path / "midas.toml")
    assert [step for step in result.json["next"] if "init --project ." in step]


def test_a_folder_that_takes_no_file_is_an_error_with_a_fix(cli, tmp_path):
    (tmp_path / ".midas.toml.new").mkdir()

    result = cli("init", "--project", str(tmp_path), "--json")

    assert (result.code, result.json["error"]["code"]) == (1, "storage")
    assert "writable" in result.json["error"]["hint"]
