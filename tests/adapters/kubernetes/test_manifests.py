"""The objects of a release: read at its commit, filled in, refused where they lead somewhere else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from midas_devops.adapters.git import GitSource
from midas_devops.adapters.kubernetes.manifests import Manifests, in_slot
from midas_devops.adapters.kubernetes.workload import release_of
from midas_devops.config import KubernetesDeploy, load_settings
from midas_devops.errors import ConfigError, ToolError
from midas_devops.ports.deployer import Release
from tests.adapters.kubernetes.place import manifest
from tests.projects import project


def objects(
    root: Path, files: Mapping[str, str], *, version: str = "v1", **changes: Any
) -> list[dict[str, Any]]:
    """What would be applied for a commit of these files."""
    project(root, files)
    source = GitSource(root)
    given = {
        "context": "c",
        "namespace": "orders",
        "deployment": "web",
        "image": "registry.example/web:{version}",
        "manifests": ("k8s/*.yaml",),
    }
    settings = KubernetesDeploy.model_validate({"using": "kubernetes", **given, **changes})
    release = Release(run_id="run-1", environment="live", version=version, commit=source.head())
    return Manifests("live", settings, source, root / ".midas" / "scratch").of(release)


def one(found: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (each,) = [each for each in found if each["kind"] == kind]
    return each


def test_the_release_stands_on_the_pod_template(tmp_path: Path) -> None:
    deployment = one(objects(tmp_path, {"k8s/web.yaml": manifest()}), "Deployment")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:v1"
    commit, version = release_of(deployment | {"spec": deployment["spec"]})
    assert (commit, version) == (GitSource(tmp_path).head(), "v1")


@pytest.mark.parametrize("version", ['v1"\nkind: ClusterRole', "v1 # comment", "{commit}", "- v1", "true"])
def test_a_version_is_a_text_and_never_yaml(tmp_path: Path, version: str) -> None:
    found = objects(tmp_path, {"k8s/web.yaml": manifest()}, version=version)
    assert one(found, "ConfigMap")["data"]["release"] == version
    assert sorted(each["kind"] for each in found) == ["ConfigMap", "Deployment", "Service"]


def test_a_placeholder_may_stand_without_quotes(tmp_path: Path) -> None:
    more = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: once}\nspec: {image: {image}}\n"
    assert one(objects(tmp_path, {"k8s/web.yaml": manifest(more=more)}), "Pod")["spec"]["image"].endswith(
        ":v1"
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2020-01-01", "2020-01-01"),
        ("12:30:45", "12:30:45"),
        ("0644", 420),
        ("1e3", 1000.0),
        ("on", True),
        ("8080", 8080),
    ],
)
def test_values_are_read_as_kubernetes_reads_them(tmp_path: Path, written: str, read: object) -> None:
    more = f"---\napiVersion: v1\nkind: Pod\nmetadata: {{name: once}}\nspec:\n  value: {written}\n"
    found = one(objects(tmp_path, {"k8s/web.yaml": manifest(more=more)}), "Pod")["spec"]["value"]
    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize(
    ("files", "changes", "said"),
    [
        ({"k8s/web.yaml": manifest()}, {"deployment": "orders"}, "no Deployment named orders"),
        ({"k8s/web.yaml": manifest()}, {"manifests": ("deploy/*.yaml",)}, "no file of this commit"),
        ({"k8s/web.yaml": manifest()}, {"manifests": ("../*.yaml",)}, "no file of this commit"),
        ({"k8s/web.yaml": manifest()}, {"manifests": ("/etc/*",)}, "no file of this commit"),
        ({"k8s/web.yaml": manifest()}, {"container": "sidecar"}, "which container"),
        ({"k8s/web.yaml": "a: [\n"}, {}, "is no YAML"),
        ({"k8s/web.yaml": "- a\n"}, {}, "no object"),
        ({"k8s/web.yaml": "kind: Service\n"}, {}, "without apiVersion"),
        (
            {
                "k8s/web.yaml": manifest().replace(
                    "  name: web\nspec:\n  selector",
                    "  name: web\n  namespace: kube-system\nspec:\n  selector",
                )
            },
            {},
            "into namespace kube-system",
        ),
    ],
)
def test_manifests_that_are_not_the_releases_are_refused(
    tmp_path: Path, files: dict[str, str], changes: dict[str, Any], said: str
) -> None:
    (tmp_path / "outside.yaml").write_text(manifest())
    with pytest.raises(ToolError, match=said):
        objects(tmp_path / "project", files, **changes)


def test_nothing_of_an_exported_commit_stays(tmp_path: Path) -> None:
    objects(tmp_path, {"k8s/web.yaml": manifest()})
    assert list((tmp_path / ".midas" / "scratch").iterdir()) == []


def test_a_slot_is_another_deployment_that_owns_other_pods(tmp_path: Path) -> None:
    deployment = one(objects(tmp_path, {"k8s/web.yaml": manifest()}), "Deployment")
    beside = in_slot(deployment, "canary", 1)
    assert beside["metadata"]["name"] == "web-canary"
    assert beside["spec"]["replicas"] == 1
    selector = beside["spec"]["selector"]["matchLabels"]
    assert selector.items() <= beside["spec"]["template"]["metadata"]["labels"].items()
    assert not selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_without_kubectl_the_error_says_what_to_install(tmp_path: Path) -> None:
    from midas_devops.adapters.artifacts import open_artifacts
    from midas_devops.adapters.kubernetes.deployer import KubernetesDeployer

    project(tmp_path, {"k8s/web.yaml": manifest()})
    settings = KubernetesDeploy(
        using="kubernetes", context="c", namespace="n", deployment="web", image="web:{commit}"
    )
    deployer = KubernetesDeployer(
        "live",
        settings,
        root=tmp_path,
        home=tmp_path / ".midas" / "kubernetes" / "live",
        source=GitSource(tmp_path),
        artifacts=open_artifacts(".midas/artifacts", tmp_path),
        environ={"PATH": str(tmp_path)},
    )
    with pytest.raises(ToolError, match="kubectl") as refused:
        deployer.status()
    assert "install kubectl" in refused.value.hint


TABLE = """
[environments.live.deploy]
using = "kubernetes"
context = "c"
namespace = "n"
deployment = "web"
image = "web:{commit}"
"""


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('blue_green = true\nmanifests = ["k8s/*.yaml"]', "needs the Service"),
        ('blue_green = true\nservice = "web"', "manifests"),
        ("canary = [{ weight = 10 }]", "manifests"),
        ('canary = [{ weight = 10 }]\nblue_green = true\nservice = "web"\nmanifests = ["k"]', "exclude"),
        ('analysis = ["./a.sh"]', "no step to judge"),
    ],
)
def test_tables_that_cannot_be_carried_out_are_a_configuration_error(
    tmp_path: Path, lines: str, said: str
) -> None:
    (tmp_path / "midas.toml").write_text(TABLE + lines + "\n")
    with pytest.raises(ConfigError, match=said):
        load_settings(tmp_path / "midas.toml")


@pytest.mark.parametrize("key", ["context", "namespace"])
def test_where_it_goes_has_to_be_said(tmp_path: Path, key: str) -> None:
    lines = [line for line in TABLE.splitlines() if not line.startswith(key)]
    (tmp_path / "midas.toml").write_text("\n".join(lines))
    with pytest.raises(ConfigError, match=key):
        load_settings(tmp_path / "midas.toml")
