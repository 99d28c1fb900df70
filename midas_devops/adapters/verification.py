"""What ``[environments.X.verify]`` asks for: HTTP checks, a command, and the share of errors in the log."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from midas_devops.adapters.ask import printable
from midas_devops.adapters.health import wait_until_healthy
from midas_devops.adapters.local import templates
from midas_devops.adapters.verdict_command import judge_by_command
from midas_devops.config import HttpCheck, LogCheck, Verify
from midas_devops.domain.excerpt import excerpt
from midas_devops.domain.outcome import VerificationVerdict
from midas_devops.domain.verification_rule import CheckOutcome
from midas_devops.errors import ToolError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.deployer import Release
from midas_devops.ports.iac import Progress
from midas_devops.ports.verification import ReadLogs

_PLACE = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_LOOKS = 4
"""At the log, over its window: each one keeps a copy of it."""
_MOST_QUOTED = 3
_SHOWN = 200
_NOTHING = object()


class ConfiguredVerifier:
    """Implements ``ports.verification.Verifier``. Commands run in ``root`` with ``environ``, no shell."""

    def __init__(
        self,
        environment: str,
        settings: Verify,
        *,
        root: Path,
        environ: Mapping[str, str],
        artifacts: Artifacts,
        redact: Callable[[str], str],
    ) -> None:
        where = f"environments.{environment}.verify.command"
        templates.check(settings.command, ("url", "commit", "version", "environment"), where)
        self._environment = environment
        self._settings = settings
        self._root = root
        self._environ = environ
        self._artifacts = artifacts
        self._redact = redact

    def check(
        self, release: Release, url: str, logs: ReadLogs, progress: Progress, *, deployed_now: bool
    ) -> tuple[CheckOutcome, ...]:
        """HTTP checks, the command, then the log. Raises ``StorageError``."""
        settings = self._settings
        # Of a service that runs already only what is logged from here on counts.
        before = "" if deployed_now or settings.logs is None else self._log_text(logs)
        begun = time.monotonic()
        found: list[CheckOutcome] = []
        for outcome in self._each(release, url):
            progress(f"{outcome.what}: {outcome.verdict}: {outcome.detail}")
            found.append(outcome)
        bad = any(outcome.verdict is VerificationVerdict.FAILED for outcome in found)
        if settings.logs is not None and not bad:
            window = settings.logs.window.total_seconds()
            progress(f"watching the log of {self._environment} for {window:.0f} s")
            found.append(self._judge_log(settings.logs, logs, before, begun + window))
        return tuple(found)

    def _each(self, release: Release, url: str) -> Iterator[CheckOutcome]:
        values = {
            "url": url.rstrip("/"),
            "commit": release.commit,
            "version": release.version,
            "environment": release.environment,
        }
        for check in self._settings.http:
            yield self._http(check, values)
        if self._settings.command:
            argv = templates.fill(self._settings.command, values)
            judged = judge_by_command(
                argv,
                cwd=self._root,
                env={
                    **self._environ,
                    "MIDAS_COMMIT": release.commit,
                    "MIDAS_ENVIRONMENT": release.environment,
                    "MIDAS_URL": url,
                },
                within=self._settings.command_within,
                artifacts=self._artifacts,
                redact=self._redact,
            )
            yield CheckOutcome(
                what=f"command {argv[0]}",
                verdict=VerificationVerdict(judged.state),
                detail=judged.detail,
                log=judged.log,
            )

    def _http(self, check: HttpCheck, values: Mapping[str, str]) -> CheckOutcome:
        address = _filled(check.url, values) or (values["url"] + check.path if values["url"] else "")
        what = f"http {check.path or check.url}"
        if not address:
            return CheckOutcome(
                what=what,
                verdict=VerificationVerdict.ERRORED,
                detail="the environment's address is not known, and the check names none",
            )
        reading = wait_until_healthy(
            address,
            status=check.status,
            within=check.within,
            successes=check.successes,
            accepts=lambda body, seconds: what_is_wrong(check, values, body, seconds),
        )
        verdict = VerificationVerdict.INCONCLUSIVE
        if reading.healthy is not None:
            verdict = VerificationVerdict.PASSED if reading.healthy else VerificationVerdict.FAILED
        return CheckOutcome(
            what=what, verdict=verdict, detail=self._redact(reading.detail), flapping=reading.flapping
        )

    def _log_text(self, logs: ReadLogs) -> str | None:
        try:
            return "\n".join(
                self._artifacts.get(ref).decode("utf-8", "replace").rstrip("\n") for ref in logs()
            )
        except ToolError:
            return None

    def _judge_log(self, check: LogCheck, logs: ReadLogs, before: str | None, until: float) -> CheckOutcome:
        most = check.max_lines if check.max_lines is not None or check.max_share is not None else 0
        while True:
            text = self._log_text(logs)
            left = until - time.monotonic()
            if text is None or before is None:
                return _of_log(VerificationVerdict.ERRORED, "the log cannot be read")
            if not text.startswith(before):
                return _of_log(
                    VerificationVerdict.INCONCLUSIVE, "the log was begun anew or cut while it was watched"
                )
            lines = [line for line in text[len(before) :].split("\n") if line.strip()]
            bad = [line for line in lines if re.search(check.pattern, line)]
            if most is not None and len(bad) > most:
                return self._too_many(bad, lines, f"at most {most} may")
            if left <= 0:
                break
            time.sleep(min(check.window.total_seconds() / _LOOKS, left))
        if not lines and not text:
            return _of_log(VerificationVerdict.INCONCLUSIVE, "there is no log to look at")
        if check.max_share is not None and lines and len(bad) / len(lines) > check.max_share:
            return self._too_many(bad, lines, f"at most {check.max_share:.1%} may")
        return _of_log(
            VerificationVerdict.PASSED, f"{len(bad)} of {len(lines)} log lines match '{check.pattern}'"
        )

    def _too_many(self, bad: list[str], lines: list[str], limit: str) -> CheckOutcome:
        quoted = " | ".join(printable(self._redact(line))[:_SHOWN] for line in bad[:_MOST_QUOTED])
        share = len(bad) / len(lines)
        return _of_log(
            VerificationVerdict.FAILED,
            f"{len(bad)} of {len(lines)} log lines ({share:.1%}) match, {limit}: {quoted}",
        )


def what_is_wrong(check: HttpCheck, values: Mapping[str, str], body: bytes, seconds: float) -> str:
    """What an answer with the right status still lacks, as a clause; empty when nothing."""
    if check.max_latency is not None and timedelta(seconds=seconds) > check.max_latency:
        return f"answers in {seconds:.2f} s, at most {check.max_latency.total_seconds():g} s is allowed"
    text = body.decode("utf-8", "replace")
    if check.contains and _filled(check.contains, values) not in text:
        return f"answers without '{check.contains}' in the body"
    if check.matches and not re.search(check.matches, text):
        return f"answers a body in which nothing matches '{check.matches}'"
    if not check.json_:
        return ""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return "answers a body that is no JSON"
    for place, wanted in check.json_.items():
        expected = _filled(wanted, values) if isinstance(wanted, str) else wanted
        seen = _at(document, place)
        if seen is _NOTHING:
            return f"answers JSON without '{place}'"
        # True is 1 in Python, and not in JSON.
        if seen != expected or isinstance(seen, bool) != isinstance(expected, bool):
            shown = excerpt(printable(json.dumps(seen, ensure_ascii=False)), _SHOWN)
            return f"answers {place} = {shown} instead of {json.dumps(expected, ensure_ascii=False)}"
    return ""


def _at(document: object, place: str) -> object:
    """The value at ``build.commit`` or ``items[0].name``; ``_NOTHING`` where there is none."""
    for position, name in _PLACE.findall(place):
        if position and isinstance(document, list) and int(position) < len(document):
            document = document[int(position)]
        elif name and isinstance(document, dict) and name in document:
            document = document[name]
        else:
            return _NOTHING
    return document


def _filled(text: str, values: Mapping[str, str]) -> str:
    return templates.fill([text], values)[0]


def _of_log(verdict: VerificationVerdict, detail: str) -> CheckOutcome:
    return CheckOutcome(what="log", verdict=verdict, detail=detail)
