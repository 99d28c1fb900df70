# ruff: noqa: E501, ISC004 - the lines of logs are long
"""What surrounds a failure in real logs: seeded filler, full of words that mislead a search for errors."""

from __future__ import annotations

import random
from collections.abc import Callable

WORDS = [
    "order",
    "cart",
    "user",
    "auth",
    "billing",
    "invoice",
    "stock",
    "search",
    "mail",
    "report",
    "export",
    "image",
    "video",
    "queue",
    "worker",
    "gateway",
]
PACKAGES = [
    "lodash",
    "chalk",
    "semver",
    "debug",
    "glob",
    "minimist",
    "commander",
    "yargs",
    "express",
    "axios",
    "react",
    "vue",
    "webpack",
    "babel",
    "eslint",
    "jest",
    "errno",
    "error-ex",
    "http-errors",
    "fatal-logger",
    "fail-fast",
    "retry",
    "abort-controller",
]


def _npm(r: random.Random) -> str:
    name = r.choice(PACKAGES)
    return r.choice(
        [
            f"npm warn deprecated {name}@{r.randint(0, 9)}.{r.randint(0, 20)}.0: this version is no longer supported",
            f"npm http fetch GET 200 https://registry.npmjs.org/{name} {r.randint(20, 900)}ms (cache hit)",
            f"reify:{name}: timing reifyNode:node_modules/{name} Completed in {r.randint(10, 999)}ms",
            "found 0 vulnerabilities",
        ]
    )


def _pip(r: random.Random) -> str:
    name = r.choice(
        ["requests", "urllib3", "numpy", "exceptiongroup", "attrs", "pytest-timeout", "failure-report"]
    )
    return r.choice(
        [
            f"Collecting {name}>={r.randint(1, 9)}.{r.randint(0, 30)}",
            f"  Downloading {name}-{r.randint(1, 9)}.{r.randint(0, 30)}.0-py3-none-any.whl ({r.randint(10, 900)} kB)",
            f"Requirement already satisfied: {name} in ./venv/lib/python3.11/site-packages (1.{r.randint(0, 9)})",
        ]
    )


def _setup(r: random.Random) -> str:
    return r.choice(
        [
            "##[group]Run actions/checkout@v4",
            "##[endgroup]",
            "with:",
            "  if-no-files-found: error",
            "  continue-on-error: false",
            "shell: /usr/bin/bash --noprofile --norc -e -o pipefail {0}",
            f"  ERROR_REPORTING_URL: https://errors.example/{r.randint(1, 99)}",
            f"Temporarily overriding HOME='/home/runner/work/_temp/{r.getrandbits(64):016x}' before making global changes",
            f" * [new branch]          fix/error-page-{r.randint(1, 999)} -> origin/fix/error-page",
            f'\x1b[36;1mif [ $? -ne 0 ]; then echo "error: step {r.randint(1, 9)} failed"; exit 1; fi\x1b[0m',
        ]
    )


def _compile(r: random.Random) -> str:
    a, b = (
        r.choice(WORDS),
        r.choice(["error_handler", "failure_policy", "retry", "parser", "abort_signal", "io"]),
    )
    return f"[{r.randint(1, 900)}/900] Building CXX object src/{a}/CMakeFiles/{a}.dir/{b}_{r.randint(1, 40)}.cpp.o"


def _pytest(r: random.Random) -> str:
    name = r.choice(
        [
            "rejects_invalid_token",
            "raises_error_on_empty",
            "timeout_is_retried",
            "adds",
            "parses",
            "fails_closed",
        ]
    )
    return f"tests/test_{r.choice(WORDS)}.py::test_{name}_{r.randint(1, 400)} PASSED [ {r.randint(1, 99)}%]"


def _java(r: random.Random) -> str:
    name = r.choice(WORDS)
    return r.choice(
        [
            f"[INFO] Compiling {r.randint(1, 90)} source files to /build/{name}/target/classes",
            f"[INFO] Tests run: {r.randint(1, 90)}, Failures: 0, Errors: 0, Skipped: {r.randint(0, 2)}, Time elapsed: 0.{r.randint(1, 999)} s"
            f" - in com.acme.{name}.ErrorHandlerTest",
            f"Downloaded from central: https://repo.maven.apache.org/maven2/com/acme/{name}/1.{r.randint(0, 9)}/{name}.jar (120 kB at 2.1 MB/s)",
            f"[WARNING] {name}.java uses unchecked or unsafe operations.",
        ]
    )


def _gradle(r: random.Random) -> str:
    return f"> Task :{r.choice(WORDS)}:{r.choice(['compileJava', 'processResources', 'errorprone', 'test', 'jar'])} {r.choice(['', 'UP-TO-DATE', 'NO-SOURCE', 'FROM-CACHE'])}"


def _go(r: random.Random) -> str:
    return r.choice(
        [
            f"ok  \tgithub.com/acme/{r.choice(WORDS)}/errors\t0.{r.randint(1, 999)}s",
            f"=== RUN   TestReturnsError/{r.choice(WORDS)}_{r.randint(1, 99)}",
            f"--- PASS: TestReturnsError/{r.choice(WORDS)}_{r.randint(1, 99)} (0.00s)",
            f"go: downloading github.com/pkg/errors v0.{r.randint(1, 9)}.1",
        ]
    )


def _cargo(r: random.Random) -> str:
    return f"   Compiling {r.choice(['thiserror', 'anyhow', 'fail', 'serde', 'tokio', 'panic-handler'])} v{r.randint(0, 3)}.{r.randint(0, 30)}.{r.randint(0, 9)}"


def _docker(r: random.Random) -> str:
    n = r.randint(3, 20)
    return r.choice(
        [
            f"#{n} {r.randint(0, 90)}.{r.randint(100, 999)} Get:{r.randint(1, 90)} http://deb.debian.org/debian bookworm/main amd64 libgpg-error0 amd64 1.46-1 [76.5 kB]",
            f"#{n} {r.randint(0, 90)}.{r.randint(100, 999)} Setting up liberror-perl (0.17029-{r.randint(1, 9)}) ...",
            f"#{n} sha256:{r.getrandbits(256):064x} {r.randint(1, 30)}.00MB / 30.00MB {r.randint(1, 9)}.{r.randint(0, 9)}s",
            f"#{n} CACHED",
        ]
    )


def _terraform(r: random.Random) -> str:
    kind = r.choice(["aws_instance", "aws_s3_bucket", "aws_cloudwatch_metric_alarm", "aws_iam_role"])
    name = r.choice(["web", "errors_5xx", "failed_logins", "data", "logs"])
    return r.choice(
        [
            f"{kind}.{name}[{r.randint(0, 40)}]: Refreshing state... [id=i-{r.getrandbits(64):017x}]",
            f"{kind}.{name}[{r.randint(0, 40)}]: Still creating... [{r.randint(1, 9)}0s elapsed]",
            f"{kind}.{name}[{r.randint(0, 40)}]: Creation complete after {r.randint(1, 59)}s [id=i-{r.getrandbits(64):017x}]",
        ]
    )


def _tfjson(r: random.Random) -> str:
    return (
        f'{{"@level":"info","@message":"aws_cloudwatch_metric_alarm.errors[{r.randint(0, 99)}]: Refreshing state... '
        f'[id=alarm-{r.getrandbits(32):08x}]","@module":"terraform.ui","@timestamp":"2026-03-04T10:{r.randint(10, 59)}:'
        f'{r.randint(10, 59)}.{r.randint(100000, 999999)}Z","type":"refresh_start"}}'
    )


def _kubectl(r: random.Random) -> str:
    name = r.choice(WORDS)
    return r.choice(
        [
            f"{name}-{r.getrandbits(40):010x}-x{r.randint(100, 999)}   1/1     Running   0          {r.randint(1, 90)}d",
            f"deployment.apps/{name} unchanged",
            f'Waiting for deployment "{name}" rollout to finish: {r.randint(0, 2)} of 3 updated replicas are available...',
        ]
    )


def _service(r: random.Random) -> str:
    name = r.choice(WORDS)
    return r.choice(
        [
            f"INFO  [{name}] request {r.getrandbits(64):016x} handled in {r.randint(1, 300)} ms status=200 errors=0",
            f"DEBUG [{name}] cache miss for key error:{r.randint(1, 9999)}, loading",
            f"WARN  [{name}] slow query took {r.randint(500, 3000)} ms (threshold 500), not failing",
            f'10.0.{r.randint(0, 255)}.{r.randint(0, 255)} - - "GET /{name}/error-codes HTTP/1.1" 200 {r.randint(100, 9999)}',
        ]
    )


def _jenkins(r: random.Random) -> str:
    return r.choice(
        [
            "[Pipeline] sh",
            f"+ ./scripts/check_errors.sh --max-failures {r.randint(1, 9)} {r.choice(WORDS)}",
            "[Pipeline] }",
            f"Fetching upstream changes from https://git.example/acme/{r.choice(WORDS)}.git",
            f" > git rev-parse refs/remotes/origin/main^{{commit}} # timeout={r.randint(5, 20)}",
        ]
    )


def _progress(r: random.Random) -> str:
    return "\r".join(
        f"Downloading model {p:3d}%|{'#' * (p // 10):<10}| eta {100 - p}s"
        for p in range(0, 101, r.randint(3, 9))
    )


KINDS: dict[str, Callable[[random.Random], str]] = {
    "npm": _npm,
    "pip": _pip,
    "setup": _setup,
    "compile": _compile,
    "pytest": _pytest,
    "java": _java,
    "gradle": _gradle,
    "go": _go,
    "cargo": _cargo,
    "docker": _docker,
    "terraform": _terraform,
    "tfjson": _tfjson,
    "kubectl": _kubectl,
    "service": _service,
    "jenkins": _jenkins,
    "progress": _progress,
}


def noise(kind: str, lines: int, r: random.Random) -> list[str]:
    """``lines`` lines of one kind."""
    return [KINDS[kind](r) for _ in range(lines)]
