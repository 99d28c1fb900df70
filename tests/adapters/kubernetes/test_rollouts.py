"""Deploying to a real API server: what goes wrong is named, what somebody else owns is left alone."""

from __future__ import annotations

import json

import pytest

from midas_devops.errors import ToolError
from tests.adapters.kubernetes.place import Place, manifest

pytestmark = pytest.mark.slow


def _silent(_: str) -> None:
    return None


def _evidence(place: Place, result: object) -> str:
    return "\n".join(place.artifacts.get(ref).decode() for ref in result.logs)  # type: ignore[attr-defined]


# what stands in the way


@pytest.mark.parametrize(
    ("mode", "code", "words"),
    [
        ("crashes", "crash_loop", "CrashLoopBackOff"),
        ("pulls", "image_pull_failed", "ImagePullBackOff"),
        ("unmade", "container_config", 'secret "orders-db" not found'),
        ("unready", "health_check_failed", "readiness probe"),
    ],
)
def test_what_fails_is_named_by_a_closed_code_and_in_the_kubelets_words(
    place: Place, mode: str, code: str, words: str
) -> None:
    place.deployer().deploy(place.first, _silent)
    result = place.deployer().deploy(place.release("v4", mode), _silent)
    assert result.failure is not None
    assert result.failure.code == code
    assert words in result.failure.message
    assert words in _evidence(place, result)
    assert result.serving is not None
    assert result.serving.commit == place.first.commit == place.answer()


def test_the_last_words_of_a_crashed_container_are_evidence(place: Place) -> None:
    place.cluster.write("Traceback (most recent call last):\nKeyError: 'DATABASE_URL'\n")
    result = place.deployer().deploy(place.release("v4", "crashes"), _silent)
    assert "KeyError: 'DATABASE_URL'" in _evidence(place, result)
    assert all(ref.private for ref in result.logs)


def test_pods_that_fit_on_no_node_are_unschedulable(place: Place) -> None:
    more = "        resources:\n          requests:\n            cpu: 400\n"
    result = place.deployer().deploy(place.release("v4", more=more), _silent)
    assert result.failure is not None
    assert result.failure.code == "unschedulable"
    assert "Insufficient cpu" in result.failure.message
    assert "FailedScheduling" in _evidence(place, result)


def test_pods_over_the_quota_are_refused(place: Place) -> None:
    place.kubectl("create", "quota", "small", "--hard=pods=1")
    result = place.deployer().deploy(place.first, _silent)
    assert result.failure is not None
    assert result.failure.code == "refused"
    assert "exceeded quota" in result.failure.message


def test_a_paused_rollout_is_said(place: Place) -> None:
    place.deployer().deploy(place.first, _silent)
    place.kubectl("rollout", "pause", "deployment/web")
    result = place.deployer(within="2s").deploy(place.second, _silent)
    assert result.failure is not None
    assert "paused" in result.failure.message


def test_an_object_that_the_server_does_not_take_is_refused_before_anything_changes(place: Place) -> None:
    bad = place.release("v4", replicas=-1)
    with pytest.raises(ToolError, match="replicas"):
        place.deployer().plan(bad)
    result = place.deployer().deploy(bad, _silent)
    assert result.failure is not None
    assert result.failure.code == "refused"
    assert place.deployer().status() is None


# whose fields they are


def test_fields_of_somebody_else_are_a_conflict_and_never_forced(place: Place) -> None:
    place.deployer().deploy(place.first, _silent)
    taken = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "web"},
        "data": {"release": "theirs"},
    }
    arguments = ("apply", "--server-side", "--field-manager=colleague", "--force-conflicts", "-f", "-")
    place.kubectl(*arguments, stdin=json.dumps(taken))
    with pytest.raises(ToolError, match="colleague"):
        place.deployer().plan(place.second)
    result = place.deployer().deploy(place.second, _silent)
    assert result.failure is not None
    assert result.failure.code == "conflict"
    assert "colleague" in result.failure.message
    assert place.json("get", "configmap", "web")["data"]["release"] == "theirs"


def test_what_we_apply_is_ours_by_name(place: Place) -> None:
    place.deployer().deploy(place.first, _silent)
    fields = place.json("get", "configmap", "web", "--show-managed-fields")["metadata"]["managedFields"]
    assert [each["manager"] for each in fields] == ["midas-devops"]


# what runs


def test_an_image_that_was_set_by_hand_is_no_release(place: Place) -> None:
    place.deployer().deploy(place.first, _silent)
    place.kubectl("set", "image", "deployment/web", "app=registry.example/web:hotfix")
    place.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    running = place.deployer().status()
    assert running is not None
    assert running.commit == ""
    assert running.version == "registry.example/web:hotfix"


def test_a_release_over_an_image_set_by_hand_says_whose_it_is(place: Place) -> None:
    place.deployer().deploy(place.first, _silent)
    place.kubectl("set", "image", "deployment/web", "app=registry.example/web:hotfix")
    result = place.deployer().deploy(place.second, _silent)
    assert result.failure is not None
    assert result.failure.code == "conflict"
    assert "kubectl-set" in result.failure.message


def test_a_new_revision_does_not_count_before_its_rollout_is_complete(place: Place) -> None:
    place.deployer().deploy(place.first, _silent)
    place.deployer(within="1s").deploy(place.unhealthy, _silent)
    running = place.deployer().status()
    assert running is not None
    assert running.commit == place.first.commit
    assert "another revision" in running.detail


def test_the_context_and_namespace_are_the_named_ones(place: Place) -> None:
    # The current context of this kubeconfig leads nowhere.
    assert place.deployer().deploy(place.first, _silent).failure is None
    assert place.cluster.kubectl("get", "deployments", "-n", "default", "-o", "name") == ""


def test_a_context_that_is_not_there_says_how_to_find_one(place: Place) -> None:
    with pytest.raises(ToolError, match="nowhere") as refused:
        place.deployer(context="nowhere-at-all").status()
    assert "get-contexts" in refused.value.hint


def test_a_cluster_that_cannot_be_reached_says_so(place: Place) -> None:
    with pytest.raises(ToolError) as refused:
        place.deployer(context="somebody-elses").status()
    assert "cluster-info" in refused.value.hint


def test_a_missing_right_is_named(place: Place) -> None:
    with pytest.raises(ToolError, match="forbidden") as refused:
        place.deployer(user="viewer").status()
    assert "can-i" in refused.value.hint


# the image alone


def test_without_manifests_the_image_of_the_container_is_set(place: Place) -> None:
    place.deployer().deploy(place.first, _silent)
    alone = place.deployer(manifests=())
    planned = alone.plan(place.second)
    assert any(place.second.commit in line for line in planned.effects)
    assert alone.deploy(place.second, _silent).failure is None
    assert place.answer() == place.second.commit


def test_rollback_undoes_to_the_revision_that_carries_the_commit(place: Place) -> None:
    place.deployer().deploy(place.first, _silent)
    alone = place.deployer(manifests=())
    alone.deploy(place.second, _silent)
    third = place.release("v4")
    alone.deploy(third, _silent)
    lines: list[str] = []
    result = place.deployer(manifests=()).rollback(place.first, lines.append)
    assert result.failure is None
    assert any("undo Deployment/web to revision 1" in line for line in lines)
    assert place.answer() == place.first.commit


def test_without_its_manifests_a_release_comes_back_by_its_revision(place: Place) -> None:
    place.deployer().deploy(place.first, _silent)
    place.deployer().deploy(place.second, _silent)
    gone = place.deployer(manifests=("elsewhere/*.yaml",))
    assert gone.rollback(place.first, _silent).failure is None
    assert place.answer() == place.first.commit


def test_without_manifests_and_revision_there_is_nothing_to_return_to(place: Place) -> None:
    place.deployer().deploy(place.first, _silent)
    result = place.deployer(manifests=("elsewhere/*.yaml",)).rollback(place.second, _silent)
    assert result.failure is not None
    assert result.failure.code == "nothing_to_return_to"
    assert place.answer() == place.first.commit


# the plan


def test_a_rollback_is_planned_by_the_manifests_of_its_commit(place: Place) -> None:
    for release in (place.first, place.second):
        place.deployer().deploy(release, _silent)
    planned = place.deployer().plan_rollback(place.first)
    assert "Deployment/web (changed)" in planned.effects[0]
    assert planned.details is not None
    added = [line for line in place.artifacts.get(planned.details).decode().splitlines() if line[:1] == "+"]
    assert any(f"image: registry.example/web:{place.first.commit}" in line for line in added)
    assert place.answer() == place.second.commit


@pytest.mark.parametrize("manifests", [(), ("elsewhere/*.yaml",)])
def test_a_rollback_is_planned_by_the_revision_that_carries_the_commit(
    place: Place, manifests: tuple[str, ...]
) -> None:
    for release in (place.first, place.second):
        place.deployer().deploy(release, _silent)
    deployer = place.deployer(manifests=manifests)
    undo, wait = deployer.plan_rollback(place.first).effects
    assert undo.startswith("undo Deployment/web in namespace")
    assert undo.endswith(f"to revision 1, which is {place.first.version}")
    assert wait.startswith("wait for its rollout")
    if not manifests:
        assert deployer.plan(place.first) == deployer.plan_rollback(place.first)
    assert place.answer() == place.second.commit


def test_what_no_manifest_and_no_revision_holds_cannot_be_planned(place: Place) -> None:
    place.deployer().deploy(place.first, _silent)
    with pytest.raises(ToolError, match="elsewhere"):
        place.deployer(manifests=("elsewhere/*.yaml",)).plan_rollback(place.second)


def test_the_plan_is_the_servers_own_difference(place: Place) -> None:
    place.deployer().deploy(place.first, _silent)
    planned = place.deployer().plan(place.second)
    assert planned.details is not None
    shown = place.artifacts.get(planned.details).decode()
    added = [line for line in shown.splitlines() if line.startswith("+")]
    assert any(f"image: registry.example/web:{place.second.commit}" in line for line in added)
    assert "ConfigMap/web (changed)" in planned.effects[0]
    assert "Service/web (unchanged)" in planned.effects[0]
    assert place.answer() == place.first.commit


def test_a_secret_does_not_show_in_the_difference(place: Place) -> None:
    secret = "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: db\nstringData:\n  password: tok-4711\n"
    planned = place.deployer().plan(place.release("v4", more=secret))
    assert planned.details is not None
    shown = place.artifacts.get(planned.details).decode()
    assert "Secret" in shown
    assert "tok-4711" not in shown
    assert "dG9rLTQ3MTE=" not in shown
    assert [path for path in place.root.rglob("kubectl-*") if path.is_dir()] == []


def test_manifests_of_the_commit_count_and_not_those_in_the_folder(place: Place) -> None:
    (place.root / "k8s/web.yaml").write_text(manifest("crashes"))
    assert place.deployer().deploy(place.first, _silent).failure is None


def test_a_namespace_that_is_not_there_is_said_before_anything_is_made(place: Place) -> None:
    with pytest.raises(ToolError, match="not found") as refused:
        place.deployer(namespace="nowhere-at-all").plan(place.first)
    assert "create namespace" in refused.value.hint
