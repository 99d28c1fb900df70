"""GitHub's REST API of one repository as plain JSON: pages, conditional reads, bounded retries, streams."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from midas_devops.adapters.github_errors import (
    TIMEOUT_SECONDS,
    ask_github,
    github_client,
    no_answer,
    refusal,
    unreadable,
)
from midas_devops.errors import RemoteError

if TYPE_CHECKING:
    from github.Requester import Requester
    from requests import PreparedRequest

Read = TypeVar("Read")

PAGE = 100
"""Most items that GitHub gives per page."""
MOST_PAGES = 200
TRIES = 3
LONGEST_WAIT_SECONDS = 20
"""A rate limit that ends sooner is waited for, once; a longer one is an error that says when it ends."""
MOST_LOG_BYTES = 2 << 30
_BLOCK = 1 << 16
_REMEMBERED = 64
_NOT_MODIFIED = 304
_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')
_PASSING = frozenset({"unavailable", "unreachable", "timed_out"})

Answer = tuple[int, Mapping[str, str], str]
Parameters = Mapping[str, str | int]


class GitHubApi:
    """Reads are tried up to three times and remember their ETag; a write is sent once.

    Raises ``RemoteError``.
    """

    def __init__(
        self, repository: str, token: str, api_url: str, *, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self.repository = repository
        self.api_url = api_url
        self._token = token
        self._pause = pause
        self._remembered: dict[str, tuple[str, Answer]] = {}

    def get(self, path: str, attempted: str, *, needs: str = "", parameters: Parameters | None = None) -> Any:
        """The JSON at ``path``, which begins below ``/repos/owner/name``."""
        return self._read(self._below(path), attempted, needs, parameters)[1]

    def pages(
        self,
        path: str,
        key: str,
        attempted: str,
        *,
        needs: str = "",
        parameters: Parameters | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The items of every page, as they are asked for; ``key`` names their list, empty for a bare list."""
        url = self._below(path)
        asked: Parameters | None = {**(parameters or {}), "per_page": PAGE}
        for _ in range(MOST_PAGES):
            headers, page = self._read(url, attempted, needs, asked)
            items = page if not key else page.get(key) if isinstance(page, dict) else None
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise unreadable(attempted, self.api_url, f"no list of {key or 'items'}")
            yield from items
            following = _NEXT.search(headers.get("link", ""))
            # A next page at another host is no page of ours.
            if not following or not items or not self._same_host(following[1]):
                return
            url, asked = following[1], None
        raise unreadable(attempted, self.api_url, f"more than {MOST_PAGES} pages")

    def post(self, path: str, body: object, attempted: str, *, needs: str = "") -> Any:
        """The JSON of the answer, None when it has none. Never sent twice."""
        status, headers, text = self._send("POST", self._below(path), attempted, needs, None, body)
        if status >= 300:  # noqa: PLR2004 - HTTP
            raise refusal(attempted, self.api_url, status, headers, _said(text), needs=needs)
        return self._parsed(text, attempted) if text.strip() else None

    def download(self, path: str, into: IO[bytes], attempted: str, *, needs: str = "") -> int:
        """Stream what ``path`` redirects to into a file; the number of bytes. Memory stays flat."""

        def fetch() -> int:
            into.seek(0)
            into.truncate()
            status, headers, text = self._send("GET", self._below(path), attempted, needs, None, None)
            place = headers.get("location", "")
            if status not in (301, 302, 303, 307, 308) or not place:
                raise refusal(attempted, self.api_url, status, headers, _said(text), needs=needs)
            return self._stream(place, into, attempted)

        return self._again(fetch)

    def _stream(self, place: str, into: IO[bytes], attempted: str) -> int:
        import requests

        given, ours = urlsplit(place), urlsplit(self.api_url)
        if given.scheme not in {"https", ours.scheme}:
            raise unreadable(attempted, self.api_url, f"a redirect to {given.scheme or 'nowhere'}")
        size = 0
        try:
            with requests.Session() as session:
                # The store is another host: it gets neither our token nor what a .netrc holds.
                session.auth = _no_credentials
                with session.get(place, stream=True, timeout=TIMEOUT_SECONDS) as answer:
                    if answer.status_code != 200:  # noqa: PLR2004 - HTTP
                        # GitHub's store says 404 for a blob that has been deleted.
                        status = 410 if answer.status_code == 404 else answer.status_code  # noqa: PLR2004
                        raise refusal(attempted, given.netloc, status, {}, "")
                    for block in answer.iter_content(_BLOCK):
                        size += into.write(block)
                        if size > MOST_LOG_BYTES:
                            raise RemoteError(
                                f"could not {attempted}: it has more than {MOST_LOG_BYTES >> 30} GiB",
                                reason="refused",
                                hint="Look at it on the host.",
                            )
        except requests.RequestException as away:
            raise no_answer(attempted, given.netloc, away) from away
        return size

    def _read(
        self, url: str, attempted: str, needs: str, parameters: Parameters | None
    ) -> tuple[Mapping[str, str], Any]:
        def read() -> tuple[Mapping[str, str], Any]:
            status, headers, text = self._send("GET", url, attempted, needs, parameters, None)
            if status != 200:  # noqa: PLR2004 - HTTP
                raise refusal(attempted, self.api_url, status, headers, _said(text), needs=needs)
            return headers, self._parsed(text, attempted)

        return self._again(read)

    def _again(self, ask: Callable[[], Read]) -> Read:
        for tried in range(1, TRIES + 1):
            try:
                return ask()
            except RemoteError as failed:
                wait = _seconds_before_next_try(failed, tried)
                if wait is None or tried == TRIES:
                    raise
                self._pause(wait)
        raise AssertionError("unreachable")

    def _send(
        self,
        method: str,
        url: str,
        attempted: str,
        needs: str,
        parameters: Parameters | None,
        body: object,
    ) -> Answer:
        key = f"{url}?{sorted(parameters.items())}" if parameters else url
        known = self._remembered.get(key) if method == "GET" else None
        condition = {"If-None-Match": known[0]} if known else {}

        def send() -> Answer:
            return self._requester.requestJson(method, url, dict(parameters or {}), {**condition}, body)

        answer = ask_github(attempted, self.api_url, send, needs=needs)
        if known and answer[0] == _NOT_MODIFIED:
            return known[1]
        if method == "GET" and answer[0] == 200 and answer[1].get("etag"):  # noqa: PLR2004 - HTTP
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.pop(next(iter(self._remembered)))
            self._remembered[key] = (answer[1]["etag"], answer)
        return answer

    def _parsed(self, text: str, attempted: str) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as broken:
            raise unreadable(attempted, self.api_url, f"no JSON: {text[:60]}") from broken

    def _below(self, path: str) -> str:
        return f"/repos/{self.repository}{path}"

    def _same_host(self, url: str) -> bool:
        there, ours = urlsplit(url), urlsplit(self.api_url)
        return (there.scheme, there.netloc) == (ours.scheme, ours.netloc)

    @cached_property
    def _requester(self) -> Requester:
        return github_client(self._token, self.api_url).requester


def _seconds_before_next_try(failed: RemoteError, tried: int) -> float | None:
    """None when another try would not help, or not soon."""
    if failed.reason in _PASSING:
        return 0.5 * (1 << (tried - 1))
    wait: int | None = failed.retry_after if failed.reason == "rate_limited" else None
    return wait if wait is not None and wait <= LONGEST_WAIT_SECONDS else None


def _said(text: str) -> str:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    return str(said.get("message") or "") if isinstance(said, dict) else ""


def _no_credentials(request: PreparedRequest) -> PreparedRequest:
    return request
