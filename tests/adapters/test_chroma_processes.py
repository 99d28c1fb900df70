"""The knowledge base among other processes: adding at once, being killed, being forked, being damaged."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from midas_devops.adapters.chroma import ChromaKnowledge
from midas_devops.config import Knowledge
from midas_devops.errors import StorageError
from midas_devops.ports.knowledge import Incident
from midas_devops.testing.knowledge import hide_secret

LEXICAL = Knowledge(embedder="lexical")
STORE = Path(".midas/knowledge")

OPEN = """
import sys
from pathlib import Path
from midas_devops.adapters.chroma import ChromaKnowledge
from midas_devops.config import Knowledge
knowledge = ChromaKnowledge(Path(sys.argv[1]), Knowledge(embedder="lexical"), redact=str)
"""
ADD = f"{OPEN}\nprint(knowledge.add(sys.argv[2:]).model_dump_json())"


def run(script: str, *arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out
    return out


def write_notes(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        sections = (
            f"## Part {part}\n\nNote {folder.name}{number}x{part} on the matter.\n" for part in range(4)
        )
        (folder / f"{number:03}.md").write_text(
            f"# {folder.name} {number}\n\n" + "\n".join(sections), "utf-8"
        )


def rows_in(root: Path) -> int:
    """How many chunks the database holds by now, whoever is writing."""
    try:
        with sqlite3.connect(f"file:{root / STORE / 'chroma.sqlite3'}?mode=ro", uri=True) as database:
            (count,) = database.execute("select count(*) from embeddings").fetchone()
    except sqlite3.OperationalError:
        return 0
    finally:
        if "database" in locals():
            database.close()
    return int(count)


@pytest.fixture
def knowledge(tmp_path: Path) -> Iterator[ChromaKnowledge]:
    opened = ChromaKnowledge(tmp_path, LEXICAL, redact=hide_secret)
    yield opened
    opened.close()


def test_two_processes_that_add_at_once_lose_nothing(tmp_path: Path, knowledge: ChromaKnowledge) -> None:
    for name in ("alpha", "beta"):
        write_notes(tmp_path / name, 30)
    both = [run(ADD, tmp_path, name) for name in ("alpha", "beta")]
    for process in both:
        assert '"added":30' in finish(process)
    report = knowledge.add(["alpha", "beta"])
    assert (report.unchanged, report.added, report.updated, report.removed) == (60, 0, 0, 0)
    for name in ("alpha", "beta"):
        hits = knowledge.search(f"note {name}7x2", 3)
        assert hits[0].source == f"{name}/007.md"
        assert f"{name}7x2" in hits[0].text


def test_an_add_that_was_killed_is_made_good_by_the_next(tmp_path: Path, knowledge: ChromaKnowledge) -> None:
    write_notes(tmp_path / "notes", 400)
    process = run(ADD, tmp_path, "notes")
    deadline = time.monotonic() + 60
    while rows_in(tmp_path) < 100:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.communicate()
    cut_off_at = rows_in(tmp_path)
    assert cut_off_at < 1600
    assert isinstance(knowledge.search("note on the matter"), list)
    report = knowledge.add(["notes"])
    assert report.unchanged + report.added + report.updated == 400
    assert report.added > 0
    assert rows_in(tmp_path) == 1600
    assert knowledge.add(["notes"]).unchanged == 400
    for number in (0, 123, 399):
        assert knowledge.search(f"notes{number}x3", 1)[0].source == f"notes/{number:03}.md"


def test_an_open_base_sees_what_another_process_added_and_removed(
    tmp_path: Path, knowledge: ChromaKnowledge
) -> None:
    write_notes(tmp_path / "alpha", 3)
    knowledge.add(["alpha"])
    assert knowledge.search("alpha1x1", 1)
    (tmp_path / "alpha" / "new.md").write_text("# Zeppelin\n\nHow to land one.\n", "utf-8")
    (tmp_path / "alpha" / "001.md").unlink()
    finish(run(ADD, tmp_path, "alpha"))
    assert knowledge.search("zeppelin landing", 1)[0].source == "alpha/new.md"
    assert all(hit.source != "alpha/001.md" for hit in knowledge.search("alpha1x1", 20))


def test_two_bases_of_one_process_see_each_other(tmp_path: Path, knowledge: ChromaKnowledge) -> None:
    write_notes(tmp_path / "alpha", 2)
    other = ChromaKnowledge(tmp_path, LEXICAL, redact=hide_secret)
    assert other.search("alpha1x1") == []
    knowledge.add(["alpha"])
    assert other.search("alpha1x1", 1)[0].source == "alpha/001.md"


def test_searching_goes_on_while_another_process_adds(tmp_path: Path, knowledge: ChromaKnowledge) -> None:
    write_notes(tmp_path / "alpha", 5)
    write_notes(tmp_path / "beta", 150)
    knowledge.add(["alpha"])
    process = run(ADD, tmp_path, "beta")
    searches = 0
    while process.poll() is None:
        assert knowledge.search("alpha3x1", 1)[0].source == "alpha/003.md"
        searches += 1
    finish(process)
    assert searches > 0
    assert knowledge.search("beta149x3", 1)[0].source == "beta/149.md"
    assert knowledge.add(["alpha", "beta"]).unchanged == 155


def test_a_forked_process_is_told_instead_of_hanging(tmp_path: Path) -> None:
    write_notes(tmp_path / "alpha", 1)
    script = f"""{OPEN}
import os
from midas_devops.errors import StorageError
knowledge.add(["alpha"])
if os.fork() == 0:
    for base in (knowledge, ChromaKnowledge(Path(sys.argv[1]), Knowledge(embedder="lexical"), redact=str)):
        try:
            base.search("alpha")
        except StorageError as error:
            print(error.hint, flush=True)
    os._exit(0)
os.wait()
"""
    assert (
        finish(run(script.replace("import sys\n", "import sys, warnings\n", 1), tmp_path)).count("spawn") == 2
    )


@pytest.mark.parametrize("damage", ["garbage", "truncated"])
def test_a_damaged_store_is_named_with_the_way_out(tmp_path: Path, damage: str) -> None:
    write_notes(tmp_path / "alpha", 20)
    finish(run(ADD, tmp_path, "alpha"))
    database = tmp_path / STORE / "chroma.sqlite3"
    whole = database.read_bytes()
    database.write_bytes(b"not a database" * 1000 if damage == "garbage" else whole[: len(whole) // 3])
    damaged = ChromaKnowledge(tmp_path, LEXICAL, redact=hide_secret)
    for attempt in (lambda: damaged.search("alpha"), lambda: damaged.add(["alpha"])):
        with pytest.raises(StorageError) as caught:
            attempt()
        assert str(tmp_path / STORE) in caught.value.message
        assert "knowledge add" in caught.value.hint
    (tmp_path / STORE).rename(tmp_path / "away")
    again = ChromaKnowledge(tmp_path, LEXICAL, redact=hide_secret)
    assert again.add(["alpha"]).added == 20
    again.close()


def test_lost_words_are_built_again_from_the_store(tmp_path: Path, knowledge: ChromaKnowledge) -> None:
    write_notes(tmp_path / "alpha", 3)
    knowledge.add(["alpha"])
    expected = knowledge.search("alpha1x1", 5)
    lexical = tmp_path / STORE / "lexical"
    for file in lexical.rglob("*"):
        if file.is_file():
            file.write_bytes(b"\0damaged")
    knowledge.close()
    other = ChromaKnowledge(tmp_path, LEXICAL, redact=hide_secret)
    assert other.search("alpha1x1", 5) == expected
    assert other.add(["alpha"]).unchanged == 3
    other.close()


def test_an_incident_that_says_nothing_is_not_kept(knowledge: ChromaKnowledge) -> None:
    parts = ("run_id", "environment", "error", "category", "cause", "remedy", "outcome")
    knowledge.add_incident(Incident.model_validate(dict.fromkeys(parts, "")))
    assert knowledge.search("error cause remedy") == []


def test_text_that_is_no_unicode_is_kept_as_far_as_it_is(knowledge: ChromaKnowledge) -> None:
    knowledge.add_incident(
        Incident(
            run_id="r",
            environment="staging",
            error="garbled \udcff output of the compiler",
            category="unknown",
            cause="a broken terminal",
            remedy="none",
            outcome="failed",
        )
    )
    assert "garbled ? output" in knowledge.search("garbled output", 1)[0].text


def test_only_the_owner_may_enter(tmp_path: Path, knowledge: ChromaKnowledge) -> None:
    write_notes(tmp_path / "alpha", 1)
    knowledge.add(["alpha"])
    for folder in (tmp_path / ".midas", tmp_path / STORE, tmp_path / STORE / "lexical"):
        assert folder.stat().st_mode & 0o777 == 0o700
