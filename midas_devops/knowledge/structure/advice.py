"""What to say of a failure that the catalogue does not know: by category alone."""

from __future__ import annotations

import re

from midas_devops.domain.evidence import Category

DEFAULT_REMEDIES: dict[Category, tuple[str, ...]] = {
    Category.AUTHENTICATION: (
        "Check that the credential this step uses is set, current and meant for this host",
        "Log in by hand with the same credential to see whether it is accepted",
    ),
    Category.AUTHORIZATION: (
        "Find the identity that made the call, and the permission that the message names",
        "Grant that permission, or use an identity that has it",
    ),
    Category.QUOTA_OR_LIMIT: (
        "Wait until the limit resets, or ask for a higher one",
        "Make fewer or smaller requests: cache, authenticate, spread them out",
    ),
    Category.ALREADY_EXISTS: (
        "Find out who owns what exists already",
        "Import it, rename the new one, or remove the old one once its owner agrees",
    ),
    Category.NOT_FOUND: (
        "Check the name, the path or the version that was asked for, letter by letter",
        "Check that whatever should have produced it ran before, and in the same place",
    ),
    Category.INVALID_CONFIGURATION: (
        "Correct the setting that the message names",
        "Validate the configuration locally before the next run",
    ),
    Category.DEPENDENCY_OR_ORDERING: (
        "Find what must exist, or be gone, before this step",
        "Declare that order explicitly, then run again",
    ),
    Category.STATE_LOCK: (
        "Find out who holds the lock and whether they are still at work",
        "Wait for them to finish, then run again; do not force the lock of somebody else",
    ),
    Category.STATE_DRIFT: (
        "Compare what is there with what was expected",
        "Bring the two together (refresh, rebase, merge), then plan afresh",
    ),
    Category.NETWORK_OR_TIMEOUT: (
        "Run it again: such failures often pass",
        "If it stays, check name resolution, route, proxy and the far side's status",
    ),
    Category.RESOURCE_EXHAUSTION: (
        "See what used up the memory or the disk",
        "Give it more, or make it need less: fewer parallel jobs, smaller input, a cleanup before",
    ),
    Category.DEPENDENCY_INSTALL: (
        "Check the package's name, version and index against the message",
        "Install it in a clean environment to reproduce the failure",
    ),
    Category.COMPILE_ERROR: ("Correct the source at the place that is quoted, then build again",),
    Category.TEST_FAILURE: (
        "Run the quoted test alone to reproduce it",
        "Fix the code or the test; a test that passes when repeated is flaky and worth an issue",
    ),
    Category.LINT_FAILURE: (
        "Run the same check locally, with its automatic fixes where it has some, and commit",
    ),
    Category.CANCELLED: (
        "Find out who or what cancelled it: a person, a newer run, or a time limit",
        "Start it again if it should have finished",
    ),
    Category.HEALTH_CHECK_FAILED: (
        "Read the service's own output from its start to the failed check",
        "Call the health address by hand against the same version",
    ),
    Category.TOOL_OR_PROVIDER_BUG: (
        "Look for a known issue with the quoted message and this version",
        "Try the newest, or the last good, version of the tool",
    ),
    Category.UNKNOWN: ("Read the quoted lines, and the log around them",),
}

DEFAULT_CAUSES: dict[Category, str] = {
    Category.AUTHENTICATION: "The credentials were missing, wrong or expired",
    Category.AUTHORIZATION: "The caller may not do this",
    Category.QUOTA_OR_LIMIT: "A quota or rate limit was reached",
    Category.ALREADY_EXISTS: "Something with that name exists already",
    Category.NOT_FOUND: "Something that was asked for does not exist",
    Category.INVALID_CONFIGURATION: "A setting or an argument is not valid",
    Category.DEPENDENCY_OR_ORDERING: "Something it depends on is not there, or still in use",
    Category.STATE_LOCK: "Something else holds the lock",
    Category.STATE_DRIFT: "What is there is no longer what was expected",
    Category.NETWORK_OR_TIMEOUT: "A connection could not be made, or something took too long",
    Category.RESOURCE_EXHAUSTION: "Memory, disk or another resource ran out",
    Category.DEPENDENCY_INSTALL: "A dependency could not be installed or found",
    Category.COMPILE_ERROR: "The source does not compile",
    Category.TEST_FAILURE: "A test failed",
    Category.LINT_FAILURE: "A lint or format check failed",
    Category.CANCELLED: "It was cancelled",
    Category.HEALTH_CHECK_FAILED: "The service did not become healthy",
    Category.TOOL_OR_PROVIDER_BUG: "The tool itself crashed",
    Category.UNKNOWN: "The log says that something failed, but not in words that name a cause",
}

RETRYABLE = frozenset({Category.NETWORK_OR_TIMEOUT, Category.STATE_LOCK, Category.CANCELLED})
"""Categories in which running the same thing again may help."""

_PASSING_LIMIT = re.compile(
    r"rate.?limit|throttl|too many requests|\b429\b|slow ?down|capacity", re.IGNORECASE
)


def is_retryable(category: Category, text: str) -> bool:
    """Whether the same run may succeed later, where no catalogue entry says."""
    if category is Category.QUOTA_OR_LIMIT:
        return bool(_PASSING_LIMIT.search(text))
    return category in RETRYABLE
