"""A parent graph's messages under a budget."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from midas_devops.adapters.artifacts import LocalArtifacts
from midas_devops.context.messages import text_of, tokens_of
from midas_devops.context.summarizer import Summarizer
from midas_devops.errors import BudgetExceededError

SYSTEM = "You are a release engineer."


@pytest.fixture
def summarizer(tmp_path: Path) -> Summarizer:
    return Summarizer(500, LocalArtifacts(str(tmp_path / "public"), tmp_path / "private"))


def test_a_short_conversation_is_left_alone(summarizer: Summarizer) -> None:
    messages = [SystemMessage(SYSTEM), HumanMessage("deploy v2"), AIMessage("done")]
    assert list(summarizer.fit_messages(messages).messages) == messages


def test_older_messages_become_one_summary_and_the_newest_stay(summarizer: Summarizer) -> None:
    messages: list[BaseMessage] = [SystemMessage(SYSTEM)]
    for i in range(40):
        messages += [HumanMessage(f"question {i} " * 20), AIMessage(f"answer {i} " * 20)]
    fitted = summarizer.fit_messages(messages, pinned=["run run-7f3a"])
    assert fitted.tokens == sum(map(tokens_of, fitted.messages)) <= 500
    assert fitted.messages[0] == messages[0]
    assert fitted.messages[-1] == messages[-1]
    assert "run run-7f3a" in text_of(fitted.messages[1])
    assert fitted.cut[0].artifact in text_of(fitted.messages[1])


def test_an_answer_of_a_tool_keeps_its_call(summarizer: Summarizer) -> None:
    messages: list[object] = []
    for i in range(30):
        messages += [
            AIMessage("", tool_calls=[{"name": "logs", "args": {"run": i}, "id": f"call-{i}"}]),
            ToolMessage(f"line {i}\n" * 30, tool_call_id=f"call-{i}"),
        ]
    fitted = summarizer.fit_messages(messages)  # type: ignore[arg-type]
    called: set[str] = set()
    for message in fitted.messages:
        if isinstance(message, AIMessage):
            called |= {str(call["id"]) for call in message.tool_calls}
        if isinstance(message, ToolMessage):
            assert message.tool_call_id in called
    assert called


def test_a_newest_message_that_is_too_long_is_condensed_around_its_error(summarizer: Summarizer) -> None:
    log = "step done\n" * 4000 + "fatal: repository not found\n" + "step done\n" * 4000
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": log}]
    fitted = summarizer.fit_messages(messages)
    assert fitted.tokens <= 500
    assert "fatal: repository not found" in text_of(fitted.messages[-1])
    assert fitted.messages[-1]["role"] == "user"  # type: ignore[index]


def test_system_messages_over_the_budget_are_an_error(summarizer: Summarizer) -> None:
    with pytest.raises(BudgetExceededError):
        summarizer.fit_messages([SystemMessage("be careful " * 600), HumanMessage("go")])
