"""What every store of artifacts must do. Subclass it, with a fixture ``artifacts`` of your own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.errors import StorageError
from midas_devops.ports.artifacts import Artifacts

BOTH_SIDES = pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
LARGE = 3 * (1 << 20) + 17
"""Bytes. More than any block that is read at once."""


class ArtifactsConformance:
    """Content comes back as it was stored, by hash, or not at all."""

    @BOTH_SIDES
    @pytest.mark.parametrize("data", [b"", b"plan", bytes(range(256)) * 9])
    def test_content_comes_back_as_it_was(self, artifacts: Artifacts, data: bytes, private: bool) -> None:
        ref = artifacts.put(data, "plan.bin", private=private)
        assert ref == ArtifactRef(
            sha256=hashlib.sha256(data).hexdigest(), name="plan.bin", size=len(data), private=private
        )
        assert artifacts.get(ref) == data
        assert artifacts.path(ref).read_bytes() == data
        with artifacts.open(ref) as stream:
            assert stream.read() == data

    @BOTH_SIDES
    def test_a_file_is_stored_by_its_content_and_left_alone(
        self, artifacts: Artifacts, tmp_path: Path, private: bool
    ) -> None:
        data = b"0123456789abcde\n" * (LARGE // 16) + b"x"
        source = tmp_path / "build.log"
        source.write_bytes(data)
        ref = artifacts.put_file(source, "build.log", private=private)
        assert (ref.size, ref.private) == (len(data), private)
        assert artifacts.get(ref) == data
        assert source.read_bytes() == data

    def test_the_same_content_is_the_same_artifact(self, artifacts: Artifacts) -> None:
        assert artifacts.put(b"one", "a").sha256 == artifacts.put(b"one", "b").sha256
        assert artifacts.get(artifacts.put(b"one", "a")) == b"one"

    @BOTH_SIDES
    def test_a_stored_hash_is_found(self, artifacts: Artifacts, private: bool) -> None:
        ref = artifacts.put(b"found", "a.log", private=private)
        assert artifacts.find(ref.sha256) == ref

    @pytest.mark.parametrize("unknown", ["", "0" * 64, "../../etc/passwd", "0" * 63 + "/", "*" * 64])
    def test_what_is_not_stored_is_not_found(self, artifacts: Artifacts, unknown: str) -> None:
        artifacts.put(b"other", "a.log")
        assert artifacts.find(unknown) is None
        with pytest.raises(StorageError, match="not stored here"):
            artifacts.get(ArtifactRef(sha256=unknown, name="a.log", size=5))

    def test_a_missing_file_cannot_be_stored(self, artifacts: Artifacts, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="No such file"):
            artifacts.put_file(tmp_path / "gone", "gone")

    def test_private_and_public_copies_are_apart(self, artifacts: Artifacts) -> None:
        private = artifacts.put(b"both", "a", private=True)
        public = artifacts.put(b"both", "a")
        artifacts.prune_private()
        assert artifacts.get(public) == b"both"
        with pytest.raises(StorageError, match="not stored here"):
            artifacts.get(private)

    def test_pruning_empties_the_private_side_only_and_tells_the_size(self, artifacts: Artifacts) -> None:
        secret = b"raw log " * 1000
        ref = artifacts.put(secret, "raw.log", private=True)
        public = artifacts.put(b"report", "report.html")
        assert artifacts.prune_private() >= len(secret)
        assert artifacts.prune_private() == 0
        assert artifacts.find(ref.sha256) is None
        assert artifacts.get(public) == b"report"
        assert artifacts.get(artifacts.put(secret, "raw.log", private=True)) == secret

    @pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a/b\\c", "", ".", "n" * 500, "é \n.log"])
    def test_no_name_leads_out_of_the_store(self, artifacts: Artifacts, tmp_path: Path, name: str) -> None:
        before = set(tmp_path.parent.iterdir())
        ref = artifacts.put(b"named", name, private=True)
        assert "/" not in ref.name
        assert artifacts.find(ref.sha256) == ref
        assert set(tmp_path.parent.iterdir()) == before
