"""GitHub's refusals and silences in our words: one client, one translation for every GitHub adapter."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from midas_devops.errors import RemoteError, RemoteReason

if TYPE_CHECKING:
    from github import Github

Answer = TypeVar("Answer")

TIMEOUT_SECONDS = 15
"""Of connecting, and of each wait for bytes."""
_SAID_MOST = 300
_RATE_LIMITED = re.compile(r"rate limit|abuse detection", re.IGNORECASE)

_STATUS: dict[int, tuple[RemoteReason, str]] = {
    401: ("unauthorized", "The token is wrong or has expired: set another one."),
    403: ("forbidden", "The token lacks a permission for this{needs}."),
    404: (
        "not_found",
        "Check the repository's name. GitHub also says this for what the token may not see{needs}.",
    ),
    410: ("gone", "GitHub has deleted it: logs are kept for 90 days unless the repository says otherwise."),
}


def github_client(token: str, api_url: str, *, lazy: bool = True) -> Github:
    """A client without retries and pauses of its own. ``lazy``: objects are asked for at their first use."""
    from github import Auth, Github

    return Github(
        auth=Auth.Token(token),
        lazy=lazy,
        base_url=api_url,
        timeout=TIMEOUT_SECONDS,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )


def ask_github(attempted: str, api_url: str, ask: Callable[[], Answer], *, needs: str = "") -> Answer:
    """What ``ask`` returns; every failure of PyGithub or the network as ``RemoteError``.

    ``attempted`` completes "could not …"; ``needs`` names the token's permissions.
    """
    from github import BadAttributeException, GithubException
    from requests import RequestException

    try:
        return ask()
    except GithubException as refused:
        said = refused.data.get("message") if isinstance(refused.data, dict) else ""
        headers = {key.lower(): value for key, value in (refused.headers or {}).items()}
        raise refusal(attempted, api_url, refused.status, headers, str(said or ""), needs=needs) from refused
    except RequestException as away:
        raise no_answer(attempted, api_url, away) from away
    except (BadAttributeException, ValueError, RuntimeError) as odd:
        # PyGithub: an attribute of another type; no JSON; a redirect to another host.
        raise unreadable(attempted, api_url, f"{type(odd).__name__}: {odd}") from odd


def refusal(
    attempted: str,
    api_url: str,
    status: int,
    headers: Mapping[str, str],
    said: str,
    *,
    needs: str = "",
    now: Callable[[], float] = time.time,
) -> RemoteError:
    """The error for an HTTP status of GitHub's API. ``headers`` have names in lower case."""
    shown = _one_line(said)
    message = f"could not {attempted} at {api_url}: {status} {shown}".rstrip()
    wait = seconds_to_wait(status, headers, said, now)
    if wait is not None:
        when = f"in {_minutes(wait)}" if wait else "later"
        return RemoteError(
            message,
            reason="rate_limited",
            hint=f"GitHub's rate limit is used up: try again {when}, or use a token with a limit of its own.",
            retry_after=wait or None,
        )
    permissions = f" ({needs})" if needs else ""
    if status in _STATUS:
        reason, hint = _STATUS[status]
        return RemoteError(message, reason=reason, hint=hint.format(needs=permissions))
    if status >= 500:  # noqa: PLR2004 - HTTP
        return RemoteError(
            message,
            reason="unavailable",
            hint="GitHub has a problem of its own: see githubstatus.com, and try again.",
        )
    return RemoteError(message, reason="refused", hint=f"GitHub does not accept this as asked{permissions}.")


def seconds_to_wait(
    status: int, headers: Mapping[str, str], said: str, now: Callable[[], float] = time.time
) -> int | None:
    """Seconds until a rate limit ends, 0 when GitHub does not say; None when this is no rate limit.

    https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    if status not in (403, 429):
        return None
    after = headers.get("retry-after", "")
    if after.isdecimal():
        return int(after)
    if headers.get("x-ratelimit-remaining") == "0":
        reset = headers.get("x-ratelimit-reset", "").partition(".")[0]
        return max(0, int(reset) - int(now())) if reset.isdecimal() else 0
    return 0 if status == 429 or _RATE_LIMITED.search(said) else None  # noqa: PLR2004 - HTTP


def no_answer(attempted: str, api_url: str, away: Exception) -> RemoteError:
    """The error for a request that got no whole answer."""
    from requests import ConnectionError as NoConnection
    from requests import Timeout
    from requests.exceptions import ChunkedEncodingError, ContentDecodingError

    if isinstance(away, Timeout):
        return RemoteError(
            f"could not {attempted} at {api_url}: no answer within {TIMEOUT_SECONDS} s",
            reason="timed_out",
            hint="Try again; if it stays so, look at the proxy and the firewall in between.",
        )
    if isinstance(away, (ChunkedEncodingError, ContentDecodingError)):
        return RemoteError(
            f"could not {attempted} at {api_url}: the answer broke off",
            reason="unreachable",
            hint="Try again; if it stays so, look at the proxy in between.",
        )
    what = "no connection" if isinstance(away, NoConnection) else type(away).__name__
    return RemoteError(
        f"could not {attempted} at {api_url}: {what}",
        reason="unreachable",
        hint="Is GitHub reachable from here, and is tracker.api_url in midas.toml right?",
    )


def unreadable(attempted: str, api_url: str, seen: str) -> RemoteError:
    """The error for an answer that is not what GitHub's API gives."""
    return RemoteError(
        f"could not {attempted} at {api_url}: the answer cannot be read ({_one_line(seen)})",
        reason="unreadable",
        hint="Does tracker.api_url in midas.toml name GitHub's API, not its website or a proxy's login page?",
    )


def _minutes(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{-(-seconds // 60)} min"  # noqa: PLR2004 - two minutes


def _one_line(text: str) -> str:
    line = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    return line if len(line) <= _SAID_MOST else f"{line[:_SAID_MOST]}…"
