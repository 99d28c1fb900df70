# ruff: noqa: E501, RUF001 (the patterns are the data)
"""Shapes of test runners and of the wrappers that only repeat an exit code."""

from __future__ import annotations

from midas_devops.domain.evidence import Category
from midas_devops.knowledge.structure.shapes import Shape, shape

_TEST = Category.TEST_FAILURE
_UNKNOWN = Category.UNKNOWN

RUNNER_SHAPES: tuple[Shape, ...] = (
    shape("shell", 66, _UNKNOWN, "A shell script failed", r"^(?:\S+: )?(?:\S+: )?line \d+: \S.*: \S|^(?:ba|z|da)?sh: (?:\d+: )?\S+: (?!line )\S",
          before=3, after=3, fixed=False),
    shape("test", 68, _TEST, "A test failed", r"^\s*--- FAIL: (\S+)", before=5, after=7, in_test=True),
    shape("test", 69, _TEST, "A test failed", r"^\s*[\w./-]+_test\.go:\d+: (.+)", before=3, after=6, in_test=True),
    shape("test", 70, _TEST, "A test failed", r"^\s*Error Trace:\s", before=2, after=8, in_test=True),
    shape("test", 70, _TEST, "A test failed", r"^\s*● (?!Console)(.+ › .+|Test suite failed to run)", before=1, after=12, in_test=True),
    shape("test", 69, _TEST, "A test failed", r"^\s*(?:❯ )?FAIL\s+(?:\|\w+\| )?\S+\.(?:test|spec)\.\w+ > .+", before=1, after=12, in_test=True),
    shape("test", 58, _TEST, "A test file failed", r"^\s*FAIL\s+\S+\.(?:[jt]sx?|mjs|cjs)\b", before=1, after=10, in_test=True),
    shape("test", 66, _TEST, "A test failed", r"^\s+\d+\) .+:?$(?<!ms\))", before=2, after=10, in_test=True),
    shape("test", 67, _TEST, "A test failed",
          r"^\[(?:ERROR|FAIL)\]\s+(?:\[1;31m)?[\w.$]+(?:Test|Tests|IT|Spec|TestCase)[\w$]*\.[\w\[\]]+:\d+", before=2, after=6, in_test=True),
    shape("test", 68, _TEST, "A test failed",
          r"^\[ERROR\] .*(?:<<< (?:FAILURE|ERROR)!)$|^[\w.$]+ > .+ FAILED$", before=1, after=8, in_test=True),
    shape("test", 68, _TEST, "A test failed", r"^\[  FAILED  \] [\w./]+(?: \(|,|$)", before=8, after=3, in_test=True),
    shape("test", 70, _TEST, "A test failed", r"\.(?:cc|cpp|cxx|h):\d+: Failure$|^\S+\.\w+:\d+: FAILED:$", before=1, after=8, in_test=True),
    shape("test", 68, _TEST, "A test failed", r"^thread '(?:[\w:]*test[\w:]*|[\w]+(?:::\w+)+)' (?:\(\d+\) )?panicked at ", before=2, after=6, in_test=True),
    shape("test", 50, _TEST, "A test failed", r"^test \S+ \.\.\. FAILED$", before=1, after=3, in_test=True),
    shape("test", 60, _TEST, "A test failed", r"^(?:FAILED|ERROR) \S+\.py(?:::\S+)*(?: - .+)?$", before=2, after=3, in_test=True),
    shape("test", 50, _TEST, "A test failed", r"^\S+\.py::\S+ (?:FAILED|ERROR)\b", before=1, after=4, in_test=True),
    shape("test", 62, _TEST, "A test failed", r"^(?:FAIL|ERROR): \w+ \([\w.]+\)|^(?:FAIL|ERROR): test\w*\b", before=1, after=12, in_test=True),
    shape("test", 64, _TEST, "A test failed", r"^not ok \d+ (?!.*# (?:TODO|SKIP))", before=1, after=10, in_test=True),
    shape("test", 64, _TEST, "A test failed", r"^\s*(?:✗|✕|✖|×) (?!\d+ problem)(?!.*\S {3,}\S)\S.*", before=1, after=8, in_test=True),
    shape("test", 66, _TEST, "A test failed", r"^\s+Failure/Error: |^rspec \./\S+:\d+ # |^\d+\) [A-Z][\w:\\]+(?:Test)?::\w+", before=2, after=8, in_test=True),
    shape("test", 64, _TEST, "A test failed", r"^\s*Failed (?!to )\S+ \[(?:<? ?\d+ m?s|\d+)", before=1, after=8, in_test=True),
    shape("test", 60, _TEST, "A test failed", r"^\s*\d+/\d+ Test +#\d+: .*\*\*\*(?:Failed|Exception|Timeout)", before=2, after=4, in_test=True),
    shape("test", 62, _TEST, "A documentation example failed", r"^Failed example:$|^File \".+\", line \d+, in [\w.]+$", before=1, after=8, in_test=True),
    shape("test", 55, _TEST, "Coverage is below its limit",
          r"(?:Required test coverage of|Coverage failure: total of|coverage threshold for \w+ \(\d|does not meet (?:global|\S+) threshold)",
          before=2, after=2, in_test=True),
)  # fmt: skip

CHECKSUM_SHAPES: tuple[Shape, ...] = (
    shape("checksum", 66, Category.DEPENDENCY_INSTALL, "A file is not the one that its checksum is of",
          r"^[^\s:]+: FAILED(?: open or read)?$|computed checksums? did NOT match", before=1, after=2),
)  # fmt: skip

WRAPPER_SHAPES: tuple[Shape, ...] = (
    shape(
        "wrapper", 14, _UNKNOWN, "A command ended with an error",
        r"Process completed with exit code|\bexited with (?:error )?(?:code|status)\b|^exit (?:code|status):? (?!124\b|13[479]\b)\d+|"
        r"returned (?:a )?non-?zero (?:exit )?(?:code|status)|exit status (?!124\b|13[479]\b)[1-9]|script returned exit code|"
        r"npm (?:ERR!|error) (?:code (?:1|ELIFECYCLE)$|errno|Lifecycle|Failed at|A complete log|path |command |"
        r"syscall |This is probably not|Exit status|\s+at |workspace |location )|^error Command failed|ELIFECYCLE|"
        r"^BUILD FAILED|BUILD FAILURE$|^Build failed$|Finished: (?:FAILURE|UNSTABLE)|^ERROR: Job failed|"
        r"The process '.+' failed with exit code|^Got exit code \d+|Bash exited with code|Command failed with exit code|"
        r"^\[ERROR\] ?(?:-> \[Help|To see the full|Re-run Maven|For more information|After correcting|\[Help \d\]|$)|"
        r"^FAILED \((?:failures|errors)=|^=+ .*\d+ (?:failed|error).* in [\d.]+s|^Test Suites: |^Tests: +\d+ (?:failed|total)|"
        r"^test result: FAILED|^FAIL$|^FAIL\s+\S+\s+(?:[\d.]+s|\[build failed\])$|^FAIL\s+\S+ \[setup failed\]|"
        r"Step script exited with code|Executing the custom container implementation failed|"
        r"^ERROR: failed to (?:solve|build): (?:failed to solve: )?(?:process|executor failed)|"
        r"Docker (?:build|pull) failed with exit code|did not complete successfully: exit code|"
        r"^RuntimeError: .* failed!$|^\S+(?: \d+/\d+)? failed!$|subprocess\.CalledProcessError|"
        r"^SystemExit: |^\s*> Task :\S+ FAILED|^FAILURE: Build failed with an exception|There were failing tests|"
        r"^\* (?:Try|Get more help)|^Execution failed for task|There are test failures|Tests run: \d+, Failures: [1-9]|"
        r"^Error: (?:Process completed|Command failed)|^Failed to build \w+$|^ERROR: Failed to build (?:one or more|installable)|"
        r"Could not build wheels for|ERROR: Could not build wheels|^test failed, to rerun pass|^error: test failed|"
        r"^\[Pipeline\] error|^Error: Terraform exited with code|The terraform process failed|^\d+ (?:failing|failed)\b|"
        r"^Exited with code exit status|^The command \".*\" exited with|Command exited with non-zero status|"
        r"command '.+' failed with (?:exit code|exit status)|hook declined|Job failed: |^ERR_PNPM_RECURSIVE|"
        r"^\s*(?:ERROR|Failed): .* run failed: command  exited|\bfailed with exit (?:code|status)\b|^error: Recipe ",
        wrapper=True, fixed=False, before=4, after=2,
    ),
)  # fmt: skip
