"""Ask an address over HTTP until it is healthy, or until it is clear that it will not be in time."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from email.message import Message
from typing import IO
from urllib.parse import urlsplit, urlunsplit

from midas_devops.domain.excerpt import excerpt
from midas_devops.ports.deployer import HealthReading

_ATTEMPT_SECONDS = 10.0
"""Most that one answer may take."""
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 0.5
"""Seconds between two attempts, growing: a quick start is seen quickly, a slow one is left alone."""
_TICK = 0.05
_EXCERPT_BYTES = 4096
_EXCERPT_SHOWN = 200

GaveUp = Callable[[], str]
"""Says why waiting is pointless (the process ended); empty as long as it is not."""
Accepts = Callable[[bytes, float], str]
"""Says what is wrong with a body and the seconds that the whole answer took; empty when nothing is."""
MOST_BODY = 1 << 20
"""Bytes of a body that a check may look at."""


@dataclass(frozen=True)
class _Answer:
    """One attempt: a status, or a fault in words. ``measured`` is False when the service was not reached
    for a reason that says nothing about it."""

    status: int = 0
    fault: str = ""
    measured: bool = True
    excerpt: str = ""


def wait_until_healthy(
    url: str,
    *,
    status: int = 200,
    within: timedelta,
    successes: int = 1,
    gave_up: GaveUp = lambda: "",
    accepts: Accepts | None = None,
) -> HealthReading:
    """Poll ``url`` until ``successes`` attempts in a row answer ``status`` and hold what ``accepts`` wants.

    Redirects are followed on the same host only. Proxies of the environment are not used for loopback. The
    body is read for a short excerpt at most, or its first MB with ``accepts``. ``healthy`` is None when
    nothing could be measured: the address is no http(s) URL, or its name cannot be resolved.
    """
    shown = _without_password(url)
    started = time.monotonic()
    if fault := _no_address(url):
        return HealthReading(healthy=None, detail=f"{shown or 'the address'} {fault}")
    deadline = started + within.total_seconds()
    attempts = passed = in_a_row = 0
    pause = _FIRST_PAUSE
    last = _Answer(fault="was not asked: no time was left")
    while True:
        reason = gave_up()
        left = deadline - time.monotonic()
        if reason or (left <= 0 and attempts):
            break
        answer = _attempt(url, status, min(_ATTEMPT_SECONDS, max(left, _TICK)), gave_up, accepts)
        if answer is None:
            continue
        last = answer
        attempts += 1
        good = last.status == status and not last.fault
        in_a_row = in_a_row + 1 if good else 0
        passed += good
        if in_a_row >= successes:
            return _reading(True, f"{status} from {shown}", attempts, started)
        _pause(min(pause, max(0.0, deadline - time.monotonic())), gave_up)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    detail = f"{shown} {_seen(last, status)}"
    if passed:
        detail = f"{shown} flaps: {passed} of {attempts} checks passed, {successes} in a row are needed"
        detail += "" if in_a_row else f"; the last {_seen(last, status)}"
    if reason:
        detail = f"{reason}; before that {detail}" if attempts else reason
    healthy = None if attempts and not last.measured else False
    return _reading(healthy, detail, attempts, started, flapping=passed > 0 and not reason)


def _reading(
    healthy: bool | None, detail: str, attempts: int, started: float, *, flapping: bool = False
) -> HealthReading:
    return HealthReading(
        healthy=healthy,
        detail=detail,
        flapping=flapping,
        attempts=attempts,
        elapsed_seconds=round(time.monotonic() - started, 3),
    )


def _pause(seconds: float, gave_up: GaveUp) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not gave_up():
        time.sleep(min(_TICK, left))


def _attempt(
    url: str, wanted: int, seconds: float, gave_up: GaveUp, accepts: Accepts | None
) -> _Answer | None:
    """One answer, or None when waiting for it became pointless.

    A thread of its own asks: socket timeouts hold for each read, so a server that drips could hold us for
    ever, and a hanging request would hide that the process behind it is dead.
    """
    answers: list[_Answer] = []
    asking = threading.Thread(target=lambda: answers.append(_ask(url, wanted, seconds, accepts)), daemon=True)
    asking.start()
    until = time.monotonic() + seconds
    while True:
        asking.join(_TICK)
        if answers:
            return answers[0]
        if gave_up():
            return None
        if time.monotonic() >= until + _TICK:
            return _timeout(seconds)


def _ask(url: str, wanted: int, seconds: float, accepts: Accepts | None) -> _Answer:
    request = urllib.request.Request(url, headers={"User-Agent": "midas-devops", "Cache-Control": "no-cache"})  # noqa: S310 - the scheme was checked
    handlers: list[urllib.request.BaseHandler] = [_SameHost(wanted)]
    if _is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)
    begun = time.monotonic()
    try:
        with opener.open(request, timeout=seconds) as response:
            return _Answer(status=response.status, fault=_refused(accepts, response, begun))
    except urllib.error.HTTPError as error:
        with error:
            if error.code == wanted and accepts is not None:
                return _Answer(status=error.code, fault=_refused(accepts, error, begun))
            return _Answer(status=error.code, excerpt=_excerpt(error, error.headers))
    except urllib.error.URLError as error:
        return _fault(error.reason, seconds)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _fault(error, seconds)


def _refused(accepts: Accepts | None, body: IO[bytes], begun: float) -> str:
    if accepts is None:
        return ""
    read = body.read(MOST_BODY)
    return accepts(read, time.monotonic() - begun)


def _fault(error: object, seconds: float) -> _Answer:
    if isinstance(error, TimeoutError):
        return _timeout(seconds)
    if isinstance(error, ConnectionRefusedError):
        return _Answer(fault="refuses connections: nothing listens there")
    if isinstance(error, socket.gaierror):
        return _Answer(fault=f"cannot be found: {error.strerror}", measured=False)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _Answer(fault=f"shows a certificate that does not hold: {error.verify_message}")
    if isinstance(error, http.client.RemoteDisconnected | ConnectionResetError):
        return _Answer(fault="closes the connection without an answer")
    return _Answer(
        fault=f"gives no usable answer: {type(error).__name__}: {excerpt(str(error), _EXCERPT_SHOWN)}"
    )


def _timeout(seconds: float) -> _Answer:
    return _Answer(fault=f"gives no answer within {seconds:.1f} s")


def _seen(answer: _Answer, wanted: int) -> str:
    if answer.fault and answer.status in (0, wanted):
        return answer.fault
    words = f": {answer.excerpt}" if answer.excerpt else ""
    return f"answers {answer.status} instead of {wanted}{words}"


def _excerpt(body: IO[bytes], headers: Message) -> str:
    location = headers.get("Location", "")
    if location:
        return f"redirects to {excerpt(_without_password(location), _EXCERPT_SHOWN)}"
    try:
        text = body.read(_EXCERPT_BYTES).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return ""
    if "<html" in text.lower():
        return ""
    return excerpt("".join(c if c.isprintable() else " " for c in " ".join(text.split())), _EXCERPT_SHOWN)


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only where it stays on the host that was asked: another one's health says nothing.

    A redirect that is itself the wanted status is an answer.
    """

    max_redirections = 5

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if code == self._wanted or urlsplit(newurl).hostname != urlsplit(req.full_url).hostname:
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _no_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        return f"is no address: {error}"
    return "" if usable else "is no http or https address"


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    except ValueError:
        return "the address"
