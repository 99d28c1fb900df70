"""Jenkins' remote API by api4jenkins: crumbs, folders, streams, and one translation of its failures."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TypeVar
from urllib.parse import quote, urlsplit

from midas_devops.config import Settings
from midas_devops.domain.excerpt import excerpt
from midas_devops.errors import ConfigError, MissingExtraError, RemoteError, RemoteReason

if TYPE_CHECKING:
    from api4jenkins import Jenkins  # type: ignore[import-untyped]
    from httpx import Response

Answer = TypeVar("Answer")

EXTRA = "jenkins"
TIMEOUT_SECONDS = 15
"""Of connecting, and of each wait for bytes."""
TRIES = 3
MOST_LOG_BYTES = 2 << 30
_PASSING = frozenset({"unavailable", "unreachable", "timed_out"})
_SAID_MOST = 300

_HINTS: dict[RemoteReason, str] = {
    "unauthorized": "Check the user and the API token that [jenkins] of midas.toml names.",
    "forbidden": "The user lacks a permission for this in Jenkins, on the job or on its folder.",
    "not_found": "Check jenkins.url and jenkins.job. Jenkins also says this for what the user may not see.",
    "gone": "Jenkins has discarded it: see 'Discard old builds' of the job.",
    "rate_limited": "Ask again later.",
    "refused": "Jenkins does not accept this as asked.",
    "unreachable": "Is Jenkins reachable from here, and is jenkins.url in midas.toml right?",
    "timed_out": "Try again; if it stays so, look at the proxy and the firewall in between.",
    "unreadable": "Does jenkins.url in midas.toml name Jenkins itself, not a login page in front of it?",
    "unavailable": "Jenkins itself failed or is starting; try again, then look at its log.",
}


class JenkinsApi:
    """One Jenkins. Reads are tried up to three times; a write is sent once. Connects at first use.

    Paths are below the configured address whatever addresses Jenkins tells: the token goes nowhere else.
    Raises ``RemoteError``.
    """

    def __init__(
        self, url: str, user: str, token: str, *, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self.url = url
        self._user = user
        self._token = token
        self.pause = pause

    @classmethod
    def from_settings(cls, settings: Settings, environ: Mapping[str, str]) -> Self:
        """Raises ``ConfigError`` when the table, the user, the token or api4jenkins is missing."""
        jenkins = settings.jenkins
        if jenkins is None:
            raise ConfigError(
                "no Jenkins is configured",
                hint='Add [jenkins] with url and job to midas.toml: job = "folder/name".',
                location="midas.toml: jenkins",
            )
        for key, name in (("user_env", jenkins.user_env), ("token_env", jenkins.token_env)):
            if not environ.get(name):
                raise ConfigError(
                    f"asking Jenkins needs the variable {name}, which is not set",
                    hint="An API token is made in Jenkins under the user's Security settings.",
                    location=f"midas.toml: jenkins.{key}",
                )
        try:
            import api4jenkins  # noqa: F401 - before anything is begun
        except ImportError as missing:
            raise MissingExtraError("asking Jenkins", EXTRA) from missing
        return cls(jenkins.url, environ[jenkins.user_env], environ[jenkins.token_env])

    def read(self, path: str, attempted: str, *, tree: str = "") -> dict[str, Any]:
        """The JSON of an object; ``tree`` names the wanted properties, as Jenkins writes them."""

        def read() -> dict[str, Any]:
            answer = self._ask(attempted, "GET", f"{path}api/json", params={"tree": tree} if tree else {})
            try:
                found = answer.json()
            except (ValueError, RecursionError) as broken:
                raise self.failed(attempted, "unreadable", f"no JSON: {answer.text[:60]}") from broken
            if not isinstance(found, dict):
                raise self.failed(attempted, "unreadable", "no object")
            return found

        return self._again(read)

    def text(self, path: str, attempted: str) -> str:
        return self._again(lambda: self._ask(attempted, "GET", path).text)

    def post(
        self,
        path: str,
        attempted: str,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        xml: str = "",
    ) -> Mapping[str, str]:
        """The headers of the answer. Sent once; again only with a fresh crumb when the old one is refused."""
        given: dict[str, Any] = {"params": dict(params or {})}
        if xml:
            given |= {"content": xml.encode(), "headers": {"Content-Type": "text/xml; charset=utf-8"}}
        elif form is not None:
            given |= {"data": dict(form)}
        answer = self._ask(attempted, "POST", path, **given)
        return dict(answer.headers)

    def append(self, path: str, into: BinaryIO, attempted: str, *, start: int) -> tuple[int, bool]:
        """Stream a growing text from an offset into a file: the next offset, and whether more will come."""
        at = into.tell()

        def fetch() -> tuple[int, bool]:
            into.seek(at)
            into.truncate()
            client = self._client
            with (
                self._translated(attempted),
                client.handle_stream("GET", path, params={"start": start}) as answer,
            ):
                self._no_redirect(attempted, answer)
                size = answer.headers.get("x-text-size", "")
                if not size.isdecimal():
                    raise self.failed(attempted, "unreadable", "no size of the text")
                for block in answer.iter_bytes():
                    into.write(block)
                    if into.tell() > MOST_LOG_BYTES:
                        raise self.failed(attempted, "refused", f"more than {MOST_LOG_BYTES >> 30} GiB")
                return int(size), answer.headers.get("x-more-data", "") == "true"

        return self._again(fetch)

    def address(self, path: str) -> str:
        """For a person's browser."""
        return self.url + path

    def failed(self, attempted: str, reason: RemoteReason, seen: str, hint: str = "") -> RemoteError:
        said = excerpt("".join(c if c.isprintable() else " " for c in " ".join(seen.split())), _SAID_MOST)
        return RemoteError(
            f"could not {attempted} at {self.url}: {said}", reason=reason, hint=hint or _HINTS[reason]
        )

    @cached_property
    def _client(self) -> Jenkins:
        from api4jenkins import Jenkins
        from httpx import Limits

        return Jenkins(
            self.url,
            auth=(self._user, self._token),
            timeout=TIMEOUT_SECONDS,
            # Nobody closes an adapter: no connection outlives its request.
            limits=Limits(max_keepalive_connections=0),
        )

    def _ask(self, attempted: str, method: str, path: str, **given: Any) -> Response:
        with self._translated(attempted):
            self._crumb()
            try:
                answer: Response = self._client.handle_req(method, path, **given)
            except PermissionError:
                if method == "GET":
                    raise
                # A crumb ends with its session; nothing was done under the old one.
                self._client._crumb = None
                self._crumb()
                answer = self._client.handle_req(method, path, **given)
            self._no_redirect(attempted, answer)
            return answer

    def _crumb(self) -> None:
        """Ask for the crumb once. A Jenkins without that protection says 404, which the library passes on."""
        from api4jenkins.exceptions import ItemNotFoundError  # type: ignore[import-untyped]

        try:
            _ = self._client.crumb
        except ItemNotFoundError:
            self._client._crumb = {}

    def _no_redirect(self, attempted: str, answer: Response) -> None:
        place = answer.headers.get("location", "")
        there, ours = urlsplit(place), urlsplit(self.url)
        elsewhere = bool(there.netloc) and (there.scheme, there.netloc) != (ours.scheme, ours.netloc)
        if answer.is_redirect and (elsewhere or answer.request.method == "GET"):
            raise self.failed(attempted, "unreadable", f"it redirects to {there.netloc or place[:80]}")

    @contextlib.contextmanager
    def _translated(self, attempted: str) -> Iterator[None]:
        import httpx
        from api4jenkins.exceptions import JenkinsAPIException

        try:
            yield
        except (httpx.HTTPError, JenkinsAPIException, PermissionError, LookupError, ValueError) as failed:
            raise self.failed(attempted, *_seen(failed)) from failed

    def _again(self, ask: Callable[[], Answer]) -> Answer:
        for tried in range(1, TRIES + 1):
            try:
                return ask()
            except RemoteError as failed:
                if failed.reason not in _PASSING or tried == TRIES:
                    raise
                self.pause(0.5 * 2 ** (tried - 1))
        raise AssertionError("unreachable")


def job_path(full_name: str) -> str:
    """Where a job is, below the address: ``team/orders`` → ``job/team/job/orders/``."""
    return "".join(f"job/{quote(part, safe='')}/" for part in full_name.split("/") if part)


def _seen(failed: Exception) -> tuple[RemoteReason, str]:
    """What an exception of api4jenkins or httpx means."""
    import httpx
    from api4jenkins.exceptions import AuthenticationError, BadRequestError, ItemNotFoundError

    if isinstance(failed, httpx.HTTPStatusError):
        status = failed.response.status_code
        if status == httpx.codes.TOO_MANY_REQUESTS:
            return "rate_limited", "too many requests"
        return ("unavailable" if failed.response.is_server_error else "refused"), f"HTTP {status}"
    kinds: tuple[tuple[type[Exception], RemoteReason, str], ...] = (
        (httpx.TimeoutException, "timed_out", f"no answer within {TIMEOUT_SECONDS} s"),
        (httpx.ConnectError, "unreachable", "no connection"),
        (httpx.RemoteProtocolError, "unreachable", "the answer broke off"),
        (httpx.HTTPError, "unreachable", type(failed).__name__),
        (AuthenticationError, "unauthorized", "HTTP 401"),
        (PermissionError, "forbidden", "HTTP 403"),
        (ItemNotFoundError, "not_found", "HTTP 404"),
        (BadRequestError, "refused", str(failed)),
        (KeyError, "refused", "HTTP 400, or an answer without what Jenkins always tells"),
    )
    found = ((reason, seen) for kind, reason, seen in kinds if isinstance(failed, kind))
    return next(found, ("unreadable", "no answer of Jenkins' API"))
