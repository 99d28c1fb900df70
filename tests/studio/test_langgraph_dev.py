"""The real LangGraph server serves our graphs: schemas, run, interrupt, typed resume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.projects import REPOSITORY, free_port, project, service_files

pytest.importorskip("langgraph_api", reason="needs the LangGraph server: pip install 'langgraph-cli[inmem]'")

DEADLINE_SECONDS = 120


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("studio")
    root = project(folder / "project", service_files(free_port(), approvals=1))
    port = free_port()
    config = json.loads((REPOSITORY / "langgraph.json").read_text())
    config["graphs"] = {name: str(REPOSITORY / path) for name, path in config["graphs"].items()}
    config["dependencies"] = [str(REPOSITORY)]
    (folder / "langgraph.json").write_text(json.dumps(config))
    environment = {
        **os.environ,
        "MIDAS_PROJECT": str(root),
        "LANGSMITH_TRACING": "false",
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    }
    log = (folder / "server.log").open("wb")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload"),
            *("--host", "127.0.0.1", "--port", str(port), "--config", str(folder / "langgraph.json")),
        ],
        cwd=folder,
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(url, process, folder / "server.log")
        yield url, root
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
        log.close()
        _stop_services(root)


def _wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    import httpx

    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/ok").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def _stop_services(root: Path) -> None:
    import psutil

    for process in psutil.process_iter(["cwd"]):
        if str(root) in (process.info["cwd"] or ""):
            process.kill()
            process.wait(10)


@pytest.fixture
def client(server: tuple[str, Path]) -> Iterator[Any]:
    from langgraph_sdk import get_sync_client

    with get_sync_client(url=server[0]) as client:
        yield client


def assistant(client: Any, graph: str) -> str:
    found: str = client.assistants.search(graph_id=graph)[0]["assistant_id"]
    return found


def request(version: str = "v1") -> dict[str, Any]:
    return {
        "request": {
            "operation": "deploy_release",
            "environment": "web",
            "version": version,
            "requested_by": "studio",
        }
    }


def test_both_graphs_have_schemas(client: Any) -> None:
    schemas = client.assistants.get_schemas(assistant(client, "devops"))
    assert "request" in schemas["input_schema"]["properties"]
    assert "status" in schemas["output_schema"]["properties"]
    assert client.assistants.get_schemas(assistant(client, "midas"))["state_schema"]


def test_a_run_asks_and_a_typed_answer_carries_it_on(client: Any) -> None:
    devops = assistant(client, "devops")
    thread = client.threads.create()["thread_id"]
    client.runs.wait(thread, devops, input=request())
    (asked,) = client.threads.get_state(thread)["tasks"][0]["interrupts"]
    question = asked["value"]
    assert (question["kind"], len(question["digest"])) == ("approval", 64)

    client.runs.wait(thread, devops, command={"resume": {"yes": True}}, raise_error=False)
    (open_still,) = client.threads.get_state(thread)["tasks"][0]["interrupts"]
    assert open_still["value"]["digest"] == question["digest"]

    wrong = {"decision": "approve", "digest": "0" * 64, "by": "ana", "reason": "a typing error"}
    client.runs.wait(thread, devops, command={"resume": wrong})
    (still,) = client.threads.get_state(thread)["tasks"][0]["interrupts"]
    assert still["value"]["digest"] == question["digest"]

    right = {**wrong, "digest": question["digest"], "reason": "reviewed"}
    ended = client.runs.wait(thread, devops, command={"resume": right})
    assert ended["status"] == "succeeded", ended

    again = client.runs.wait(thread, devops, input=request())
    assert again["status"] == "succeeded"
    assert again["run_id"] != ended["run_id"]
