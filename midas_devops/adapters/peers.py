"""Results that MIDAS peers (tester, security specialist) hand over in graph state.

Shapes: ``{commit, tests, failures, errors, skipped, measured_at, evidence?, failed_names?}`` and
``{commit, tool, by_level, executed, measured_at, evidence?, findings?}``, plain JSON, times in ISO 8601
with a zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from midas_devops.domain.digest import canonical_json, sha256_hex
from midas_devops.ports.results import ReadFailure, ScanReading, TestReading

Count = Annotated[int, Field(ge=0, strict=True)]
Names = Annotated[tuple[str, ...], Field(max_length=100)]
Level = Literal["error", "warning", "note", "none"]
MAX_NAMES = 10


def _iso_or_datetime(value: object) -> object:
    # A bare number would pass as seconds since the epoch, or as milliseconds, whichever fits.
    if not isinstance(value, str | datetime):
        raise ValueError("a time in ISO 8601 is needed")  # noqa: TRY004 - pydantic collects ValueError
    return datetime.fromisoformat(value) if isinstance(value, str) else value


Moment = Annotated[AwareDatetime, BeforeValidator(_iso_or_datetime)]


class _Peer(BaseModel):
    """What both peers say. Unknown keys are refused: a misspelt count would read as zero."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    commit: str = Field(pattern=r"^[0-9a-fA-F]{7,64}$")
    measured_at: Moment
    evidence: Names = ()


class PeerTests(_Peer):
    """The tester's results."""

    tests: Count
    failures: Count
    errors: Count
    skipped: Count
    failed_names: Names = ()


class PeerScan(_Peer):
    """The security specialist's results."""

    tool: str = Field(min_length=1)
    by_level: dict[Level, Count]
    executed: bool = Field(strict=True)
    findings: Names = ()


Schema = TypeVar("Schema", bound=_Peer)
Payload = Mapping[str, object] | None


class PeerTestResults:
    """A tester's payload as test results. ``None`` or an empty payload: nobody handed anything over."""

    def __init__(self, payload: Payload) -> None:
        self._payload = payload

    def read(self, commit: str) -> TestReading:  # noqa: ARG002 - a payload is for the commit that it names
        said = _parse(self._payload, PeerTests, "tester")
        if isinstance(said, ReadFailure):
            return TestReading(failure=said)
        return TestReading(
            commit=said.commit.lower(),
            bound_by="peer",
            tests=said.tests,
            failures=said.failures,
            errors=said.errors,
            skipped=said.skipped,
            failed_names=said.failed_names[:MAX_NAMES],
            measured_at=said.measured_at,
            evidence=said.evidence or ("peer: tester",),
            sha256=_sha256(said),
        )


class PeerScanResults:
    """A security specialist's payload as scan results. ``None`` or empty: nobody handed anything over."""

    def __init__(self, payload: Payload) -> None:
        self._payload = payload

    def read(self, commit: str) -> ScanReading:  # noqa: ARG002 - a payload is for the commit that it names
        said = _parse(self._payload, PeerScan, "security")
        if isinstance(said, ReadFailure):
            return ScanReading(failure=said)
        return ScanReading(
            commit=said.commit.lower(),
            bound_by="peer",
            executed=said.executed,
            tools=(said.tool,),
            by_level=dict(said.by_level),
            findings=said.findings[:MAX_NAMES],
            measured_at=said.measured_at,
            evidence=said.evidence or ("peer: security",),
            sha256=_sha256(said),
        )


def _parse(payload: Payload, schema: type[Schema], peer: str) -> Schema | ReadFailure:
    if not payload:
        return ReadFailure(code="missing", message=f"the {peer} has handed over no results")
    try:
        return schema.model_validate(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the payload"
        return ReadFailure(
            code="unreadable", message=f"the {peer}'s results are malformed: {where}: {first['msg']}"
        )


def _sha256(said: _Peer) -> str:
    return sha256_hex(canonical_json(said.model_dump(mode="json")))
