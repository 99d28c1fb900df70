# ruff: noqa: E501 (the patterns are the data)
"""Where in the job a line stands: which step, inside a listed script, after the end, and what failed when."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from midas_devops.context.screen import Screen
from midas_devops.knowledge.structure.lines import Line
from midas_devops.knowledge.structure.patterns import AnyOf

# Something began. GitHub prints one group per step, and more inside it that are no steps.
_STEP = re.compile(
    r"##\[group\]Run |##\[section\]Starting: |section_start:\d+:|\[Pipeline\] stage|\[Pipeline\] \{ \(|##\[start-action "
)
_SCRIPT_LISTING = re.compile(r"##\[group\](?:Run |Operating System|Runner Image|GITHUB_TOKEN)")
_END_OF_LISTING = re.compile(r"##\[endgroup\]")
# What closes a listing where its end mark is missing: after its settings comes a line that is none.
_SETTINGS = re.compile(r"^(?:shell:|with:|env:)")
_LONGEST_LISTING = 60
_SETTING = re.compile(r"^(?:shell:|with:|env:|\s+\S+:|\s*$|##\[)")
# The job or a step said that it failed. None of these says why.
FAILURE_POINT = AnyOf(
    r"##\[error\]|^(?:Error: )?Process completed with exit code [1-9]|^make(?:\[\d+\])?: \*\*\* "
    r"|^ninja: build stopped|^Finished: (?:FAILURE|ABORTED|UNSTABLE)|^BUILD FAILED|BUILD FAILURE"
    r"|^npm (?:ERR!|error) (?:code|errno) |^ERROR: (?:Job failed|script returned exit code)|^error Command failed"
    r"|exited with (?:code|status) [1-9]|^exit status [1-9]|^FAILED \((?:failures|errors)=|^=+ .*\d+ failed"
    r"|^Tests:\s+\d+ failed|^test result: FAILED|^FAIL$|^Lint failed|^ERROR: failed to (?:solve|build)"
    r"|^Cleaning up project directory and file based variables"
)
_SUCCESS = AnyOf(
    r"^Finished: SUCCESS|^BUILD SUCCESS|BUILD SUCCESSFUL|^Job succeeded|^Apply complete!|\] BUILD SUCCESS"
    r"|^=+ \d+ passed(?!.*(?:failed|error))|^(?:\w+ )*(?:deployment|deploy|rollout|release|pipeline|build|job)"
    r" (?:finished |completed |was )?succe(?:ssful|ssfully|eded)|successfully rolled out|^Destroy complete!"
    r"|^No changes\. |^All checks passed|^Success! |^Test Suites: \d+ passed|^test result: ok|completed successfully\.?$",
    fold=True,
)
_EPILOGUE = AnyOf(
    r"^Post job cleanup|^Cleaning up orphan processes|^Complete job name|^\[Post\] |^\[Pipeline\] (?:post|End of Pipeline)"
    r"|^Uploading artifacts for failed job|^##\[group\]Post |\[Pipeline\] \{ \(Declarative: Post Actions\)"
    r"|^\++ \w*(?:epilogue|cleanup|teardown|on_exit|at_exit)\b|^Cleaning up project directory"
)
_TELLING = Screen((*FAILURE_POINT.patterns, *_SUCCESS.patterns, *_EPILOGUE.patterns))
_XTRACE = re.compile(r"^\+{1,6} \S")
# A finished step of a wrapper that announces how each ended.
_STEP_OUTCOME = re.compile(r"##\[end-action .*outcome=(\w+)")


@dataclass(slots=True)
class Place:
    """The state of the job at the current line, and the points to which candidates are compared."""

    step: int = 0
    steps_seen: bool = False
    in_listing: bool = False
    listed: int = 0
    """Lines of the current listing."""
    in_settings: bool = False
    """True in the part of a listing that names its inputs and variables."""
    in_epilogue: bool = False
    epilogue_from: int = 0
    failed_steps: dict[int, int] = field(default_factory=dict)
    """Step → line at which it said that it failed; the first 500."""
    failure_points: list[int] = field(default_factory=list)
    """The first 500, and in :attr:`last_failure` the last."""
    last_failure: int = 0
    last_success: int = 0
    closed_by_markers: bool = False
    """True when this kind of log marks every failing step, so that an unmarked step went well."""

    @property
    def marks(self) -> tuple[int, int, int, bool, bool]:
        """What a line may have moved."""
        return self.step, self.last_failure, self.last_success, self.in_listing, self.in_epilogue

    def note(self, line: Line) -> bool:
        """Take the line in. False when no reader should see it: a listing or a trace of commands."""
        text = line.marked
        if text.startswith(("##[", "[Pipeline]")) or "section_start" in text:
            self._marker(text)
        if self.in_listing and not line.echoed:
            self._listing(text)
        if self.in_listing or line.echoed:
            return False
        if _XTRACE.match(text):
            self._epilogue(line)
            return False
        if not _TELLING.passes(text):
            return True
        low = text.lower()
        if FAILURE_POINT.found(text, low):
            self._failed(line)
        elif _SUCCESS.found(text, low):
            self.last_success = line.no
        self._epilogue(line)
        return True

    def _listing(self, text: str) -> None:
        self.listed += 1
        if (self.in_settings and not _SETTING.match(text)) or self.listed > _LONGEST_LISTING:
            self.in_listing = self.in_settings = False
        elif _SETTINGS.match(text):
            self.in_settings = True

    def _marker(self, text: str) -> None:
        if _STEP.search(text):
            self.step += 1
            self.steps_seen = True
            if not text.startswith(("##[group]Post", "[Pipeline] { (Declarative: Post")):
                self.in_epilogue = False
        if _SCRIPT_LISTING.search(text):
            self.in_listing, self.in_settings, self.listed = True, False, 0
        elif _END_OF_LISTING.search(text) or text.startswith("##[error]"):
            self.in_listing = False
        if _STEP_OUTCOME.search(text):
            self.step += 1

    def _failed(self, line: Line) -> None:
        self.last_failure = line.no
        if line.mark == "error":
            self.closed_by_markers = True
        if len(self.failure_points) < 500:  # noqa: PLR2004
            self.failure_points.append(line.no)
            self.failed_steps.setdefault(self.step, line.no)

    def _epilogue(self, line: Line) -> None:
        if not self.in_epilogue and _EPILOGUE.found(line.marked, line.marked.lower()):
            self.in_epilogue = True
            self.epilogue_from = line.no
