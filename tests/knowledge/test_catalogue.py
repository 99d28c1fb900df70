"""The catalogue of known failures: every entry names its own examples, and leaves its near misses alone."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from midas_devops.domain.evidence import Category
from midas_devops.errors import UnreadableError
from midas_devops.knowledge.catalogue import Entry, load_catalogue, read_entries
from midas_devops.knowledge.structure.lines import FIRST_LOOK

CATALOGUE = load_catalogue()
ENTRIES = pytest.mark.parametrize("entry", CATALOGUE.entries, ids=lambda entry: entry.id)
PROVIDERS = {
    "terraform", "aws", "google", "azure", "kubernetes", "helm", "docker", "git", "github_actions", "jenkins",
    "pip", "npm", "maven", "go", "systemd", "dns_tls",
}  # fmt: skip


@ENTRIES
def test_every_example_is_known_by_its_entry(entry: Entry) -> None:
    for example in entry.examples:
        assert entry in CATALOGUE.matches(example), example


@ENTRIES
def test_at_least_one_example_is_known_best_by_its_entry(entry: Entry) -> None:
    assert any(CATALOGUE.best(example) is entry for example in entry.examples)


@ENTRIES
def test_no_near_miss_is_known(entry: Entry) -> None:
    for near_miss in entry.near_misses:
        assert entry not in CATALOGUE.matches(near_miss), near_miss


@ENTRIES
def test_every_entry_is_complete(entry: Entry) -> None:
    assert len(set(entry.examples)) >= 2
    assert entry.near_misses
    assert entry.cause
    assert entry.remedies
    assert all(link.startswith("https://") for link in entry.links)
    assert entry.links
    assert all(word == word.lower() for word in entry.words)
    assert re.fullmatch(r"[a-z-]+\.[a-z0-9-]+", entry.id)


@ENTRIES
def test_every_example_passes_the_first_look_at_raw_lines(entry: Entry) -> None:
    for example in entry.examples:
        assert FIRST_LOOK.search(example.encode()), example


@ENTRIES
def test_the_plain_words_are_enough_to_find_every_example(entry: Entry) -> None:
    for example in entry.examples:
        assert any(word in example.lower() for word in entry.words), example


def test_the_catalogue_is_large_and_covers_every_provider_and_category() -> None:
    assert len(CATALOGUE.entries) >= 150
    assert {entry.provider for entry in CATALOGUE.entries} >= PROVIDERS
    covered = {entry.category for entry in CATALOGUE.entries}
    # A lint rule or a failing test is told by the structure of a report, not by one known message.
    assert covered >= set(Category) - {Category.LINT_FAILURE}
    assert len(CATALOGUE.by_id) == len(CATALOGUE.entries)


@pytest.mark.parametrize("filler", ["a", " ", "aB1", "error: ", "x/", "'", "Error 403 ", '"'])
def test_no_pattern_is_slow_on_a_long_line(filler: str) -> None:
    line = (filler * 4000)[:4000]
    slow = []
    for entry in CATALOGUE.entries:
        begun = time.process_time()
        re.search(entry.pattern, line)
        if time.process_time() - begun > 1:
            slow.append(entry.id)
    assert slow == []


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("[[entry]\n", encoding="utf-8")
    with pytest.raises(UnreadableError, match=r"broken\.toml"):
        list(read_entries(tmp_path))


def test_an_incomplete_entry_is_named(tmp_path: Path) -> None:
    (tmp_path / "half.toml").write_text('[[entry]]\nid = "half.entry"\n', encoding="utf-8")
    with pytest.raises(UnreadableError, match=r"half\.entry"):
        list(read_entries(tmp_path))
