from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import bm25s
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midas_devops.knowledge.lexical import LexicalIndex, Row
from midas_devops.knowledge.search import distinct, fuse
from midas_devops.knowledge.sources import gather, read_source, redact_lines
from midas_devops.knowledge.synonyms import GROUPS
from midas_devops.knowledge.words import alternatives, concepts, phrase_stems, stem, terms, words
from midas_devops.ports.knowledge import Hit

NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True)


def row(name: str, **labels: str) -> Row:
    return Row(
        id=name,
        source=f"{name}.md",
        file="f",
        parts=1,
        kind=labels.get("kind", "markdown"),
        environment=labels.get("environment", ""),
        provider="",
    )


def hit(text: str, source: str = "a.md") -> Hit:
    return Hit(source=source, first_line=1, last_line=1, kind="markdown", score=1.0, text=text)


def index_of(texts: dict[str, str]) -> LexicalIndex:
    return LexicalIndex().updated("g", [row(name) for name in texts], texts)


class TestFusion:
    def test_what_both_rank_high_wins(self) -> None:
        fused = fuse([(["a", "b", "c"], 1.0), (["b", "d", "a"], 1.0)])
        assert [name for name, _ in fused] == ["b", "a", "d", "c"]

    def test_a_rank_counts_by_its_weight(self) -> None:
        assert [name for name, _ in fuse([(["a", "b"], 1.0), (["b", "a"], 2.0)])] == ["b", "a"]

    def test_the_score_is_the_sum_of_reciprocal_ranks(self) -> None:
        assert fuse([(["a"], 1.0), (["b", "a"], 0.5)])[0] == ("a", 1 / 61 + 0.5 / 62)

    @given(NAMES, NAMES)
    def test_equal_scores_are_ordered_by_name_and_nothing_is_lost(
        self, one: list[str], two: list[str]
    ) -> None:
        fused = fuse([(one, 1.0), (two, 1.0)])
        assert {name for name, _ in fused} == {*one, *two}
        assert fused == sorted(fused, key=lambda item: (-item[1], item[0]))
        assert fused == fuse([(two, 1.0), (one, 1.0)])


class TestDistinct:
    def test_of_near_duplicates_the_first_stays(self) -> None:
        text = " ".join(f"word{n}" for n in range(40))
        kept = distinct([hit(text, "a.md"), hit(text + " more", "b.md"), hit("another matter", "c.md")], 5)
        assert [found.source for found in kept] == ["a.md", "c.md"]

    def test_a_different_number_in_a_short_text_is_another_text(self) -> None:
        assert len(distinct([hit("retention is 7 days"), hit("retention is 35 days")], 5)) == 2

    def test_no_more_than_asked_for(self) -> None:
        assert len(distinct([hit(f"text number {n} of many") for n in range(9)], 3)) == 3


class TestWords:
    @pytest.mark.parametrize(
        "spelling", ["maxUnavailable", "max_unavailable", "max-unavailable", "MAX UNAVAILABLE"]
    )
    def test_spellings_of_an_identifier_meet(self, spelling: str) -> None:
        assert words(spelling)[:2] == ["max", stem("unavailable")]

    def test_an_identifier_is_a_word_itself(self) -> None:
        assert words("aws_db_instance.main") == [
            "aws",
            "db",
            stem("instance"),
            "main",
            "aws_db_instance.main",
        ]

    @pytest.mark.parametrize(
        "family",
        [
            ("deploy", "deploys", "deployed", "deploying", "deployment", "deployments"),
            ("retry", "retries", "retried", "retrying"),
            ("policy", "policies"),
            ("cache", "caches", "cached", "caching"),
        ],
    )
    def test_forms_of_a_word_meet(self, family: tuple[str, ...]) -> None:
        assert len({stem(word) for word in family}) == 1

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("undo the release", "roll back"),
            ("out of memory", "OOM"),
            ("disk full", "no space left on device"),
            ("k8s", "kubernetes"),
        ],
    )
    def test_synonyms_share_a_concept(self, one: str, other: str) -> None:
        assert set(concepts(words(one))) & set(concepts(words(other)))

    @pytest.mark.parametrize("word", ["locked", "expired", "stage"])
    def test_a_word_gets_one_mark_of_a_group_that_lists_several_of_its_forms(self, word: str) -> None:
        assert set(Counter(concepts(words(word))).values()) == {1}

    def test_every_phrase_of_the_groups_can_be_met(self) -> None:
        for number, group in enumerate(GROUPS):
            for phrase in group.split(","):
                assert phrase_stems(phrase), phrase
                assert f"={number}" in concepts(words(phrase)), phrase

    def test_a_synonym_stands_for_a_word_at_a_discount(self) -> None:
        ((word, *others),) = alternatives("undo")
        assert word == ("undo", 1.0)
        assert others
        assert {weight for _, weight in others} == {0.75}

    def test_the_words_of_a_phrase_share_what_it_counts_for(self) -> None:
        crash, loop = (dict(listed) for listed in alternatives("crash loop"))
        shared = crash.keys() & loop.keys()
        assert shared == set(concepts(["crash", "loop"])) - set(concepts(["crash"]))
        assert {crash[mark] for mark in shared} == {loop[mark] for mark in shared} == {0.375}

    @given(st.text())
    def test_any_text_has_words_without_an_error(self, text: str) -> None:
        assert all(isinstance(term, str) and term for term in terms(text))

    def test_a_long_run_of_letters_is_no_word(self) -> None:
        assert words("a" * 65) == []


class TestLexicalIndex:
    def test_the_rarer_word_decides(self) -> None:
        index = index_of({"a": "queue queue topic", "b": "queue zeppelin", "c": "queue bucket"})
        assert index.search("queue zeppelin", 2)[0] == "b"

    def test_the_word_itself_comes_before_its_synonym(self) -> None:
        index = index_of({"a": "undo it", "b": "rollback it", "c": "a queue"})
        assert index.search("rollback", 3) == ["b", "a"]
        assert index.search("undo", 3) == ["a", "b"]

    def test_a_synonym_does_not_add_to_the_word(self) -> None:
        """Else a word of five groups would weigh six times what a word of none does."""
        marks = list(concepts(["run"]))
        assert len(marks) > 2
        as_long = "zeppelin" + " x" * len(marks)
        index = index_of({"b": "run", "a": as_long, "c": "queue", "d": "bucket"})
        assert index.search("run zeppelin", 2) == ["a", "b"], "level, so by id"

    def test_nothing_in_common_is_not_found(self) -> None:
        assert index_of({"a": "queue"}).search("zeppelin", 5) == []
        assert LexicalIndex().search("zeppelin", 5) == []

    def test_equal_texts_are_ordered_by_id(self) -> None:
        index = index_of(dict.fromkeys("dbca", "the same queue"))
        assert index.search("queue", 3) == ["a", "b", "c"]

    def test_a_mask_leaves_rows_out(self) -> None:
        index = index_of({"a": "queue", "b": "queue"})
        assert index.search("queue", 5, np.array([False, True])) == ["b"]

    def test_updating_equals_building_anew(self) -> None:
        texts = {"a": "queue of orders", "b": "bucket of mail", "c": "orders bucket"}
        grown = index_of({"a": "old text", "b": texts["b"], "x": "gone"}).updated(
            "h", [row(name) for name in texts], {"a": texts["a"], "c": texts["c"]}
        )
        anew = index_of(texts)
        for query in ("queue", "orders bucket", "old text gone"):
            assert grown.search(query, 5) == anew.search(query, 5)

    @given(st.lists(st.text("abc ", min_size=1), min_size=1, max_size=8), st.text("abc ", min_size=1))
    def test_it_ranks_as_bm25s_builds_it(self, texts: list[str], query: str) -> None:
        named = {f"{number:02}": text for number, text in enumerate(texts)}
        counted = [terms(text) for text in named.values()]
        index = index_of(named)
        known = [word for word in words(query) if any(word in document for document in counted)]
        if not known:
            assert index.search(query, 9) == []
            return
        theirs = bm25s.BM25()
        theirs.index(counted, show_progress=False)
        expected = theirs.get_scores(known)
        ours = index.search(query, 9)
        assert set(ours) == {name for name in named if expected[int(name)] > 0}
        scores = [round(float(expected[int(name)]), 4) for name in ours]
        assert scores == sorted(scores, reverse=True)

    def test_what_was_saved_is_loaded(self, tmp_path: Path) -> None:
        index = index_of({"a": "queue of orders", "b": "bucket"})
        index.save(tmp_path / "lexical")
        loaded = LexicalIndex.load(tmp_path / "lexical")
        assert (loaded.generation, loaded.rows) == (index.generation, index.rows)
        assert loaded.search("orders", 5) == ["a"]
        assert loaded.updated("h", loaded.rows, {}).search("orders", 5) == ["a"]

    def test_words_of_another_analysis_are_not_loaded(self, tmp_path: Path) -> None:
        index_of({"a": "queue of orders"}).save(tmp_path)
        (path,) = tmp_path.glob("*/rows.json")
        state = json.loads(path.read_text())
        path.write_text(json.dumps(state | {"analysis": "0.of another release"}))
        assert LexicalIndex.load(tmp_path).rows == []
        del state["analysis"]
        path.write_text(json.dumps(state))
        assert LexicalIndex.load(tmp_path).rows == []

    def test_saving_again_leaves_one_copy(self, tmp_path: Path) -> None:
        for text in ("queue", "bucket"):
            index_of({"a": text}).save(tmp_path / "lexical")
        assert sum(path.is_dir() for path in (tmp_path / "lexical").iterdir()) == 1

    def test_an_empty_index_can_be_kept(self, tmp_path: Path) -> None:
        index_of({}).save(tmp_path / "lexical")
        assert LexicalIndex.load(tmp_path / "lexical").generation == "g"


class TestSources:
    def test_folders_that_hold_no_sources_are_left_out(self, tmp_path: Path) -> None:
        for name in ("a.tf", ".terraform/b.tf", ".git/c.md", "node_modules/d.md", "deep/.venv/e.md"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("x")
        assert list(gather(tmp_path, ["."], ()).files) == ["a.tf"]
        assert list(gather(tmp_path, ["**/*"], ()).files) == ["a.tf"]

    def test_a_file_outside_the_project_has_its_full_path(self, tmp_path: Path) -> None:
        (tmp_path / "project").mkdir()
        (tmp_path / "notes.md").write_text("x")
        full = (tmp_path / "notes.md").as_posix()
        assert list(gather(tmp_path / "project", [full], ()).files) == [full]
        assert list(gather(tmp_path / "project", ["../notes.md"], ()).files) == [full]

    @pytest.mark.parametrize(
        ("glob", "gone"),
        [
            ("docs/*.md", {"docs/a.md"}),
            ("docs/**/*.md", {"docs/a.md", "docs/deep/b.md"}),
            ("docs/?.md", {"docs/a.md"}),
            ("docs/[!b].md", {"docs/a.md"}),
            ("*.md", set()),
        ],
    )
    def test_a_glob_takes_out_what_it_covers(self, tmp_path: Path, glob: str, gone: set[str]) -> None:
        assert gather(tmp_path, [glob], {"docs/a.md", "docs/deep/b.md", "infra/c.tf"}).gone == gone

    def test_a_folder_that_is_gone_takes_its_files_along(self, tmp_path: Path) -> None:
        gathered = gather(tmp_path, ["docs"], {"docs/a.md", "docs2/b.md"})
        assert gathered.gone == {"docs/a.md"}
        assert gathered.skipped == []

    @pytest.mark.parametrize(
        "name", ["a.tfstate", "a.tfstate.backup", "tls.key", "id_rsa", ".env", ".env.prod"]
    )
    def test_files_of_secrets_are_not_read(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("x")
        assert read_source(tmp_path / name) == ("", "such files hold secrets")

    @pytest.mark.parametrize(
        ("data", "text"),
        [
            (b"\xef\xbb\xbfplain", "plain"),
            ("Größe".encode(), "Größe"),
            ("Größe".encode("latin-1"), "Größe"),
            ("Größe".encode("utf-16"), "Größe"),
        ],
    )
    def test_encodings(self, tmp_path: Path, data: bytes, text: str) -> None:
        (tmp_path / "a.txt").write_bytes(data)
        assert read_source(tmp_path / "a.txt") == (text, "")

    @given(st.lists(st.sampled_from(["BEGIN", "END", "BEGIN END", "plain", ""]), min_size=1, max_size=30))
    def test_redaction_moves_no_line_that_stays(self, kinds: list[str]) -> None:
        def fold(text: str) -> str:
            return re.sub(r"BEGIN.*?END", "[redacted]", text, flags=re.DOTALL)

        lines = [f"{kind} {number}" for number, kind in enumerate(kinds)]
        redacted = redact_lines("\n".join(lines), fold).split("\n")
        assert len(redacted) == len(lines)
        stay = set(lines).intersection(fold("\n".join(lines)).split("\n"))
        assert all(redacted[number] == line for number, line in enumerate(lines) if line in stay)
