"""A run with a model that is away, slow or talks nonsense ends as the rules decide (rule 12)."""

from __future__ import annotations

import json
from itertools import cycle
from pathlib import Path

from tests.adapters.test_chat import BROKEN_BODIES, HOSTILE_TEXTS, server
from tests.graph.conftest import Open
from tests.projects import commit, write

UNPRINTABLE = r"""{"risks": ["a\ud800b\u0000c\u001b[2J"], "category": "unknown", "summary": "\udfff",
"causes": [{"text": "\ud800", "source": "\u0000", "first_line": 1, "last_line": 1e400, "quote": "\ud800"}]}"""
GARBAGE: list[str | bytes] = [UNPRINTABLE, *HOSTILE_TEXTS.values(), *BROKEN_BODIES.values()]


def use_model(root: Path, url: str) -> None:
    settings = (root / "midas.toml").read_text(encoding="utf-8")
    table = f'[model]\nname = "m"\nbase_url = "{url}"\ntimeout_seconds = 10\n'
    write(root, {"midas.toml": f"{settings}\n{table}"})
    commit(root, "ask a model")


def bad_release(root: Path, version: str, subject: str = "") -> str:
    write(root, {"VERSION": version})
    commit(root, subject or version, version)
    return version


def test_a_bad_release_goes_back_whatever_a_model_replies(service: Path, open_agent: Open) -> None:
    replies = cycle(GARBAGE)
    with server(lambda _: (200, next(replies))) as (url, asked):
        use_model(service, url)
        agent = open_agent(service)
        assert agent.deploy_release("web", "v1").status == "succeeded"
        ended = 0
        while len(asked) <= len(GARBAGE):
            ended += 1
            run = agent.deploy_release("web", bad_release(service, f"dies-{ended}"))
            assert run.status == "rolled_back", run.to_json()["timeline"]


def test_the_report_says_what_a_model_did_not_answer(service: Path, open_agent: Open) -> None:
    with server(lambda _: (200, b'{"choices": []}')) as (url, _):
        use_model(service, url)
        agent = open_agent(service)
        agent.deploy_release("web", "v1")
        run = agent.deploy_release("web", bad_release(service, "dies-1"))
    degraded = "\n".join(run.to_json()["report"]["degraded"])
    assert "the model gave no advice: plan: unusable reply" in degraded
    assert "the model gave no advice: diagnosis: unusable reply" in degraded
    assert any(note.startswith("no advice: ") for note in run.to_json()["plan"]["notes"])


def test_a_run_with_a_model_that_answers_is_not_degraded(service: Path, open_agent: Open) -> None:
    with server(lambda _: (200, '{"risks": ["Sessions\\u001b end"]}')) as (url, _):
        use_model(service, url)
        run = open_agent(service).deploy_release("web", "v1")
    record = run.to_json()
    assert (run.status, record["report"]["degraded"]) == ("succeeded", [])
    assert "advice: Sessions  end" in record["plan"]["notes"]


def test_a_secret_in_a_commit_subject_is_not_told_to_the_model(service: Path, open_agent: Open) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    with server(lambda _: (200, "{}")) as (url, asked):
        use_model(service, url)
        agent = open_agent(service)
        agent.deploy_release("web", "v1")
        agent.deploy_release("web", bad_release(service, "dies-1", f"sign in with {token}"))
    sent = json.dumps(asked)
    assert "sign in with" in sent
    assert token not in sent
