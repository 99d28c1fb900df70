"""The objects of one release: read at its commit, filled in, and marked with what they are."""

from __future__ import annotations

import copy
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from midas_devops.adapters.kubernetes.kubectl import Json
from midas_devops.adapters.kubernetes.workload import COMMIT, IMAGES, VERSION, images_note
from midas_devops.adapters.local import templates
from midas_devops.config import KubernetesDeploy
from midas_devops.errors import ToolError
from midas_devops.ports.deployer import Release
from midas_devops.ports.source import Source
from midas_devops.safety.private import private_folder

SLOT = "midas-devops/slot"
"""Label that tells Deployments side by side apart: ``blue``, ``green`` or ``canary``."""
PLACEHOLDERS = ("commit", "version", "environment")


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: a date is text, and ``12:30`` is no number in base sixty."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, shape)
        for tag, shape in resolvers
        if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0o?[0-7_]+|0x[0-9a-fA-F_]+)$"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
    ),
    list("-+.0123456789"),
)


class Manifests:
    """Objects per commit. ``scratch`` is a private folder for exported files."""

    def __init__(self, environment: str, settings: KubernetesDeploy, source: Source, scratch: Path) -> None:
        self._environment = environment
        self._settings = settings
        self._source = source
        self._scratch = scratch

    def image(self, release: Release) -> str:
        """The image of a release."""
        values = {"commit": release.commit, "version": release.version, "environment": release.environment}
        return templates.fill((self._settings.image,), values)[0]

    def of(self, release: Release) -> list[Json]:
        """All objects, the Deployment marked with the release. Raises ``ToolError``, ``UsageError``."""
        values = {
            "image": self.image(release),
            "commit": release.commit,
            "version": release.version,
            "environment": self._environment,
        }
        private_folder(self._scratch)
        with tempfile.TemporaryDirectory(prefix="manifests-", dir=self._scratch) as folder:
            tree = Path(folder) / "tree"
            self._source.export(release.commit, tree)
            objects = [
                _filled(each, values) for pattern in self._settings.manifests for each in _read(tree, pattern)
            ]
        for each in objects:
            self._check(each)
        deployment = self.deployment(objects)
        mark(deployment, release, values["image"], self._settings.container)
        return objects

    def deployment(self, objects: Sequence[Json]) -> Json:
        """The Deployment of the environment among them. Raises ``ToolError``."""
        return self._the("Deployment", self._settings.deployment, objects)

    def service(self, objects: Sequence[Json]) -> Json:
        """The Service in front of it. Raises ``ToolError``."""
        return self._the("Service", self._settings.service, objects)

    def _the(self, kind: str, name: str, objects: Sequence[Json]) -> Json:
        for each in objects:
            if each["kind"] == kind and each["metadata"]["name"] == name:
                return each
        there = ", ".join(f"{each['kind']}/{each['metadata']['name']}" for each in objects)
        raise self._wrong(f"hold no {kind} named {name}; they hold {there or 'nothing'}")

    def _check(self, each: Json) -> None:
        metadata = each.get("metadata")
        named = isinstance(metadata, dict) and metadata.get("name")
        if not isinstance(metadata, dict) or not (named and each.get("apiVersion") and each.get("kind")):
            raise self._wrong(f"hold something without apiVersion, kind or metadata.name: {str(each)[:120]}")
        namespace = metadata.get("namespace", self._settings.namespace)
        if namespace != self._settings.namespace:
            what = f"{each['kind']}/{metadata['name']}"
            raise self._wrong(f"put {what} into namespace {namespace} instead of {self._settings.namespace}")

    def _wrong(self, what: str) -> ToolError:
        return ToolError(
            f"the manifests of this commit {what}",
            hint="correct them, or environments.NAME.deploy in midas.toml",
            location=f"midas.toml: environments.{self._environment}.deploy.manifests",
        )


def mark(deployment: Json, release: Release, image: str, container: str) -> None:
    """Set the container's image, and write on the pod template which release it is. Raises ``ToolError``."""
    template = deployment["spec"]["template"]
    containers = template["spec"]["containers"]
    chosen = [each for each in containers if not container or each["name"] == container]
    if len(chosen) != 1:
        names = ", ".join(each["name"] for each in containers)
        raise ToolError(
            f"Deployment/{deployment['metadata']['name']}: which container is the release's? It has {names}",
            hint='name it: container = "…" in midas.toml',
        )
    chosen[0]["image"] = image
    notes = {COMMIT: release.commit, VERSION: release.version, IMAGES: images_note(template)}
    metadata = template.setdefault("metadata", {})
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **notes}


def in_slot(deployment: Json, slot: str, replicas: int | None = None) -> Json:
    """A copy that runs beside the original, told apart by its name and a label."""
    copied = copy.deepcopy(deployment)
    copied["metadata"]["name"] = f"{deployment['metadata']['name']}-{slot}"
    spec = copied["spec"]
    for labels in (
        spec["selector"].setdefault("matchLabels", {}),
        spec["template"]["metadata"].setdefault("labels", {}),
        copied["metadata"].setdefault("labels", {}),
    ):
        labels[SLOT] = slot
    if replicas is not None:
        spec["replicas"] = replicas
    return copied


def _read(tree: Path, pattern: str) -> Iterator[Json]:
    inside = not Path(pattern).is_absolute()
    files = sorted(
        path
        for path in (tree.glob(pattern) if inside else ())
        if path.is_file() and path.resolve().is_relative_to(tree.resolve())
    )
    if not files:
        raise ToolError(
            f"no file of this commit is named {pattern}",
            hint="correct manifests in midas.toml, or commit the files",
        )
    for path in files:
        try:
            documents = list(yaml.load_all(path.read_text("utf-8"), Loader=_Loader))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            words = " ".join(str(error).split())
            raise ToolError(f"{path.relative_to(tree)} is no YAML: {words}", hint="correct it") from error
        for document in documents:
            if document is None:
                continue
            if not isinstance(document, dict):
                raise ToolError(
                    f"{path.relative_to(tree)} holds something that is no object", hint="correct it"
                )
            yield from document.get("items", []) if document.get("kind") == "List" else [document]


def _filled(value: Json, values: Mapping[str, str]) -> Json:
    """Placeholders in every text of an object, filled after parsing: no version can add a line to it."""
    filled = _fill(value, values)
    return filled if isinstance(filled, dict) else {}


def _fill(value: object, values: Mapping[str, str]) -> object:
    if isinstance(value, str):
        return templates.fill((value,), values)[0]
    if isinstance(value, list):
        return [_fill(each, values) for each in value]
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value.values())) is None and next(iter(value)) in values:
            # ``image: {image}`` without quotes is a mapping to YAML, and means the placeholder.
            return values[next(iter(value))]
        return {key: _fill(each, values) for key, each in value.items()}
    return value
