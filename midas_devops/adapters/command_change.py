"""One deploy or rollback by command lines: judged by what ``status`` says, gone on with after a crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from midas_devops.adapters import canary
from midas_devops.adapters.at_work import AtWork
from midas_devops.adapters.local import logs
from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.adapters.local.journal import StepFailedError, exit_words
from midas_devops.config import CanaryStep
from midas_devops.errors import ToolError
from midas_devops.ports.deployer import DeployFailure, DeployResult, Release, Running
from midas_devops.ports.iac import Progress

if TYPE_CHECKING:
    from midas_devops.adapters.command import CommandDeployer

_QUICK_LOOK = 5.0
"""Seconds that what runs already gets to show that it is healthy."""


class CommandChange:
    """Works on one environment; nothing is kept between two of them but what lies in the deployer's home."""

    def __init__(self, deployer: CommandDeployer, interrupts: Interrupts, progress: Progress) -> None:
        self._deployer = deployer
        self._settings = deployer.settings
        self._interrupts = interrupts
        self._progress = progress
        self._commands = AtWork(deployer.home / "command.json", deployer.log, deployer.settings.within)
        self._position = canary.PositionFile(deployer.home / "canary.json")

    def deploy(self, release: Release) -> DeployResult:
        """Put it there, in steps where there are some."""
        if self._settings.switch:
            return self._guarded(lambda: self._climb(release, self._settings.canary), "deployment", release)
        return self._guarded(
            lambda: self._put("deploy", self._settings.deploy, release), "deployment", release
        )

    def rollback(self, to: Release) -> DeployResult:
        """Return to it at once: the way back has no steps."""
        if self._settings.rollback:
            argv = self._settings.rollback
            return self._guarded(lambda: self._put("rollback", argv, to), "rollback", to)
        if self._settings.switch:
            return self._guarded(lambda: self._climb(to, ()), "rollback", to)
        return self._guarded(lambda: self._put("rollback", self._settings.deploy, to), "rollback", to)

    def _guarded(self, change: Callable[[], DeployResult], what: str, release: Release) -> DeployResult:
        """What goes wrong is given back as a failure; a version on its way up is taken down first."""
        try:
            with self._interrupts.allowed():
                self._commands.wait_for_other(self._interrupts, self._progress)
                self._take_down_other(release)
                return change()
        except StepFailedError as failed:
            failure = failed.failure
        except KeyboardInterrupt:
            message = f"{what} of {release.version or release.commit[:12]} was cancelled"
            failure = DeployFailure(code="cancelled", message=message)
        if note := self._take_down():
            failure = failure.model_copy(update={"message": f"{failure.message}. {note}"})
        return self._deployer.failed(failure, release)

    def _already(self, release: Release) -> DeployResult | None:
        running = self._deployer.status()
        if running is None or not is_release(running, release):
            return None
        within = min(_QUICK_LOOK, self._settings.health.within.total_seconds())
        if self._deployer.healthy_within(within, self._progress).healthy is False:
            return None
        self._progress(f"{_label(release)} runs already")
        return self._served(running, release)

    def _put(self, what: str, template: tuple[str, ...], release: Release) -> DeployResult:
        if done := self._already(release):
            return done
        self._run(what, template, release)
        return self._served(self._confirmed(template[0], release), release)

    def _climb(self, release: Release, steps: tuple[CanaryStep, ...]) -> DeployResult:
        position = self._position.load()
        if position is None:
            if done := self._already(release):
                return done
            # On record before it is put beside what serves: a crash in between is found by the next call.
            self._record(release, 0)
            self._run("deploy", self._settings.deploy, release)
        else:
            self._progress(f"{_label(release)} goes on at step {position.step + 1}, where it was cut off")
            if position.step == 0:
                self._run("deploy", self._settings.deploy, release)
        canary.climb(
            steps,
            position.step if position else 0,
            record=lambda step: self._record(release, step),
            give=lambda weight: self._give(release, weight),
            judge=lambda weight: self._judge(release, weight),
            interrupts=self._interrupts,
            progress=self._progress,
        )
        running = self._confirmed(self._settings.switch[0], release)
        self._position.clear()
        return self._served(running.model_copy(update={"unfinished": False}), release)

    def _record(self, release: Release, step: int) -> None:
        self._position.save(canary.Position(commit=release.commit, version=release.version, step=step))

    def _give(self, release: Release, weight: int) -> None:
        self._run("switch", self._settings.switch, release, weight=str(weight))

    def _judge(self, release: Release, weight: int) -> None:
        if self._settings.analysis:
            try:
                self._deployer.analyse(release, weight)
            except ToolError as error:
                raise StepFailedError("health_check_failed", f"at {weight} %: {error.message}") from error
        reading = self._deployer.health(self._progress)
        if reading.healthy is False:
            raise StepFailedError("health_check_failed", f"at {weight} %: {reading.detail}")

    def _take_down_other(self, release: Release) -> None:
        """An interrupted call had another version on its way up: it gets no traffic any more."""
        position = self._position.load()
        if position is not None and position.commit != release.commit and (note := self._take_down()):
            self._progress(note)

    def _take_down(self) -> str:
        """No traffic for a version that was on its way up. Says what was done; empty when there was none."""
        position = self._position.load()
        if position is None:
            return ""
        release = Release(
            run_id="",
            environment=self._deployer.environment,
            version=position.version,
            commit=position.commit,
        )
        self._interrupts.requested = False
        try:
            if self._settings.switch:
                self._give(release, 0)
        except (StepFailedError, ToolError, KeyboardInterrupt) as error:
            return f"It could not be taken out of the traffic: {str(error) or 'interrupted'}"
        self._position.clear()
        return f"{_label(release)} gets no traffic any more"

    def _run(self, what: str, template: tuple[str, ...], release: Release, **more: str) -> None:
        if what == "rollback" and template is self._settings.rollback:
            argv = self._deployer.rollback_argv(release)
        else:
            argv = self._deployer.filled(template, release, **more)
        self._progress(f"{what} {_label(release)} with {argv[0]}")
        deployer = self._deployer
        try:
            ended = self._commands.run(what, argv, cwd=deployer.root, env=deployer.environ)
        except ToolError as error:
            raise StepFailedError("start_failed", f"{error.message} ({error.hint})") from error
        if ended.cancelled:
            raise KeyboardInterrupt
        if ended.timed_out:
            limit = self._settings.within.total_seconds()
            raise StepFailedError("timed_out", f"{argv[0]} was not done after {limit:.0f} s{self._said()}")
        if not ended.ok:
            ending = exit_words(ended.returncode)
            raise StepFailedError("start_failed", f"{argv[0]} ended with {ending}{self._said()}")

    def _confirmed(self, program: str, release: Release) -> Running:
        running = self._deployer.status()
        if running is None or not is_release(running, release):
            seen = f"commit {running.commit[:12]}" if running else "nothing"
            message = f"{program} ended well, but what runs there is {seen}{self._said()}"
            raise StepFailedError("start_failed", message)
        reading = self._deployer.health(self._progress)
        if reading.healthy is False:
            raise StepFailedError("health_check_failed", f"{reading.detail}{self._said()}")
        return running

    def _served(self, running: Running, release: Release) -> DeployResult:
        return DeployResult(serving=named(running, release), logs=self._deployer.logs())

    def _said(self) -> str:
        said = logs.last_lines(self._deployer.log, self._deployer.redact)
        return f". It said last: {said}" if said else ""


def is_release(running: Running, release: Release) -> bool:
    """Whether that is what runs; ``status`` may print a short hash."""
    return release.commit.startswith(running.commit)


def named(running: Running, release: Release) -> Running:
    """What runs, with the release's full hash and version when it is that release."""
    if not is_release(running, release):
        return running
    return running.model_copy(update={"commit": release.commit, "version": release.version})


def _label(release: Release) -> str:
    return release.version or release.commit[:12]
