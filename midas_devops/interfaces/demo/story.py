"""The six steps of the demo. Each runs real commands and checks what they did."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.request import ProxyHandler, Request, build_opener

from midas_devops.interfaces.demo.answers import Answers
from midas_devops.interfaces.demo.project import DemoProject
from midas_devops.interfaces.demo.screen import Screen, member, members, strings
from midas_devops.interfaces.demo.shell import DemoFailedError, Finished, Shell

REQUESTED_BY = "demo developer"
TRUE_CAUSE = "no such column: currency"
MISLEADING = ("network_or_timeout", "resource_exhaustion", "test_failure", "unknown")
"""Categories that would send a person the wrong way."""
DATABASE = "module.database.terraform_data.database"
_SUCCEEDED, _WAITS, _BLOCKED, _ROLLED_BACK = 0, 3, 4, 5


class DeclinedError(DemoFailedError):
    """The person said no, and the rest of the demo needs a yes."""


@dataclass(frozen=True)
class Story:
    """The demo's steps on one project."""

    project: DemoProject
    shell: Shell
    screen: Screen
    answers: Answers

    def staging_infrastructure(self) -> None:
        self.screen.headline(
            1,
            "Staging infrastructure",
            "Terraform plans and applies for real (embedded, no binary, no cloud account): terraform_data"
            " resources, a real state file.\nNothing is applied before a person has approved this very plan.",
        )
        self._apply_infrastructure("staging", "four new resources, nothing goes")

    def first_release(self) -> None:
        self.screen.headline(
            2,
            "v1.0.0 goes to staging",
            "Its tests and a security scanner run on exactly that commit; the gates read their reports.",
        )
        self._measure("v1.0.0")
        run = self._release("staging", "v1.0.0", "tests and scan of this commit passed")
        self._serves("staging", "v1.0.0")
        self.screen.good(f"v1.0.0 is verified on staging: {run.get('url') or self.project.url('staging')}")
        for item, quantity in (("tea", 2), ("cake", 1)):
            self._post("staging", {"item": item, "quantity": quantity, "price_cents": 450})
        self.screen.says("    two orders are placed there, so that staging has data of v1.0.0 from now on")

    def promotion(self) -> None:
        self.screen.headline(
            3,
            "Promotion to production",
            "Only what is verified on staging may go there. The run stops at its interrupt; the answer\n"
            "comes in a new process, which continues from the stored checkpoint.",
        )
        self._apply_infrastructure("production", "the same modules that work on staging")
        run = self._release("production", "v1.0.0", "verified on staging, gates passed for this commit")
        self._serves("production", "v1.0.0")
        self.screen.good(f"v1.0.0 serves production: {run.get('url') or self.project.url('production')}")

    def bad_release(self) -> str:
        self.screen.headline(
            4,
            "v1.1.0 passes its tests, and fails in the real world",
            "Tests start with an empty database. Staging has one already.",
        )
        self._measure("v1.1.0")
        ended = self._answered(
            self._ask("deploy", "staging", "v1.1.0"), "approve", "tests and scan passed", (_ROLLED_BACK,)
        )
        run = ended.document
        self._explain(run)
        self._serves("staging", "v1.0.0")
        kept = len(members(self._get("staging", "/orders"), "orders"))
        self._check(kept == 2, f"both orders are still there, {kept} found")  # noqa: PLR2004 - as placed above
        self.screen.good("v1.0.0 serves staging again, verified; both orders are still there; exit code 5")
        self.screen.says("\nThe bad version stays blocked for staging until a person lifts it:")
        blocked = self._devops("deploy", "staging", "v1.1.0", expect=(_BLOCKED,))
        self.screen.good(f"blocked, exit code 4: {blocked.document.get('reason')}")
        return str(run["run_id"])

    def dangerous_change(self) -> None:
        self.screen.headline(
            5,
            "v1.2.0 removes the production database's block",
            "No 'destroy' anywhere, an ordinary apply of an ordinary commit. The guard reads the plan.",
        )
        self.project.check_out("v1.2.0")
        stopped = self._devops("infra", "apply", "infra/production", expect=(_WAITS, _BLOCKED))
        run = stopped.document
        named = {*strings(member(run, "pending"), "addresses"), *strings(member(run, "plan"), "protected")}
        self._check(DATABASE in named, f"the guard names {DATABASE}")
        self.screen.bad("the guard stopped apply; it would destroy:")
        self.screen.quote(sorted(named))
        if stopped.code == _WAITS:
            self.screen.waiting(run)
            self._answered(
                stopped,
                "reject",
                "the orders of production are in there",
                (_BLOCKED,),
                otherwise=(_SUCCEEDED,),
            )
        self.project.check_out("v1.0.0")

    def _apply_infrastructure(self, environment: str, reason: str) -> None:
        ended = self._ask("infra", "apply", f"infra/{environment}")
        run = self._answered(ended, "approve", reason, (_SUCCEEDED,)).document
        outputs = member(member(run, "outcome"), "outputs")
        self._check(bool(outputs.get("url")), "the output 'url' was read")
        self._check("database_connection" not in outputs, "the sensitive output stays out of the run")
        self.screen.good("applied; its outputs (the sensitive one is left out):")
        self.screen.facts((name, str(value)) for name, value in outputs.items())

    def _measure(self, version: str) -> None:
        commit = self.project.commits[version]
        tree = self.project.worktree(version)
        reports = self.project.folder / "reports" / commit
        reports.mkdir(parents=True, exist_ok=True)
        self.screen.says(f"{version} is commit {commit}; its reports go to reports/{commit[:12]}…/")
        self.shell.tool("pytest", "-q", f"--junitxml={reports / 'junit.xml'}", folder=tree)
        scan = ["-q", "-f", "sarif", "-o", str(reports / "bandit.sarif"), "-r", "app.py", "orders"]
        self.shell.tool("bandit", *scan, folder=tree)

    def _release(self, environment: str, version: str, reason: str) -> Mapping[str, object]:
        waiting = self._ask("deploy", environment, version)
        gates = members(waiting.document, "gates")
        self._check(bool(gates), "gates were checked")
        self._check(all(gate.get("verdict") == "passed" for gate in gates), "all gates passed")
        return self._answered(waiting, "approve", reason, (_SUCCEEDED,)).document

    def _ask(self, *words: str) -> Finished:
        ended = self._devops(*words, expect=(_WAITS,))
        self.screen.waiting(ended.document)
        return ended

    def _devops(self, *words: str, expect: Sequence[int]) -> Finished:
        return self.shell.devops(*words, "--requested-by", REQUESTED_BY, expect=expect)

    def _answered(
        self,
        waiting: Finished,
        suggested: Literal["approve", "reject"],
        reason: str,
        expect: Sequence[int],
        *,
        otherwise: Sequence[int] = (),
    ) -> Finished:
        """Answer in a new process. ``otherwise``: exit codes when a person decides against the suggestion."""
        run_id = str(waiting.document["run_id"])
        digest = str(member(waiting.document, "pending")["digest"])
        answer = self.answers.answer(suggested, reason)
        as_suggested = answer.decision == suggested
        words = ["runs", answer.decision, run_id, "--by", answer.by, "--reason", answer.reason]
        if answer.decision == "approve":
            words += ["--digest", digest]
        codes = expect if as_suggested else otherwise or (_BLOCKED,)
        ended = self.shell.devops(*words, expect=codes)
        self.screen.says(
            f"    asked by process {waiting.pid}, continued by process {ended.pid}, exit code {ended.code}",
            style="dim",
        )
        if not as_suggested and not otherwise:
            raise DeclinedError("you said no, and nothing was done; the rest of the demo needs a yes")
        return ended

    def _explain(self, run: Mapping[str, object]) -> None:
        diagnosis = member(run, "diagnosis")
        spans = members(diagnosis, "spans")
        self.screen.bad(f"{diagnosis.get('category')}: {diagnosis.get('summary')}")
        for span in spans:
            self.screen.says(
                f"    {span.get('file')}, lines {span.get('first_line')}-{span.get('last_line')}:"
            )
            self.screen.quote(str(span.get("text", "")).splitlines())
        self.screen.facts(("mend it", remedy) for remedy in strings(diagnosis, "remedies"))
        recovery = member(run, "recovery")
        self.screen.facts([("recovery", f"{recovery.get('kind')}: {recovery.get('reason')}")])
        quoted = " ".join(str(span.get("text", "")) for span in spans)
        self._check(TRUE_CAUSE in quoted, f"the diagnosis quotes '{TRUE_CAUSE}'")
        named = json.dumps([diagnosis.get("summary"), diagnosis.get("causes")])
        self._check(TRUE_CAUSE in named, f"the diagnosis names '{TRUE_CAUSE}' as the cause")
        category = diagnosis.get("category")
        self._check(category not in MISLEADING, f"a missing column is not taken for {category}")

    def _serves(self, environment: str, version: str) -> None:
        said = self._get(environment, "/version")
        commit = self.project.commits[version]
        self._check(
            (said.get("version"), said.get("commit")) == (version, commit),
            f"{environment} answers with {version} at {commit[:12]}, it said {said}",
        )

    def _get(self, environment: str, path: str) -> Mapping[str, object]:
        return self._http(Request(self.project.url(environment) + path))  # noqa: S310 - loopback

    def _post(self, environment: str, body: Mapping[str, object]) -> None:
        url = f"{self.project.url(environment)}/orders"
        self._http(Request(url, json.dumps(body).encode(), method="POST"))  # noqa: S310 - loopback

    def _http(self, request: Request) -> Mapping[str, object]:
        # A proxy of the environment has no way to our loopback.
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=10) as response:
                answer = json.load(response)
        except (OSError, ValueError) as error:
            raise DemoFailedError(f"tried {request.full_url}: {error}") from error
        return answer if isinstance(answer, dict) else {}

    def _check(self, holds: bool, what: str) -> None:
        if not holds:
            raise DemoFailedError(
                f"expected that {what}; it is not so",
                hint="the run's report under .midas tells what happened",
                location=str(self.project.folder),
            )
