"""Checkpoints beside the ledger, with real graphs."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from midas_devops.adapters.checkpoints import open_checkpointer
from midas_devops.adapters.sql.ledger import open_ledger
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.errors import ConfigError, StorageError
from tests.adapters.sql.conftest import Place

URL = "sqlite:///.midas/midas.db"


class State(TypedDict, total=False):
    """A state with one of our frozen values in it."""

    count: int
    ref: ArtifactRef
    answer: str


def count(state: State) -> State:
    return {"count": state.get("count", 0) + 1, "ref": ArtifactRef(sha256="a" * 64, name="log", size=3)}


def ask(state: State) -> State:
    return {"answer": interrupt({"count": state["count"]})}


def build() -> StateGraph[Any, Any, Any, Any]:
    builder = StateGraph(State)
    builder.add_node("count", count)
    builder.add_node("ask", ask)
    builder.add_edge(START, "count")
    builder.add_edge("count", "ask")
    builder.add_edge("ask", END)
    return builder


def config(thread: str = "run-1") -> Any:
    return {"configurable": {"thread_id": thread}}


def test_a_run_that_waits_is_continued_by_another_saver(place: Place) -> None:
    with open_checkpointer(place.url, place.root) as saver:
        asked = build().compile(checkpointer=saver).invoke({}, config(), durability="sync")
        assert asked["__interrupt__"][0].value == {"count": 1}
    with open_checkpointer(place.url, place.root) as saver:
        graph = build().compile(checkpointer=saver)
        assert graph.get_state(config()).next == ("ask",)
        done = graph.invoke(Command(resume="yes"), config(), durability="sync")
    assert (done["count"], done["answer"]) == (1, "yes")
    assert done["ref"] == ArtifactRef(sha256="a" * 64, name="log", size=3)


def test_ledger_and_checkpoints_share_one_database(place: Place) -> None:
    with (
        closing(open_ledger(place.url, place.root)) as ledger,
        open_checkpointer(place.url, place.root) as saver,
    ):
        graph = build().compile(checkpointer=saver)

        def write_audit() -> None:
            for _ in range(20):
                ledger.audit("run-1", "ana", "x")

        writing = threading.Thread(target=write_audit)
        writing.start()
        for number in range(5):
            graph.invoke({}, config(f"run-{number}"), durability="sync")
        writing.join()
        assert ledger.verify_audit() == 20
        assert graph.get_state(config("run-4")).values["count"] == 1


def test_threads_share_a_saver(place: Place) -> None:
    with open_checkpointer(place.url, place.root) as saver:
        graph = build().compile(checkpointer=saver)
        threads = [
            threading.Thread(
                target=graph.invoke, args=({}, config(f"run-{number}")), kwargs={"durability": "sync"}
            )
            for number in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [graph.get_state(config(f"run-{n}")).values["count"] for n in range(6)] == [1] * 6


STRICT = """
    import sys
    from pathlib import Path
    from langgraph.types import Command
    from midas_devops.adapters.checkpoints import open_checkpointer
    from tests.adapters.sql.test_checkpoints import build, config
    with open_checkpointer(sys.argv[1], Path(sys.argv[2])) as saver:
        graph = build().compile(checkpointer=saver)
        state = graph.invoke(Command(resume="yes"), config(), durability="sync")
        print(type(state["ref"]).__name__, state["answer"])
"""


def test_our_values_come_back_under_the_strict_serializer_in_a_new_process(place: Place) -> None:
    with open_checkpointer(place.url, place.root) as saver:
        build().compile(checkpointer=saver).invoke({}, config(), durability="sync")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(STRICT), place.url, str(place.root)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "LANGGRAPH_STRICT_MSGPACK": "true"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "ArtifactRef yes\n", done.stderr


def test_processes_may_open_the_checkpoints_at_once(place: Place) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from midas_devops.adapters.checkpoints import open_checkpointer\n"
        "with open_checkpointer(sys.argv[1], Path(sys.argv[2])) as saver: print(saver.get_tuple("
        "{'configurable': {'thread_id': 'x'}}))"
    )
    command = [sys.executable, "-c", code, place.url, str(place.root)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = [process.communicate(timeout=120)[0] for process in started]
    assert outputs == ["None\n"] * 4


def test_the_file_is_private(tmp_path: Path) -> None:
    with open_checkpointer(URL, tmp_path) as saver:
        build().compile(checkpointer=saver).invoke({}, config(), durability="sync")
        modes = {path.stat().st_mode & 0o777 for path in (tmp_path / ".midas").iterdir()}
    assert modes == {0o600}
    assert (tmp_path / ".midas").stat().st_mode & 0o777 == 0o700


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "midas.db").write_bytes(b"these are somebody's notes\n" * 100)
    with (
        pytest.raises(StorageError, match="not a database") as caught,
        open_checkpointer("sqlite:///midas.db", tmp_path),
    ):
        pass
    assert caught.value.location == str(tmp_path / "midas.db")


def test_a_url_that_is_none_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        open_checkpointer("mysql://h/d", tmp_path)


def test_a_server_that_is_not_there_is_named_without_the_password(tmp_path: Path) -> None:
    url = "postgresql://midas:open-sesame@127.0.0.1:1/midas"
    with pytest.raises(StorageError) as caught, open_checkpointer(url, tmp_path):
        pass
    assert "open-sesame" not in "".join(caught.value.as_dict().values())


def test_a_database_that_stays_locked_ends_the_run_in_our_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("midas_devops.adapters.checkpoints.WAIT_SECONDS", 0.1)
    with open_checkpointer(URL, tmp_path) as saver:
        graph = build().compile(checkpointer=saver)
        with closing(sqlite3.connect(tmp_path / ".midas" / "midas.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError, match="could not write a checkpoint: database is locked"):
                graph.invoke({}, config(), durability="sync")
            other.rollback()
        assert graph.invoke({}, config("run-2"), durability="sync")["count"] == 1


REFUSE_B = """
CREATE TRIGGER refuse_b BEFORE INSERT ON writes WHEN NEW.channel = 'b'
BEGIN SELECT RAISE(ABORT, 'the disk is gone'); END
"""


def test_writes_that_fail_half_way_are_taken_back_whole(tmp_path: Path) -> None:
    asked = config()
    asked["configurable"].update(checkpoint_ns="", checkpoint_id="c1")
    with (
        open_checkpointer(URL, tmp_path) as saver,
        closing(sqlite3.connect(tmp_path / ".midas/midas.db")) as other,
    ):
        other.execute(REFUSE_B)
        with pytest.raises(StorageError, match="the disk is gone"):
            saver.put_writes(asked, [("a", 1), ("b", 2)], "task-1")
        assert other.execute("SELECT count(*) FROM writes").fetchone() == (0,)
        saver.put_writes(asked, [("a", 1), ("c", 2)], "task-1")
        assert other.execute("SELECT count(*) FROM writes").fetchone() == (2,)
