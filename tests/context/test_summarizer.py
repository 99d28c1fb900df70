"""The running context: pinned facts survive, the budget holds, what is cut can be found."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midas_devops.adapters.artifacts import LocalArtifacts
from midas_devops.context.summarizer import MARK, Summarizer, Summary
from midas_devops.context.tokens import count
from midas_devops.errors import BudgetExceededError
from midas_devops.ports.artifacts import Artifacts

PINS = ["run run-7f3a deploys v2.4.1", "digest " + "ab" * 32, "aws_db_instance.orders"]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    root: Path = tmp_path_factory.mktemp("artifacts")
    return LocalArtifacts(str(root / "public"), root / "private")


def _full(artifacts: Artifacts, uri: str) -> str:
    ref = artifacts.find(uri.removeprefix("artifact:"))
    assert ref is not None
    assert ref.private
    return artifacts.get(ref).decode()


def test_what_fits_is_left_as_it_is(artifacts: Artifacts) -> None:
    summary = Summarizer(500, artifacts).fit(
        PINS, ["E   assert 1 == 2"], ["runbook: restart it"], ["planned", "applied"]
    )
    assert summary.cut == ()
    assert summary.text.split("\n") == [
        "Facts:",
        *(f"- {pin}" for pin in PINS),
        "Evidence:",
        "E   assert 1 == 2",
        "Retrieved:",
        "runbook: restart it",
        "History:",
        "planned",
        "applied",
    ]


def test_long_evidence_is_condensed_around_its_error_and_kept_in_full_elsewhere(artifacts: Artifacts) -> None:
    log = "step done\n" * 3000 + "fatal: repository not found\n" + "step done\n" * 3000
    summary = Summarizer(600, artifacts).fit(PINS, [log])
    assert "fatal: repository not found" in summary.text
    assert summary.tokens == count(summary.text) <= 600
    (cut,) = summary.cut
    assert cut.kind == "evidence"
    assert cut.artifact in summary.text
    assert _full(artifacts, cut.artifact) == log.strip("\n")


def test_newest_history_stays_and_older_history_becomes_one_summary_with_a_pointer(
    artifacts: Artifacts,
) -> None:
    history = [f"run {i}: " + f"applied part {i} of the network " * 20 for i in range(40)]
    summary = Summarizer(900, artifacts).fit(PINS, history=history)
    assert history[-1] in summary.text
    assert history[0] not in summary.text
    (cut,) = summary.cut
    assert cut.artifact in summary.text
    assert _full(artifacts, cut.artifact).startswith(history[0])


def _entries(summary: Summary) -> list[str]:
    """The history of a summary, entry by entry: a summary's own lines belong to it."""
    body = summary.text.partition("History:\n")[2]
    entries: list[str] = []
    for line in body.split("\n"):
        if entries and MARK.match(entries[-1]) and line.startswith(("- ", "…")):
            entries[-1] += "\n" + line
        else:
            entries.append(line)
    return entries


def test_a_summary_is_not_summarised_again(artifacts: Artifacts) -> None:
    summarizer = Summarizer(900, artifacts)
    first = _entries(summarizer.fit(PINS, history=[f"run {i}: " + "applied a part " * 30 for i in range(30)]))
    assert MARK.match(first[0])
    again = summarizer.fit(
        PINS, history=[first[0], *(f"later {i}: " + "and more work " * 20 for i in range(30))]
    )
    assert first[0] in again.text
    assert len([line for line in again.text.split("\n") if MARK.match(line)]) == 2


def test_many_summaries_collapse_into_a_pointer_that_leads_to_all_of_them(artifacts: Artifacts) -> None:
    summarizer = Summarizer(700, artifacts)
    history: list[str] = []
    for round_ in range(12):
        history += [f"round {round_}.{i}: " + "applied a part of it " * 12 for i in range(12)]
        summary = summarizer.fit(PINS, history=history)
        assert summary.tokens <= 700
        history = _entries(summary)
    marks = [MARK.match(entry) for entry in history if MARK.match(entry)]
    assert sum(int(mark[1]) for mark in marks if mark) >= 100


def test_pins_that_do_not_fit_are_named(artifacts: Artifacts) -> None:
    with pytest.raises(BudgetExceededError, match=r"these do not fit: .*x y z"):
        Summarizer(60, artifacts).fit([*PINS, "x y z " * 40])


def test_a_models_wording_is_used_when_it_keeps_to_the_room(artifacts: Artifacts) -> None:
    history = [f"run {i}: " + "applied a part of the network " * 20 for i in range(30)]
    short = Summarizer(700, artifacts, ask=lambda _: "Thirty parts of the network were applied.").fit(
        PINS, history=history
    )
    assert "Thirty parts of the network were applied." in short.text


@pytest.mark.parametrize(
    "reply",
    ["", None, "far too long " * 3000, "[summary of 9 earlier entries, in full: artifact:" + "0" * 64 + "]"],
)
def test_a_models_wording_that_breaks_the_promise_is_dropped(artifacts: Artifacts, reply: str | None) -> None:
    history = [f"run {i}: " + "applied a part of the network " * 20 for i in range(30)]
    plain = Summarizer(700, artifacts).fit(PINS, history=history)
    assert Summarizer(700, artifacts, ask=lambda _: reply).fit(PINS, history=history) == plain


def test_everything_is_redacted_before_it_is_kept_or_stored(artifacts: Artifacts) -> None:
    secret = "hunter2hunter2"
    summary = Summarizer(300, artifacts, redact=lambda text: text.replace(secret, "[redacted:value]")).fit(
        [f"login {secret}"], [f"password is {secret}\n" * 400], history=[f"used {secret} " * 200]
    )
    assert secret not in summary.model_dump_json()
    for cut in summary.cut:
        assert secret not in _full(artifacts, cut.artifact)


TEXTS = st.lists(st.text(st.characters(codec="utf-8"), max_size=300), max_size=6)


@given(TEXTS, TEXTS, TEXTS, st.integers(min_value=110, max_value=600))
@settings(max_examples=80, deadline=None)
def test_the_budget_holds_and_pins_survive_whatever_comes(
    artifacts: Artifacts, evidence: list[str], retrieved: list[str], history: list[str], budget: int
) -> None:
    summary = Summarizer(budget, artifacts).fit(PINS, evidence, retrieved, history)
    assert summary.tokens == count(summary.text) <= budget
    assert all(pin in summary.text for pin in PINS)
