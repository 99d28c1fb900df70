"""A failure that was resolved is remembered, and the next one like it is diagnosed with that in mind."""

from __future__ import annotations

from pathlib import Path

from tests.graph.conftest import Open
from tests.projects import commit, free_port, infrastructure_files, project, service_files, write

DYING = """
import sys
print("starting orders", flush=True)
print("Traceback (most recent call last):", flush=True)
print('  File "app.py", line 3, in <module>', flush=True)
print({line!r}, flush=True)
sys.exit(1)
"""
FIRST = "ledger.PartitionFault: shard 7 of ledger orders refused the writer epoch 41"
AGAIN = "ledger.PartitionFault: writer epoch 902 was refused for ledger orders by shard 12"
OTHER = "geo.TileFault: projection of the map layer overflowed its bounds"


def test_a_resolved_failure_changes_the_diagnosis_of_the_next_one_in_other_words(
    tmp_path: Path, open_agent: Open, no_services_left: None
) -> None:
    root = project(tmp_path / "web", service_files(free_port()))
    agent = open_agent(root)
    assert agent.deploy_release("web", "v1").status == "succeeded"

    diagnoses = {}
    for version, line in (("v2", FIRST), ("v3", AGAIN), ("v4", OTHER)):
        write(root, {"app.py": DYING.format(line=line)})
        commit(root, version, version)
        run = agent.deploy_release("web", version)
        assert run.status == "rolled_back"
        diagnoses[version] = (run.id, run.to_json()["diagnosis"])

    first_run, first = diagnoses["v2"]
    _, again = diagnoses["v3"]
    _, other = diagnoses["v4"]
    source = f"incident:{first_run}"
    assert source not in first["sources"]
    assert source in again["sources"]
    assert source in again["remedies"][0]
    assert "the run ended rolled back" in again["remedies"][0]
    assert again["retryable"] == first["retryable"]
    assert not [one for one in other["sources"] if one.startswith("incident:")]
    assert first["remedies"][0] in again["remedies"]


FLAKY = """
resource "terraform_data" "flaky" {
  provisioner "local-exec" {
    command = "test -f ../seen || { touch ../seen; echo 'dial tcp 10.0.0.1:443: i/o timeout' >&2; exit 1; }"
  }
}
"""


def test_a_failure_that_passed_when_tried_again_is_remembered_too(tmp_path: Path, open_agent: Open) -> None:
    files = infrastructure_files(extra="max_retries = 2")
    files["infra/main.tf"] = FLAKY
    files[".gitignore"] += "seen\n"
    agent = open_agent(project(tmp_path / "cloud", files))
    run = agent.manage_infrastructure("apply", "infra")
    assert run.status == "succeeded"
    hit = agent.knowledge.search("dial tcp i/o timeout", 1, kinds=("incident",))[0]
    assert hit.source == f"incident:{run.id}"
    assert "Category: network_or_timeout" in hit.text
    assert "Outcome: succeeded" in hit.text
