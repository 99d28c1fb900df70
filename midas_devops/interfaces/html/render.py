"""Render a run, in the contract's JSON shape, as HTML. All text is escaped; nothing is fetched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from midas_devops.domain.counting import number
from midas_devops.interfaces import wording

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_COUNTED = ("add", "change", "replace", "destroy", "forget")
_DECISION = {"approve": ("good", "✔ approved"), "reject": ("bad", "✘ rejected")}
_FAILED = re.compile(
    r"\b(failed|blocked|rejected|refused|errored|inconclusive|cancelled|never became|in doubt)\b",
    re.IGNORECASE,
)
_NONE_FAILED = re.compile(r"\b(none|no|0)\b( \w+)? failed\b", re.IGNORECASE)
_LONG = 200
"""Rows of a list that are shown; the rest is counted."""


def render_report(run: Mapping[str, Any]) -> str:
    """One self-contained page: no script, no outside resource, light and dark, fit to print."""
    return _render("page.html.j2", run)


def render_fragment(run: Mapping[str, Any]) -> str:
    """The same for a notebook's output cell: a block that brings its own style and touches no other."""
    return _render("fragment.html.j2", run)


def render_dora(figures: list[dict[str, Any]], days: int) -> str:
    """DORA's four figures, an environment below the other: a page as self-contained as the others."""
    window = f"The last {number(days, 'day')}"
    return template("dora.html.j2").render(figures=figures, title="DORA's four figures", sentence=window)


def template(name: str) -> Template:
    """A template by its file name, with the filters and tests that all pages share."""
    return _environment().get_template(name)


def _render(page: str, run: Mapping[str, Any]) -> str:
    tone, mark, sentence = wording.status_of(run)
    return template(page).render(
        run=run,
        title=wording.title(run),
        tone=tone,
        mark=mark,
        sentence=sentence,
        took=wording.elapsed(run),
        steps=wording.next_steps(run),
        counted=_COUNTED,
        most=_LONG,
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("midas_devops.interfaces.html", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(
        p=lambda text: wording.plain("" if text is None else text),
        clock=wording.clock,
        counted=number,
        numbered=_numbered,
        since=_since,
        took=lambda seconds: "-" if seconds is None else wording.span(float(seconds)),
        words=lambda text: str(text).replace("_", " "),
        percent=lambda share: f"{float(share):.0%}",
        verdict=lambda verdict: wording.VERDICT.get(str(verdict), ("quiet", "·")),
        release=wording.release_line,
        counts=wording.counts,
        blast_radius=wording.blast_radius,
        gap=wording.gap,
        decision=_decision,
        dora=wording.dora_rows,
        effect=wording.said_once,
    )
    environment.tests.update(web=_is_web, failed_step=_is_failed)
    return environment


def _numbered(quote: Mapping[str, Any]) -> list[tuple[int, str]]:
    """The lines of a span with their numbers."""
    first = int(quote.get("first_line") or 0)
    lines = str(quote.get("text") or "").split("\n")
    return [(first + offset, wording.plain(line)) for offset, line in enumerate(lines)]


def _since(at: object, start: object) -> str:
    """``+3.2 s``: how long after the start; empty when either is no time."""
    began, then = wording.moment(start), wording.moment(at)
    if began is None or then is None:
        return ""
    return f"+{wording.span(max(0.0, (then - began).total_seconds()))}"


def _decision(given: object) -> tuple[str, str]:
    """Tone and word of a person's answer; no word when it is not told."""
    word = "" if given is None else str(given)
    return _DECISION.get(word, ("quiet", word))


def _is_failed(line: Mapping[str, Any]) -> bool:
    """Whether a step of the timeline ended badly, by the words it was noted with."""
    return _FAILED.search(_NONE_FAILED.sub("", str(line.get("what") or ""))) is not None


def _is_web(address: object) -> bool:
    """Whether an address may become a link: anything else (``javascript:``…) stays text."""
    try:
        return urlsplit(str(address)).scheme in ("http", "https")
    except ValueError:
        return False
