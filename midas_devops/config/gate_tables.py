"""Tables of the gates that ask something outside, of exceptions and of change windows."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from midas_devops.config.durations import Duration
from midas_devops.config.table import Argv, Table

_WINDOW = re.compile(
    r"(?P<first>mon|tue|wed|thu|fri|sat|sun)(?:-(?P<last>mon|tue|wed|thu|fri|sat|sun))?"
    r" (?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)"
)
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00")


def _a_date(value: object) -> object:
    # TOML has dates of its own; a quoted one means the same.
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a date such as 2026-12-31") from None
    if isinstance(value, datetime):
        raise ValueError("must be a date such as 2026-12-31, without a time")  # noqa: TRY004 - pydantic collects it
    return value


def _weekly(value: str) -> str:
    found = _WINDOW.fullmatch(value)
    if not found or not all(_CLOCK.fullmatch(found[part]) for part in ("start", "end")):
        raise ValueError("must be days and hours such as 'mon-thu 09:00-17:00' or 'fri 22:00-02:00'")
    if found["start"] in ("24:00", found["end"]):
        raise ValueError("must end at another time than it begins; a whole day is 'sat 00:00-24:00'")
    return value


def _zone(value: str) -> str:
    from zoneinfo import ZoneInfo

    try:
        if value != "UTC":
            ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            "must be a time zone that this machine knows, such as 'Europe/Berlin' or 'UTC'"
        ) from None
    return value


Day = Annotated[date, BeforeValidator(_a_date)]
Weekly = Annotated[str, AfterValidator(_weekly)]
Zone = Annotated[str, AfterValidator(_zone)]
Limit = Annotated[int, Field(ge=0)]


class ScanException(Table):
    """Findings of one rule that somebody answers for until a day: the last on which it holds, in UTC."""

    rule: str = Field(min_length=1)
    file: str = ""
    """Glob of the finding's path, ``**`` for any number of folders; empty: wherever it is found."""
    reason: str = Field(min_length=1)
    until: Day
    by: str = Field(min_length=1)


class ChecksGate(Table):
    """GitHub's check runs and commit statuses of the commit. Without ``required`` all of them count."""

    kind: Literal["github_checks"]
    required: tuple[str, ...] = ()
    """Names of check runs, contexts of statuses."""
    max_age: Duration | None = None


class CommandGate(Table):
    """A program that judges a commit. It gets MIDAS_COMMIT and MIDAS_ENVIRONMENT, and must change nothing."""

    kind: Literal["command"]
    run: Argv = Field(min_length=1)
    """argv; {commit} and {environment} are filled in."""
    within: Duration = timedelta(minutes=5)
    pass_env: tuple[str, ...] = ()
    drop_env: tuple[str, ...] = ()


class RegoGate(Table):
    """A team's policies in Rego over the plan of an infrastructure change."""

    kind: Literal["rego"]
    paths: Argv = Field(min_length=1)
    """Globs of policy files, relative to the project."""
    within: Duration = timedelta(minutes=1)


class Freeze(Table):
    """A time without changes. Dates are whole days of the gate's time zone, the last one included."""

    from_: date | datetime = Field(alias="from")
    until: date | datetime
    reason: str = Field(min_length=1)

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        first, last = (_day(each) for each in (self.from_, self.until))
        if last < first or (type(self.from_) is type(self.until) and str(self.until) < str(self.from_)):
            raise ValueError("must not end before it begins")
        return self


class WindowGate(Table):
    """When changes are allowed. With ``override`` a person may allow one outside of it, else nobody."""

    kind: Literal["window"]
    time_zone: Zone = "UTC"
    allow: tuple[Weekly, ...] = ()
    """Weekly windows, local time; empty: always, but for the freezes."""
    freezes: tuple[Freeze, ...] = ()
    override: bool = False

    @model_validator(mode="after")
    def _closes_at_some_time(self) -> Self:
        if not self.allow and not self.freezes:
            raise ValueError("needs allow, freezes or both: without them it is always open")
        return self


def _day(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment
