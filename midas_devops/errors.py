"""Every error a person or a script can meet, in one hierarchy.

An error says what was attempted, what was seen and what to do next. ``code`` is closed and stable; scripts
may match on it.
"""

from __future__ import annotations

from typing import Literal

RemoteReason = Literal[
    "unauthorized",
    "forbidden",
    "not_found",
    "gone",
    "rate_limited",
    "refused",
    "unreachable",
    "timed_out",
    "unreadable",
    "unavailable",
]


class MidasError(Exception):
    """Base of all our errors.

    ``message`` says what was attempted and seen, ``hint`` what to do next, ``location`` where (a file and
    key, an environment, a run).
    """

    code = "error"
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", location: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.location = location

    def as_dict(self) -> dict[str, str]:
        """The body of ``{"error": …}`` as the command line prints it."""
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "location": self.location,
        }


class UsageError(MidasError):
    """The request itself cannot be understood."""

    code = "usage"
    exit_code = 2


class ConfigError(UsageError):
    """midas.toml, or a file it names, is wrong."""

    code = "configuration"


class MissingExtraError(ConfigError):
    """An optional dependency is not installed."""

    code = "missing_extra"

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the extra '{extra}', which is not installed",
            hint=f"pip install 'midas-devops[{extra}]'",
        )
        self.extra = extra


class UnreadableError(UsageError):
    """A file that was given cannot be read as what it should be."""

    code = "unreadable"


class BlockedError(MidasError):
    """A rule stands in the way. Nothing was done."""

    code = "blocked"
    exit_code = 4


class LeaseTakenError(BlockedError):
    """Another run is changing this environment."""

    code = "lease_taken"


class StateLockedError(BlockedError):
    """The infrastructure state is locked by somebody else."""

    code = "state_locked"


class ApprovalRefusedError(BlockedError):
    """The approval does not fit: wrong, old, used, expired or foreign digest, or not entitled."""

    code = "approval_refused"


class StorageError(MidasError):
    """The ledger, a checkpoint or an artifact cannot be read or written."""

    code = "storage"


class ToolError(MidasError):
    """An outside tool could not be run, or ended in a way that says nothing about its work."""

    code = "tool"


class RemoteError(ToolError):
    """An outside service refused, failed, could not be reached, or gave an answer that cannot be read.

    ``reason`` is closed: what a program may decide on. ``retry_after`` is in seconds, None when it is not
    known.
    """

    code = "remote"

    def __init__(
        self,
        message: str,
        *,
        reason: RemoteReason,
        hint: str = "",
        location: str = "",
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint, location=location)
        self.reason = reason
        self.retry_after = retry_after


class BudgetExceededError(MidasError):
    """A text is over its token budget. Nothing was sent."""

    code = "budget_exceeded"
