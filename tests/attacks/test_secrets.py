"""Secrets in the places where people leave them: nothing that we write or print may show them."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from midas_devops.adapters.local.logs import last_lines
from tests.projects import commit, free_port, git, infrastructure_files, project, service_files, write

CARELESS = """
variable "service_password" {}
output "api_key" { value = "k-9f8a7b6c5d4e3f2a" }
output "endpoint" { value = "http://example.test/?pw=${var.service_password}" }
resource "terraform_data" "login" {
  input = "x"
  provisioner "local-exec" {
    command     = "echo trying ${var.service_password} and $PGPASSWORD; exit 3"
    environment = { PGPASSWORD = "plain-pg-words" }
  }
}
"""


def run(root: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and everything that was printed."""
    ended = subprocess.run(
        [sys.executable, "-m", "midas_devops", "--project", str(root), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in ended.stdout, ended.stdout
    return ended.returncode, ended.stdout


def written(root: Path) -> Iterator[tuple[Path, bytes]]:
    """What we wrote below ``.midas``, but private artifacts and the released files themselves."""
    for path in (root / ".midas").rglob("*"):
        if path.is_file() and not {"private", "releases"} & set(path.parts):
            yield path, path.read_bytes()


def leaks(root: Path, printed: str, secrets: tuple[str, ...]) -> list[str]:
    places = [*written(root), ("printed", printed.encode())]
    return [f"{place}: {secret}" for place, data in places for secret in secrets if secret.encode() in data]


def test_values_at_secret_names_are_hidden_though_nobody_marked_them_sensitive(tmp_path: Path) -> None:
    root = project(tmp_path / "cloud", {**infrastructure_files(), "infra/main.tf": CARELESS})
    toml = (root / "midas.toml").read_text()
    write(root, {"midas.toml": toml.replace("approvals = 0", 'approvals = 0\nurl_output = "endpoint"')})
    write(root, {"infra/terraform.tfvars": 'service_password = "tfvars-plain-words"\n'})
    commit(root, "careless")

    code, printed = run(root, "infra", "apply", "infra")
    assert code == 1
    assert "outcome" in printed
    assert "tainted: terraform_data.login" in printed
    for more in ("infra outputs infra", "infra outputs infra --json", "env url cloud"):
        code, said = run(root, *more.split())
        assert code == 0
        assert "example.test" in said
        printed += said

    secrets = ("tfvars-plain-words", "plain-pg-words", "k-9f8a7b6c5d4e3f2a")
    assert leaks(root, printed, secrets) == []


ORDINARY = """
variable "db_password" {
  default = "postgres"
}
resource "terraform_data" "postgres" {
  input = { secret_id = "orders-database", region = "eu-central-1", secret = "eu-central-1" }
}
resource "terraform_data" "orders-database" {
  input = { password = "swordfish-Zq8" }
}
"""


@pytest.mark.parametrize("mark", ["", "\n  sensitive = true"], ids=["by name", "declared"])
def test_an_ordinary_word_at_a_secrets_name_takes_neither_a_run_nor_its_report(
    tmp_path: Path, mark: str
) -> None:
    files = infrastructure_files()
    text = ORDINARY.replace(' = "postgres" }', f' = "postgres"{mark} }}'.replace("; ", "\n  "))
    root = project(tmp_path / "cloud", {**files, "infra/postgres/main.tf": text})
    write(root, {"midas.toml": files["midas.toml"].replace('"infra"', '"infra/postgres"')})

    code, printed = run(root, "infra", "apply", "infra/postgres")
    assert code == 0, printed
    assert "infra/postgres" in printed
    code, printed = run(root, "infra", "plan", "infra/postgres", "--json")
    assert code == 0, printed
    assert leaks(root, printed, ("swordfish-Zq8",)) == []
    state = (root / "infra" / "postgres" / "terraform.tfstate").read_text()
    assert "swordfish-Zq8" in state


def test_a_secret_that_reads_like_our_own_words_refuses_nothing(
    tmp_path: Path, no_services_left: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = service_files(free_port())
    toml = files["midas.toml"].replace("environments.web", "environments.europe-west")
    root = project(tmp_path / "service", {**files, "midas.toml": toml})
    monkeypatch.setenv("KEYCLOAK_REALM", "production")
    monkeypatch.setenv("KEYBOARD", "europe-west")
    code, printed = run(root, "deploy", "europe-west", "v1")
    assert code == 0, printed


@pytest.mark.parametrize("name", ["rel-ghp_abcdefghijklmnopqrstuvwxyz0123456789", "fix/token=abcdef123456"])
def test_a_version_whose_name_is_a_secret_is_refused_before_anything_is_recorded(
    tmp_path: Path, name: str
) -> None:
    root = project(tmp_path / "service", service_files(free_port()))
    git(root, "tag", name)

    code, printed = run(root, "deploy", "web", name, "--json")
    assert code == 2
    assert json.loads(printed)["error"]["message"].startswith("the name of this version looks like a secret")
    assert leaks(root, printed, (name,)) == []


def test_what_a_person_writes_into_a_request_is_redacted_in_the_first_checkpoint_too(tmp_path: Path) -> None:
    root = project(tmp_path / "service", service_files(free_port()))
    arguments = ["deploy", "web", "--rollback", "--reason", "it used token=Zq8Zq8Zq8Zq8"]
    code, printed = run(root, *arguments)
    assert code == 4

    assert leaks(root, printed, ("Zq8Zq8Zq8Zq8",)) == []
    with sqlite3.connect(root / ".midas" / "midas.db") as database:
        assert database.execute("select count(*) from checkpoints").fetchone()[0] > 0
    database.close()


def test_a_log_is_redacted_before_it_is_cut(tmp_path: Path) -> None:
    token = "ghp_" + "a1" * 20
    log = tmp_path / "service.log"
    log.write_text(f"first {token}{'.' * 770}\nlast words\n")
    half = last_lines(log, lambda text: text)
    assert token not in half
    assert token[-10:] in half  # so this log does show half of it

    def redact(text: str) -> str:
        return text.replace(token, "[redacted:token]")

    assert token[-10:] not in last_lines(log, redact)
    assert last_lines(log, redact).endswith("| last words")


def test_a_file_that_may_not_be_read_has_no_last_words(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "nowhere.log", os.fspath) == ""


def test_an_answer_of_a_service_is_not_cut_within_a_password(tmp_path: Path, no_services_left: None) -> None:
    files = service_files(free_port(), version="sick")
    said = "x" * 150 + " cannot connect to postgres://app:Zq8-swordfish-Zq8-swordfish-Zq8@database/orders"
    root = project(
        tmp_path / "service",
        {**files, "app.py": files["app.py"].replace("VERSION.encode()", f"{said!r}.encode()")},
    )
    code, printed = run(root, "deploy", "web", "v1")
    assert code == 1
    assert leaks(root, printed, ("Zq8-sword",)) == []
