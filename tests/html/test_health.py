"""The page of pipeline health: complete, self-contained, and deaf to whatever stands in its data."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midas_devops.domain.evidence import Category, Diagnosis, Span
from midas_devops.domain.pipeline_health import HealthReport, LastFailure, health
from midas_devops.domain.pipeline_runs import Conclusion, PipelineRun, Workflow
from midas_devops.interfaces.html.health import render_health, write_health
from midas_devops.interfaces.html.health_plot import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    durations_plot,
)
from tests.html.test_report import HOSTILE, Page

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
CI = Workflow(id="1", name="CI", file=".github/workflows/ci.yml", url="https://host.example/ci")


def run(number: int, conclusion: Conclusion | None, seconds: float, hours: float) -> PipelineRun:
    created = BEGIN + timedelta(hours=hours)
    return PipelineRun(
        id=str(number),
        workflow_id="1",
        workflow="CI",
        number=number,
        status="completed" if conclusion else "in_progress",
        conclusion=conclusion,
        commit=f"{number:040x}",
        created_at=created,
        started_at=created,
        updated_at=created + timedelta(seconds=seconds),
        url=f"https://host.example/runs/{number}",
    )


FAILURE = LastFailure(
    run_id="3",
    number=3,
    attempt=2,
    conclusion="failure",
    branch="main",
    commit="c" * 40,
    event="push",
    at=BEGIN,
    url="https://host.example/runs/3",
    job="test",
    step="Run tests",
    log="artifact:" + "a" * 64,
    diagnosis=Diagnosis(
        category=Category.TEST_FAILURE,
        summary="A test failed",
        confidence=0.9,
        retryable=False,
        spans=(Span(file="artifact:a", first_line=7, last_line=8, text="E   assert 1 == 2\nFAILED a"),),
        remedies=("Run the quoted test alone",),
        verdict="conclusive",
    ),
)
RUNS = (
    run(1, "success", 240, 0),
    run(2, "cancelled", 30, 24),
    run(3, "failure", 300, 48),
    run(4, None, 0, 72),
)


def report(*runs: PipelineRun, failure: LastFailure | None = None) -> dict[str, Any]:
    told = health(CI, runs, {}, failure)
    return HealthReport(
        host="acme/orders",
        branch="main",
        since=BEGIN,
        until=BEGIN + timedelta(days=30),
        most_runs=50,
        workflows=(told,) if runs else (),
        failing=("CI",) if told.state == "failing" else (),
        notes=("Nightly: no runs in this window",),
    ).model_dump(mode="json")


def test_the_page_tells_figures_failure_and_evidence() -> None:
    text = Page(render_health(report(*RUNS, failure=FAILURE))).text
    for said in (
        "1 of 1 workflow failing",
        "acme/orders on main",
        "50 % of 2",
        "1 run in a row, since 2026-01-03 12:00 UTC",
        "run 3, attempt 2 of cccccccccc (push), job test, step Run tests",
        "test failure",
        "lines 7 to 8",
        "E   assert 1 == 2",
        "Run the quoted test alone",
        "Nightly: no runs in this window",
        "All 4 runs",
    ):
        assert said in text


def test_the_page_fetches_and_runs_nothing() -> None:
    html = render_health(report(*RUNS, failure=FAILURE))
    page = Page(html)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "use", "image"}
    assert page.values("src") == []
    assert "url(" not in html
    assert "default-src 'none'" in html
    assert all(re.match(r"https://|#w\d+$", link) for link in page.values("href"))


def test_the_plot_has_a_name_axes_with_units_and_a_legend() -> None:
    html = render_health(report(*RUNS, failure=FAILURE))
    page = Page(html)
    (plot,) = (attributes for tag, attributes in page.tags if attributes.get("class") == "plot")
    assert plot["role"] == "img"
    named = (plot["aria-labelledby"] or "").split()
    assert {attributes.get("id") for _, attributes in page.tags} >= set(named)
    for said in (
        "duration (min)",
        "run created (UTC)",
        "passed",
        "failed or timed out",
        "cancelled, skipped",
    ):
        assert said in page.text
    assert "1 not ended, not shown" in page.text
    assert "run 3: failure after 5 min, 2026-01-03 12:00 UTC" in page.text


def test_outcomes_differ_by_shape_not_by_colour_alone() -> None:
    html = render_health(report(*RUNS))
    drawn = html[html.index('class="plot"') : html.index("<figcaption")]
    assert len(re.findall(r"<circle ", drawn)) == 1
    assert len(re.findall(r"<path ", drawn)) == 1
    assert len(re.findall(r"<rect ", drawn)) == 1


def test_text_from_outside_stays_text() -> None:
    hostile = FAILURE.model_copy(update={"job": HOSTILE, "step": HOSTILE, "url": "javascript:alert(1)"})
    told = report(*RUNS, failure=hostile)
    told["host"] = told["workflows"][0]["name"] = told["workflows"][0]["file"] = HOSTILE
    told["workflows"][0]["url"] = "javascript:alert(1)"
    html = render_health(told)
    page = Page(html)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [link for link in page.values("href") if link.startswith("javascript")]
    assert "\x1b" not in html
    assert "\u202e" not in html


def test_a_report_without_workflows_is_a_page_too() -> None:
    assert "No workflow has run in this window" in Page(render_health(report())).text


def test_a_workflow_whose_runs_go_on_has_no_plot() -> None:
    page = Page(render_health(report(run(1, None, 0, 0))))
    assert "nothing to plot" in page.text
    assert not [attributes for _, attributes in page.tags if attributes.get("class") == "plot"]


def test_the_page_is_written_whole(tmp_path: Path) -> None:
    path = write_health(report(*RUNS), tmp_path / "health.html")
    assert path.read_text().endswith("</html>\n") or path.read_text().endswith("</html>")
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("seconds", "unit"), [(0, "s"), (0.4, "s"), (59, "s"), (119, "s"), (121, "min"), (7300, "h"), (9e6, "h")]
)
def test_an_axis_has_a_unit_that_fits(seconds: float, unit: str) -> None:
    plot = durations_plot(report(run(1, "success", seconds, 0))["workflows"][0])
    assert plot is not None
    assert plot.unit == unit
    assert 2 <= len(plot.rows) <= 7


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["success", "failure", "cancelled", "timed_out", "skipped"]),
            st.floats(0, 1e7),
            st.floats(0, 24 * 400),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_every_ended_run_is_drawn_inside_the_frame(given_runs: list[tuple[Conclusion, float, float]]) -> None:
    told = report(*(run(number, *one) for number, one in enumerate(given_runs, 1)))
    plot = durations_plot(told["workflows"][0])
    assert plot is not None
    assert len(plot.marks) + plot.left_out == len(given_runs)
    for mark in plot.marks:
        assert LEFT <= mark.x <= WIDTH - RIGHT
        assert TOP <= mark.y <= HEIGHT - BOTTOM
    for tick in (*plot.rows, *plot.levels):
        assert TOP - 0.1 <= tick.at <= HEIGHT - BOTTOM + 0.1
    for column in plot.columns:
        assert LEFT - 0.1 <= column.at <= WIDTH - RIGHT + 0.1
    assert 2 <= len(plot.rows) <= 7
    assert len(plot.columns) <= 9
    labels = [row.label for row in plot.rows]
    assert len(set(labels)) == len(labels)
