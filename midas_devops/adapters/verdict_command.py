"""A program that judges: its exit code is the verdict, its output the evidence.

0 passed, 77 inconclusive, 99 errored (the codes of the GNU test protocol), any other failed.
https://www.gnu.org/software/automake/manual/html_node/Scripts_002dbased-Testsuites.html
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from midas_devops.adapters.ask import printable
from midas_devops.adapters.child import run_to_file
from midas_devops.adapters.local import templates
from midas_devops.adapters.local.logs import keep, last_lines
from midas_devops.domain.artifacts import ArtifactRef
from midas_devops.domain.digest import canonical_json, sha256_hex
from midas_devops.errors import ToolError
from midas_devops.ports.artifacts import Artifacts
from midas_devops.ports.results import Check, CheckReading, ReadFailure

INCONCLUSIVE = 77
ERRORED = 99
_GRACE = 5.0
_SHOWN = 300

State = Literal["passed", "failed", "inconclusive", "errored"]


@dataclass(frozen=True)
class Judged:
    """What a program said. ``state`` is errored when it could not say anything."""

    state: State
    detail: str
    log: ArtifactRef | None = None


def judge_by_command(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    within: timedelta,
    artifacts: Artifacts,
    redact: Callable[[str], str],
) -> Judged:
    """Run it without a shell. Its raw output becomes a private artifact; its last line is quoted, redacted.

    Raises ``StorageError`` when the output cannot be kept.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "output.log"
        try:
            ended = run_to_file(argv, cwd=cwd, env=env, log=log, timeout=within.total_seconds(), grace=_GRACE)
        except ToolError as missing:
            return Judged("errored", redact(missing.message))
        said = printable(last_lines(log, redact))[-_SHOWN:]
        said = f": {said}" if said else ""
        kept = keep(log, f"{Path(argv[0]).name}.log", artifacts)
    if ended.timed_out:
        return Judged("errored", f"was not done within {within.total_seconds():.0f} s{said}", kept)
    if ended.cancelled:
        return Judged("errored", f"was cancelled{said}", kept)
    if ended.returncode is None or ended.returncode < 0:
        return Judged("errored", f"was ended by signal {-(ended.returncode or 0)}{said}", kept)
    state: State = {0: "passed", INCONCLUSIVE: "inconclusive", ERRORED: "errored"}.get(
        ended.returncode, "failed"
    )  # type: ignore[assignment]  # the values are these words
    return Judged(state, f"exit status {ended.returncode}{said}", kept)


class CommandChecks:
    """A gate of kind ``command``, bound to its commit by argv and by ``MIDAS_COMMIT``."""

    def __init__(
        self,
        run: Sequence[str],
        *,
        environment: str,
        within: timedelta,
        root: Path,
        environ: Mapping[str, str],
        artifacts: Artifacts,
        redact: Callable[[str], str],
        location: str = "",
    ) -> None:
        templates.check(run, ("commit", "environment"), location)
        self._run = tuple(run)
        self._environment = environment
        self._within = within
        self._root = root
        self._environ = environ
        self._artifacts = artifacts
        self._redact = redact

    def read(self, commit: str) -> CheckReading:
        """Run the program for this commit."""
        argv = templates.fill(self._run, {"commit": commit, "environment": self._environment})
        if not commit:
            message = f"{argv[0]} was not run: there is no commit to judge"
            return CheckReading(failure=ReadFailure(code="missing", message=message))
        judged = judge_by_command(
            argv,
            cwd=self._root,
            env={**self._environ, "MIDAS_COMMIT": commit, "MIDAS_ENVIRONMENT": self._environment},
            within=self._within,
            artifacts=self._artifacts,
            redact=self._redact,
        )
        shown = self._redact(shlex.join(argv))
        evidence = (f"command: {shown}",) + ((judged.log.uri,) if judged.log else ())
        return CheckReading(
            commit=commit,
            bound_by="command",
            checks=(Check(name=argv[0], state=judged.state, detail=judged.detail),),
            measured_at=datetime.now(UTC),
            evidence=evidence,
            # Not over the output: it may carry a time, and the program runs again right before the effect.
            sha256=sha256_hex(canonical_json([*argv, judged.state])),
        )
