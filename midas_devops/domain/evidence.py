"""Evidence and the diagnosis that quotes it (rule 7)."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from midas_devops.domain.base import Value


class Category(StrEnum):
    """The closed list of diagnosis categories."""

    AUTHENTICATION = "authentication"
    AUTHORIZATION = "authorization"
    QUOTA_OR_LIMIT = "quota_or_limit"
    ALREADY_EXISTS = "already_exists"
    NOT_FOUND = "not_found"
    INVALID_CONFIGURATION = "invalid_configuration"
    DEPENDENCY_OR_ORDERING = "dependency_or_ordering"
    STATE_LOCK = "state_lock"
    STATE_DRIFT = "state_drift"
    NETWORK_OR_TIMEOUT = "network_or_timeout"
    RESOURCE_EXHAUSTION = "resource_exhaustion"
    DEPENDENCY_INSTALL = "dependency_install"
    COMPILE_ERROR = "compile_error"
    TEST_FAILURE = "test_failure"
    LINT_FAILURE = "lint_failure"
    CANCELLED = "cancelled"
    HEALTH_CHECK_FAILED = "health_check_failed"
    TOOL_OR_PROVIDER_BUG = "tool_or_provider_bug"
    UNKNOWN = "unknown"


class Span(Value):
    """Lines of one text, quoted. Lines are 1-based, inclusive, and end at ``\\n`` only."""

    file: str
    first_line: int
    last_line: int
    text: str = ""


class Diagnosis(Value):
    """What went wrong, as far as the evidence carries it."""

    category: Category
    summary: str
    confidence: float
    """0 to 1."""
    retryable: bool
    spans: tuple[Span, ...] = ()
    causes: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    verdict: Literal["conclusive", "inconclusive"]
    dropped_claims: int = 0
    """Claims of a model that quoted nothing that exists, and were dropped."""
