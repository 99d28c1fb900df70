"""The HTML report: complete, self-contained, and deaf to whatever stands in its data."""

from __future__ import annotations

import copy
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from midas_devops.interfaces.html import render_fragment, render_report
from midas_devops.interfaces.html.files import write_report
from tests.html.runs import ROLLED_BACK, WAITING

HOSTILE = (
    "</code></section><script>alert(1)</script><img src=x onerror=alert(2)>"
    "{{ 7*7 }}{% raw %}\x1b[31m\x1b]0;owned\x07\u202egnp.exe & \"quoted\" 'quoted'"
)
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Collects what a browser would see, and fails on tags that do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for _, attrs in self.tags if attribute in attrs]


def poisoned(value: Any) -> Any:
    """The same shape with every text hostile, except what is an enum or a time of ours."""
    if isinstance(value, dict):
        kept = ("status", "verdict", "state", "at", "started_at", "ended_at", "measured_at", "expires_at")
        return {key: item if key in kept else poisoned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    return HOSTILE if isinstance(value, str) else value


@pytest.mark.parametrize(
    "expected",
    [
        "failed, and rolled back to the last verified version",
        "release v1.1.0 → staging",
        "run-20261122-181957-3f9a1c",
        "v1.0.0 (a1b2c3d4e5) → v1.1.0 (ffeeddccbb): 2 commits, 3 files",
        "switch port 8081",
        "42 passed, none failed",
        "the newest report is 31 h old, older than 24 h",
        "✔ approved by ben: reviewed in #42 (asked for: approval)",
        "health check failed",
        "93% sure",
        "KeyError: 'PRICE_LIST'",
        "Set PRICE_LIST for staging.",
        "v1.0.0 is the last verified version",
        "healthy after 2 attempts",
        "deploy v1.1.0 to staging",
        "✘ failed v1.0.0 (a1b2c3d4e5) serves",
        "no model is configured",
        "9f2c" * 16,
        "gate check",
        "+19 s",
    ],
)
def test_a_report_tells_the_whole_story(expected):
    assert expected in Page(render_report(ROLLED_BACK)).text


def test_quoted_lines_carry_their_numbers():
    numbers = re.findall(r'<span class="n">(\d+)</span>', render_report(ROLLED_BACK))

    assert numbers == ["118", "119", "120", "121", "41"]


def test_a_waiting_run_shows_what_is_asked_and_the_command_that_answers():
    text = Page(render_report(WAITING)).text

    assert "waits for a person" in text
    assert "Approving lets these go" in text
    assert "it would be deleted, and what this database holds is not in the configuration" in text
    assert f"midas-devops runs approve run-20261122-181957-3f9a1c --digest {'9f2c' * 16}" in text


def test_a_question_that_may_lead_to_a_rollback_shows_its_steps():
    asked = {**WAITING["pending"], "effects": ["stop v2, which serves port 80", "start v1 on port 80"]}
    text = Page(render_report({**WAITING, "pending": asked})).text

    assert "Rolling back does, in order" in text
    assert text.index("stop v2, which serves port 80") < text.index("start v1 on port 80")


def test_a_rejection_is_told_as_one():
    answer = {**ROLLED_BACK["approvals"][0], "decision": "reject", "reason": "not today"}
    text = Page(render_report({**ROLLED_BACK, "approvals": [answer]})).text

    assert "✘ rejected by ben: not today" in text
    assert "✔ approved" not in text


@pytest.mark.parametrize("render", [render_report, render_fragment])
def test_an_effect_says_its_verb_once(render):
    text = Page(render(WAITING)).text

    assert "apply infra/production on production: 2 to add" in text
    assert "apply apply" not in text


def test_every_address_that_a_plan_removes_is_named_even_where_nobody_is_asked():
    plan = {**WAITING["plan"], "guard": "allowed", "protected": []}
    text = Page(render_report({**WAITING, "pending": None, "plan": plan})).text

    assert "aws_db_instance.orders" in text
    assert "aws_s3_bucket.logs" in text


@pytest.mark.parametrize(
    ("what", "failed"),
    [
        ("the candidate never became healthy; v1.0.0 serves", True),
        ("tests: failed, security: passed", True),
        ("blocked: no approval", True),
        ("rejected by ben: not today", True),
        ("tests: passed, security: passed", False),
        ("42 passed, none failed", False),
        ("applied: 2 added", False),
    ],
)
def test_a_step_that_failed_looks_different_from_a_good_one(what, failed):
    page = Page(render_report({**ROLLED_BACK, "timeline": [{"at": None, "node": "deploy", "what": what}]}))

    assert (("li", {"class": "failed"}) in page.tags) is failed


@pytest.mark.parametrize("render", [render_report, render_fragment])
@pytest.mark.parametrize("run", [ROLLED_BACK, WAITING], ids=["rolled_back", "waiting"])
def test_hostile_text_stays_text(render, run):
    html = render(poisoned(copy.deepcopy(run)))
    page = Page(html)

    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "img", "iframe", "link", "object", "form"}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7*7 }}" in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", html)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//evil", "http://["]
)
def test_only_web_addresses_become_links(url):
    page = Page(render_report({**ROLLED_BACK, "url": url}))

    assert page.values("href") == []
    assert url in page.text


@pytest.mark.parametrize("render", [render_report, render_fragment])
def test_nothing_is_fetched_and_nothing_runs(render):
    page = Page(render(ROLLED_BACK))

    assert page.values("src") == []
    assert page.values("href") == ["http://127.0.0.1:8081"]
    assert "@import" not in render(ROLLED_BACK)
    assert "url(" not in render(ROLLED_BACK)


def test_the_page_forbids_scripts_and_outside_resources_by_policy():
    policy = [
        attrs["content"] for tag, attrs in Page(render_report(ROLLED_BACK)).tags if "http-equiv" in attrs
    ]

    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


@pytest.mark.parametrize("render", [render_report, render_fragment])
def test_a_run_that_has_only_begun_renders(render):
    text = Page(
        render({"run_id": "run-1", "operation": "deploy_release", "environment": "e", "status": "running"})
    ).text

    assert "running" in text
    assert "No gates are configured" in text


def test_an_unknown_status_is_shown_as_it_is():
    assert "levitating" in Page(render_report({**ROLLED_BACK, "status": "levitating"})).text


def test_a_fragment_styles_nothing_but_itself():
    style = re.search(r"<style>(.*?)</style>", render_fragment(ROLLED_BACK), re.DOTALL)
    assert style is not None
    rules = re.sub(r"@media[^{]*\{|\}", "\n", style[1])
    selectors = [line.split("{")[0].strip() for line in rules.splitlines() if "{" in line]

    assert selectors
    assert [one for one in selectors if not one.startswith((".midas-run", ".midas-fragment"))] == []


def test_a_report_below_midas_is_private_and_one_elsewhere_is_not(tmp_path):
    inside = write_report(tmp_path, ROLLED_BACK)
    outside = write_report(tmp_path, ROLLED_BACK, str(tmp_path / "report.html"))

    assert inside == tmp_path / ".midas" / "reports" / "run-20261122-181957-3f9a1c.html"
    assert inside.stat().st_mode & 0o777 == 0o600
    assert inside.parent.stat().st_mode & 0o777 == 0o700
    assert outside.read_text() == inside.read_text()
    assert outside.stat().st_mode & 0o044


def test_lone_surrogates_do_not_stop_a_report(tmp_path):
    run = {**ROLLED_BACK, "requested_by": "a\udcffb"}

    assert b"a?b" in Path(write_report(tmp_path, run)).read_bytes()
