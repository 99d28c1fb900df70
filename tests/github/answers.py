"""What the GitHub on loopback answers to each request, and what it remembers of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.github import shapes
from tests.github.shapes import REPOSITORY, Json

if TYPE_CHECKING:
    from tests.github.server import GitHub


@dataclass
class RefusedError(Exception):
    """An answer that is no success."""

    status: int
    message: str


class Answers:
    """One method per described operation: status, JSON (a text is a redirect), and the list's key."""

    server: GitHub
    query: dict[str, str]
    body: Json
    login: str

    # issues

    def issue(self, number: str) -> tuple[int, Json]:
        if int(number) not in self.server.issues:
            raise RefusedError(404, "Not Found")
        return 200, self.server.issues[int(number)]

    def edit_issue(self, number: str) -> tuple[int, Json]:
        found = self.issue(number)[1]
        if "labels" in self.body:
            self.body["labels"] = [shapes.label(self.server.url, name) for name in self.body["labels"]]
        found.update(self.body, updated_at=self.server.stamp())
        return 200, found

    def issue_comments(self, number: str) -> tuple[int, list[Json]]:
        url = self.issue(number)[1]["url"]
        since = self.query.get("since", "")
        on = [c for c in self.server.comments if c["issue_url"] == url and c["updated_at"] >= since]
        return 200, sorted(on, key=lambda comment: comment["id"])

    def make_comment(self, number: str) -> tuple[int, Json]:
        if self.issue(number)[1]["locked"]:
            raise RefusedError(403, "Unable to create comment because issue is locked.")
        return 201, self.server.say(self.login, self.body["body"], on=int(number))

    def edit_comment(self, number: str) -> tuple[int, Json]:
        found = next((c for c in self.server.comments if c["id"] == int(number)), None)
        if found is None:
            raise RefusedError(404, "Not Found")
        self.server.edit(found, self.body["body"])
        return 200, found

    def permission(self, login: str) -> tuple[int, Json]:
        return 200, shapes.permission(self.server.url, login, self.server.roles.get(login, "none"))

    # deployments and statuses

    def known(self, ref: str) -> None:
        if self.server.commits is not None and ref not in self.server.commits:
            raise RefusedError(422, f"No commit found for SHA: {ref}")

    def list_deployments(self) -> tuple[int, list[Json]]:
        wanted = {key: self.query[key] for key in ("environment", "sha", "ref", "task") if key in self.query}
        found = [d for d in self.server.deployments if all(d[key] == wanted[key] for key in wanted)]
        return 200, found[::-1]

    def make_deployment(self) -> tuple[int, Json]:
        self.known(self.body["ref"])
        server = self.server
        number = 301 + len(server.deployments)
        ref = self.body["ref"]
        made = shapes.deployment(server.url, number, self.body, ref, self.login, server.stamp())
        server.deployments.append(made)
        server.deployment_statuses[number] = []
        return 201, made

    def list_deployment_statuses(self, number: str) -> tuple[int, list[Json]]:
        return 200, self.server.deployment_statuses[int(number)][::-1]

    def make_deployment_status(self, number: str) -> tuple[int, Json]:
        server = self.server
        on = next((d for d in server.deployments if d["id"] == int(number)), None)
        if on is None:
            raise RefusedError(404, "Not Found")
        statuses = server.deployment_statuses[on["id"]]
        at = len(statuses) + 10 * on["id"]
        made = shapes.deployment_status(server.url, at, on, self.body, self.login, server.stamp())
        statuses.append(made)
        return 201, made

    def make_commit_status(self, sha: str) -> tuple[int, Json]:
        self.known(sha)
        server = self.server
        number = 701 + len(server.commit_statuses)
        made = shapes.commit_status(server.url, number, sha, self.body, self.login, server.stamp())
        server.commit_statuses.append(made)
        return 201, made

    def combined_status(self, sha: str) -> tuple[int, Json]:
        self.known(sha)
        url = f"{self.server.url}/repos/{REPOSITORY}"
        on = [s for s in self.server.commit_statuses if s["url"].endswith(f"/{sha}")]
        latest = list({status["context"]: status for status in on}.values())
        told = [{k: v for k, v in s.items() if k != "creator"} for s in latest]
        return 200, {
            "state": latest[-1]["state"] if latest else "pending",
            "sha": sha,
            "total_count": len(told),
            "statuses": told,
            "repository": shapes.repository(self.server.url),
            "commit_url": f"{url}/commits/{sha}",
            "url": f"{url}/commits/{sha}/status",
        }

    # Actions

    def user(self) -> tuple[int, Json]:
        return 200, shapes.account(self.server.url, self.login, self.server.stamp())

    def repository(self) -> tuple[int, Json]:
        return 200, shapes.repository(self.server.url)

    def workflow(self, named: str) -> tuple[int, Json]:
        for workflow in self.server.workflows:
            if named in (str(workflow["id"]), workflow["path"].rsplit("/", 1)[1]):
                return 200, workflow
        raise RefusedError(404, "Not Found")

    def list_workflows(self) -> tuple[int, list[Json], str]:
        return 200, self.server.workflows, "workflows"

    def dispatch(self, named: str) -> tuple[int, Json | None]:
        self.workflow(named)
        run = self.server.start(self.body.get("inputs") or {}, self.body["ref"])
        if not self.body.get("return_run_details"):
            return 204, None
        return 200, {"workflow_run_id": run["id"], "run_url": run["url"], "html_url": run["html_url"]}

    def list_runs(self, named: str = "") -> tuple[int, list[Json], str]:
        if named:
            self.workflow(named)
        shown = []
        for run in self.server.runs[::-1]:
            self.server.looks[run["id"]] += run["status"] != "completed"
            if self.server.looks[run["id"]] > self.server.hidden_for:
                shown.append(run)
        for key in ("status", "event"):
            wanted = self.query.get(key)
            shown = [run for run in shown if not wanted or wanted in (run[key], run["conclusion"])]
        return 200, shown, "workflow_runs"

    def run(self, number: str) -> tuple[int, Json]:
        for run in self.server.runs:
            if run["id"] == int(number):
                return 200, self.server.look(run)
        raise RefusedError(404, "Not Found")

    def jobs(self, number: str) -> tuple[int, list[Json], str]:
        run = next(run for run in self.server.runs if run["id"] == int(number))
        return 200, [shapes.job(self.server.url, run)], "jobs"

    def job_log(self, number: str) -> tuple[int, str]:
        run = int(number) // 10
        if run not in self.server.logs:
            raise RefusedError(404, "Not Found")
        return 302, f"{self.server.storage_url}/{run}"

    def cancel(self, number: str) -> tuple[int, Json]:
        run = next(run for run in self.server.runs if run["id"] == int(number))
        if run["status"] == "completed":
            raise RefusedError(409, "Cannot cancel a workflow run that is completed.")
        run.update(status="completed", conclusion="cancelled", updated_at=self.server.stamp())
        self.server.logs[run["id"]] = "The operation was canceled.\n"
        return 202, {}


ROUTES: tuple[tuple[str, Any], ...] = (
    (r"GET /user", Answers.user),
    (r"GET ", Answers.repository),
    (r"GET /issues/(\d+)", Answers.issue),
    (r"PATCH /issues/(\d+)", Answers.edit_issue),
    (r"GET /issues/(\d+)/comments", Answers.issue_comments),
    (r"POST /issues/(\d+)/comments", Answers.make_comment),
    (r"PATCH /issues/comments/(\d+)", Answers.edit_comment),
    (r"GET /collaborators/([^/]+)/permission", Answers.permission),
    (r"GET /deployments", Answers.list_deployments),
    (r"POST /deployments", Answers.make_deployment),
    (r"GET /deployments/(\d+)/statuses", Answers.list_deployment_statuses),
    (r"POST /deployments/(\d+)/statuses", Answers.make_deployment_status),
    (r"POST /statuses/(\w+)", Answers.make_commit_status),
    (r"GET /commits/(\w+)/status", Answers.combined_status),
    (r"GET /actions/workflows", Answers.list_workflows),
    (r"GET /actions/workflows/([^/]+)", Answers.workflow),
    (r"POST /actions/workflows/([^/]+)/dispatches", Answers.dispatch),
    (r"GET /actions/workflows/([^/]+)/runs", Answers.list_runs),
    (r"GET /actions/runs", Answers.list_runs),
    (r"GET /actions/runs/(\d+)", Answers.run),
    (r"GET /actions/runs/(\d+)(?:/attempts/\d+)?/jobs", Answers.jobs),
    (r"GET /actions/jobs/(\d+)/logs", Answers.job_log),
    (r"POST /actions/runs/(\d+)/cancel", Answers.cancel),
)
