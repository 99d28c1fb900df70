"""What a failed release is said to have failed of: the log where it knows, else how the release ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.graph.conftest import Open
from tests.projects import free_port, project, service_files

UNKNOWN_LINE = "ledger.PartitionFault: shard 7 of ledger orders refused the writer epoch 41"
FAILING = f"""
import sys
print("starting orders", flush=True)
print("Traceback (most recent call last):", flush=True)
print('  File "app.py", line 3, in <module>', flush=True)
print({UNKNOWN_LINE!r}, flush=True)
"""
ENDS = "import sys; sys.exit(1)\n"
SITS_THERE = "import time; time.sleep(600)\n"


def failed_with(tmp_path: Path, open_agent: Open, app: str) -> dict[str, object]:
    """The diagnosis of a first release of this program."""
    files = service_files(free_port())
    files["midas.toml"] = files["midas.toml"].replace('within = "10s"', 'within = "1s"')
    run = open_agent(project(tmp_path / "web", {**files, "app.py": app})).deploy_release("web", "v1")
    assert run.status == "failed", run.to_json()
    diagnosis: dict[str, object] = run.to_json()["diagnosis"]
    return diagnosis


@pytest.mark.parametrize(
    "app",
    [
        pytest.param(ENDS, id="ended without a word"),
        pytest.param(f"print('starting orders', flush=True); {ENDS}", id="ended without an error"),
        pytest.param(FAILING + ENDS, id="ended with an error that nobody knows"),
        pytest.param(SITS_THERE, id="gave no answer without a word"),
        pytest.param(FAILING + SITS_THERE, id="gave no answer after an error that nobody knows"),
    ],
)
def test_where_the_log_names_no_cause_the_way_it_ended_does(
    tmp_path: Path, open_agent: Open, no_services_left: None, app: str
) -> None:
    diagnosis = failed_with(tmp_path, open_agent, app)
    assert diagnosis["category"] == "health_check_failed", diagnosis
    assert diagnosis["retryable"] is False
    assert diagnosis["remedies"]
    assert diagnosis["summary"]


@pytest.mark.parametrize("ending", [ENDS, SITS_THERE])
def test_the_line_that_nobody_knows_is_still_quoted(
    tmp_path: Path, open_agent: Open, no_services_left: None, ending: str
) -> None:
    diagnosis = failed_with(tmp_path, open_agent, FAILING + ending)
    assert UNKNOWN_LINE in str(diagnosis["spans"])
    assert UNKNOWN_LINE in str(diagnosis["summary"])
    assert diagnosis["verdict"] == "conclusive"


@pytest.mark.parametrize(
    ("app", "category"),
    [
        ("import no_such_module_of_ours\n", "dependency_install"),
        ("raise OSError(98, 'Address already in use')\n", "already_exists"),
        ("raise MemoryError\n", "resource_exhaustion"),
    ],
)
def test_a_cause_that_the_log_names_is_kept(
    tmp_path: Path, open_agent: Open, no_services_left: None, app: str, category: str
) -> None:
    assert failed_with(tmp_path, open_agent, app)["category"] == category
