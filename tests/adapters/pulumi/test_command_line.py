"""``midas-devops infra`` with Pulumi, from the first plan to a revert, as for any other engine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from midas_devops.interfaces.cli.main import run
from midas_devops.testing.iac import SECRET

from .projects import PulumiProject

SETTINGS = """
[project]
name = "orders"

[environments.staging]
kind = "staging"

[environments.staging.infrastructure]
config = "infra"
engine = "pulumi"
protected = ["*::ledger"]
"""


class Orders:
    """A project whose staging is Pulumi's, and its command line in this process."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.project = PulumiProject(folder / "project")
        self._capsys = capsys
        for name, value in self.project.environ.items():
            if os.environ.get(name) != value:
                monkeypatch.setenv(name, value)
        (self.project.root / "midas.toml").write_text(SETTINGS)

    def commit(self, resources: dict[str, str], **more: Any) -> None:
        self.project.wanted(resources, **more)
        self.project.commit()

    def says(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        code = run(["--project", str(self.project.root), *arguments, "--json"])
        told: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return code, told


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Orders:
    return Orders(tmp_path, monkeypatch, capsys)


def test_from_the_first_plan_to_a_revert(orders: Orders) -> None:
    orders.commit({"web": "1", "ledger": "1"})
    code, told = orders.says("infra", "plan", "infra")
    assert (code, told["plan"]["add"], told["plan"]["notes"]) == (0, 2, ["engine: pulumi 3.204.0"])
    code, told = orders.says("infra", "apply", "infra")
    assert (code, told["status"]) == (0, "succeeded")
    assert orders.project.world()["creations"] == 2

    code, told = orders.says("infra", "outputs", "infra")
    assert code == 0
    assert "web,ledger" in json.dumps(told)
    assert SECRET not in json.dumps(told)

    code, told = orders.says("infra", "drift", "infra")
    assert (code, told["drifted"]) == (0, False)

    orders.commit({"web": "2", "ledger": "1", "search": "1"}, failing=["search"])
    code, told = orders.says("infra", "apply", "infra")
    assert (code, told["status"]) == (5, "reverted")
    assert sorted(map(str, orders.project.world().values())) == ["1", "1", "2"]  # two things, and the count

    orders.commit({"web": "1"})
    code, told = orders.says("infra", "apply", "infra")
    assert (code, told["status"]) == (3, "awaiting_approval")
    assert told["pending"]["addresses"] == [orders.project.address("ledger")]
    code, told = orders.says("infra", "destroy", "infra")
    assert (code, told["status"]) == (4, "blocked")
    assert orders.project.world()["creations"] == 2


def test_a_changed_program_makes_an_approval_worthless(orders: Orders) -> None:
    orders.commit({"web": "1", "ledger": "1"})
    orders.says("infra", "apply", "infra")
    orders.commit({"web": "1"})
    _, told = orders.says("infra", "apply", "infra")
    (orders.project.folder / "__main__.py").write_text("raise SystemExit\n")
    arguments = ("--digest", told["pending"]["digest"], "--by", "ana", "--reason", "it is empty")
    code, _ = orders.says("runs", "approve", told["run_id"], *arguments)
    assert code == 4
    assert len(orders.project.world()) == 3


def test_a_folder_that_is_pulumis_alone_needs_no_setting(orders: Orders) -> None:
    settings = orders.project.root / "midas.toml"
    settings.write_text(settings.read_text().replace('engine = "pulumi"', 'engine = "auto"'))
    orders.commit({"web": "1"})
    code, told = orders.says("infra", "plan", "infra")
    assert (code, told["plan"]["notes"]) == (0, ["engine: pulumi 3.204.0"])
