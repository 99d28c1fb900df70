"""``doctor``: what works here, what is degraded, and how to mend it."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.tools import needs, search_path


def checks(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in document["checks"]}


def test_a_sound_project_is_usable_and_says_what_is_degraded(cli, project):
    result = cli("doctor", "--json")

    found = checks(result.json)
    assert (result.code, result.json["ok"]) == (0, True)
    assert {check["status"] for check in found.values()} <= {"ok", "degraded"}
    assert found["model"]["status"] == "degraded"
    assert found["model"]["fix"]
    for needed in ("python", "settings", "git", "engine", "storage", "ledger", "checkpoints", "tokenizer"):
        assert found[needed]["status"] == "ok", found[needed]
    assert not (project.root / ".midas").exists()


def test_every_check_that_is_not_ok_says_how_to_mend_it(cli, project):
    settings = project.root / "midas.toml"
    settings.write_text(
        settings.read_text()
        + '[gates.tests]\nkind = "junit"\npath = "reports/{commit}.xml"\n'
        + '[environments.odd]\nkind = "stagign"\n'
        + '[environments.odd.deploy]\nusing = "command"\ndeploy = ["./none.sh"]\nstatus = ["true"]\n'
        + '[environments.odd.infrastructure]\nconfig = "infra/none"\n'
    )

    result = cli("doctor", "--json")

    found = checks(result.json)
    assert result.code == 1
    assert found["gate tests"]["status"] == "degraded"
    assert found["environment odd"]["status"] == "failed"
    for expected in ("treated as production", "infra/none does not exist", "./none.sh cannot be run"):
        assert expected in found["environment odd"]["detail"]
    assert [check for check in found.values() if check["status"] != "ok" and not check["fix"]] == []


def test_the_engine_that_midas_toml_asks_for_is_the_one_that_is_looked_at(
    cli, project, tmp_path, monkeypatch
):
    settings = project.root / "midas.toml"
    wanted = '[environments.cloud.infrastructure]\nconfig = "cloud"\nengine = "pulumi"\n'
    settings.write_text(settings.read_text() + "[environments.cloud]\n" + wanted)
    (project.root / "cloud").mkdir()
    only_git = tmp_path / "bin"
    only_git.mkdir()
    (only_git / "git").symlink_to(shutil.which("git"))
    monkeypatch.setenv("PATH", str(only_git))

    missing = checks(cli("doctor", "--json").json)["engine"]
    assert (missing["status"], missing["fix"]) == ("failed", "install pulumi")

    pulumi = only_git / "pulumi"
    pulumi.write_text("#!/bin/sh\necho v3.204.0\n")
    pulumi.chmod(0o755)
    found = checks(cli("doctor", "--json").json)["engine"]
    assert (found["status"], found["detail"]) == ("ok", f"pulumi v3.204.0 at {pulumi}")


def test_wrong_settings_are_one_finding_among_the_others(cli, project):
    (project.root / "midas.toml").write_text("[environments.staging]\naprovals = 1\n")

    result = cli("doctor", "--json")

    found = checks(result.json)
    assert result.code == 1
    assert "midas.toml:2" in found["settings"]["detail"]
    assert "approvals" in found["settings"]["fix"]
    assert found["python"]["status"] == "ok"


def test_a_corrupt_ledger_is_found(cli, project):
    (project.root / ".midas").mkdir(mode=0o700)
    (project.root / ".midas" / "midas.db").write_bytes(b"no database at all\n" * 50)

    result = cli("doctor", "--json")

    assert result.code == 1
    assert checks(result.json)["ledger"]["status"] == "failed"


def test_a_port_that_somebody_else_holds_is_found(cli, project):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        settings = project.root / "midas.toml"
        lines = [
            f"port = {port}" if line.startswith("port") else line
            for line in settings.read_text().splitlines()
        ]
        first = lines.index(f"port = {port}")
        lines[lines.index(f"port = {port}", first + 1)] = "port = 9"
        settings.write_text("\n".join(lines))

        result = cli("doctor", "--json")

    assert checks(result.json)["environment staging"]["status"] == "degraded"
    assert f"port {port} is held" in checks(result.json)["environment staging"]["detail"]


def test_a_folder_without_settings_is_sent_to_init(cli, tmp_path):
    result = cli("doctor", "--project", str(tmp_path))

    assert result.code == 1
    assert "midas-devops init" in result.out
    assert "not usable yet: settings" in result.out


@pytest.fixture
def model_server() -> Iterator[tuple[str, list[str | None]]]:
    """An OpenAI-compatible server that wants the key 'right'."""
    keys: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers.get("Authorization"))
            self.send_response(200 if keys[-1] == "Bearer right" else 401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", keys
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("key", "status", "says"), [("right", "ok", "answers"), ("wrong", "degraded", "refuses the key")]
)
def test_a_model_that_is_configured_is_asked_whether_it_answers(
    cli, project, monkeypatch, model_server, key, status, says
):
    address, _ = model_server
    monkeypatch.setenv("OPENAI_API_KEY", key)
    settings = project.root / "midas.toml"
    settings.write_text(settings.read_text() + f'[model]\nname = "m"\nbase_url = "{address}"\n')

    result = cli("doctor", "--json")

    assert result.code == 0
    assert checks(result.json)["model"]["status"] == status
    assert says in checks(result.json)["model"]["detail"]
    assert key not in checks(result.json)["model"]["detail"]


def test_a_model_that_cannot_be_reached_degrades_and_no_more(cli, project):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings = project.root / "midas.toml"
    settings.write_text(settings.read_text() + f'[model]\nname = "m"\nbase_url = "http://127.0.0.1:{port}"\n')

    result = cli("doctor", "--json")

    assert result.code == 0
    assert "cannot be reached" in checks(result.json)["model"]["detail"]


def test_a_person_sees_marks_and_a_last_line(cli, project):
    said = cli("doctor").out

    assert "✔  python" in said
    assert said.rstrip("\n").splitlines()[-1].startswith("usable, ")


KUBERNETES = """
[environments.live.deploy]
using = "kubernetes"
context = "prod-eu"
namespace = "orders"
deployment = "orders"
image = "orders:{commit}"
"""


def test_without_kubectl_an_environment_in_a_cluster_cannot_be_worked_on(cli, project, tmp_path, monkeypatch):
    settings = project.root / "midas.toml"
    settings.write_text(settings.read_text() + KUBERNETES)
    only_git = tmp_path / "bin"
    only_git.mkdir()
    (only_git / "git").symlink_to(shutil.which("git") or "git")
    monkeypatch.setenv("PATH", str(only_git))
    result = cli("doctor", "--json")
    assert result.code == 1
    found = checks(result.json)["kubectl"]
    assert (found["status"], found["fix"]) == ("failed", "install kubectl")


@needs("kubectl")
def test_a_context_that_the_kubeconfig_lacks_is_said(cli, project, tmp_path, monkeypatch):
    settings = project.root / "midas.toml"
    settings.write_text(settings.read_text() + KUBERNETES)
    monkeypatch.setenv("PATH", search_path())
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    found = checks(cli("doctor", "--json").json)["kubectl"]
    assert (found["status"], "prod-eu" in found["detail"]) == ("failed", True)
    context = {"name": "prod-eu", "context": {"cluster": "c", "user": "u"}}
    (tmp_path / "kubeconfig").write_text(
        json.dumps({"apiVersion": "v1", "kind": "Config", "contexts": [context]})
    )
    assert checks(cli("doctor", "--json").json)["kubectl"]["status"] == "ok"
