"""Requirements from a file of the project and from a peer."""

from __future__ import annotations

from pathlib import Path

import pytest

from midas_devops.adapters.requirements import ArchitectRequirements
from midas_devops.errors import UnreadableError

TOML = """
[[resources]]
type = "aws_db_instance"
name = "orders"
reason = "payments"
[resources.attributes]
allocated_storage = { min = 100 }
"tags.Owner" = "payments"
"""
JSON = """{"resources": [{"type": "aws_db_instance", "name": "orders", "reason": "payments",
"attributes": {"allocated_storage": {"min": 100}, "tags.Owner": "payments"}}]}"""
YAML = """
resources:
- {type: aws_db_instance, name: orders, reason: payments,
   attributes: {allocated_storage: {min: 100}, tags.Owner: payments}}
"""


@pytest.mark.parametrize(
    ("name", "text"), [("r.toml", TOML), ("r.json", JSON), ("r.yaml", YAML), ("r.yml", YAML)]
)
def test_the_three_formats_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    (one,) = ArchitectRequirements(tmp_path / name, None).get_infrastructure_requirements("production")
    assert (one.type, one.name, one.count, one.reason) == ("aws_db_instance", "orders", 1, "payments")
    assert one.attributes == {"allocated_storage": {"min": 100}, "tags.Owner": "payments"}


def test_file_and_peer_add_up_and_nothing_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(TOML)
    payload = {"resources": [{"type": "aws_s3_bucket", "count": 2}]}
    both = ArchitectRequirements(tmp_path / "r.toml", payload).get_infrastructure_requirements("p")
    assert [one.type for one in both] == ["aws_db_instance", "aws_s3_bucket"]
    assert ArchitectRequirements(None, {}).get_infrastructure_requirements("p") == ()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("r.toml", "[[resources]\n", "r.toml"),
        ("r.json", "{", "r.json"),
        ("r.yaml", "resources: [", "r.yaml"),
        ("r.toml", '[[resources]]\nname = "orders"\n', "resources.0.type"),
        ("r.toml", '[[resources]]\ntype = "a"\nnumber = 3\n', "resources.0.number"),
        ("r.toml", '[[resources]]\ntype = "a"\ncount = 0\n', "resources.0.count"),
        ("r.toml", '[[resource]]\ntype = "a"\n', "resource"),
        ("r.json", "[1, 2]", "the document"),
    ],
)
def test_what_cannot_be_understood_names_the_place(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UnreadableError, match=told):
        ArchitectRequirements(tmp_path / name, None).get_infrastructure_requirements("production")


def test_a_file_that_is_not_there_is_an_error_and_not_no_requirement(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="No such file"):
        ArchitectRequirements(tmp_path / "r.toml", None).get_infrastructure_requirements("production")


def test_a_malformed_payload_names_the_architect() -> None:
    with pytest.raises(UnreadableError, match="the architect's requirements"):
        ArchitectRequirements(None, {"resources": [{}]}).get_infrastructure_requirements("production")
