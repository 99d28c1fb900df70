"""Go, Rust and Java."""

from __future__ import annotations

import re
import tomllib

from midas_devops.pipelines.findings import Component, Detected, Finding
from midas_devops.pipelines.pins import DEFAULT_JAVA, TOOLS
from midas_devops.pipelines.tree import Tree, within

_GO = re.compile(r"^go\s+(\d+\.\d+(?:\.\d+)?)\s*$", re.MULTILINE)
_MAVEN_JAVA = re.compile(
    r"<(?:maven\.compiler\.release|maven\.compiler\.source|java\.version|release)>\s*(?:1\.)?(\d+)\s*<"
)
_GRADLE_JAVA = re.compile(r"(?:JavaLanguageVersion\.of\(|JavaVersion\.VERSION_(?:1_)?|jvmToolchain\()(\d+)")
_CHANNEL = re.compile(r"""^\s*channel\s*=\s*["']?([0-9][0-9.]*|stable)["']?""", re.MULTILINE)


def detect_go(tree: Tree, folder: str, inside: tuple[str, ...]) -> Detected | None:
    """A Go module."""
    manifest = within(folder, "go.mod")
    if manifest not in inside:
        return None
    version = _GO.search(tree.read(manifest))
    findings = [Finding(what="go", value="go", file=manifest)]
    if version:
        findings.append(Finding(what="go version", value=version.group(1), file=manifest))
    tests = [path for path in inside if path.endswith("_test.go")]
    if tests:
        findings.append(Finding(what="tests", value="go test", file=tests[0]))
    linter = next((p for n in (".golangci.yml", ".golangci.yaml") if (p := within(folder, n)) in inside), "")
    notes: tuple[str, ...] = () if tests else (f"{manifest}: no Go tests were found, so none run",)
    if linter:
        notes += (f"{linter}: golangci-lint is not run; go vet is. Name it as lint to have it",)
    sums = within(folder, "go.sum")
    command = f'go run gotest.tools/gotestsum@{TOOLS["gotestsum"]} --junitfile "{{junit}}" -- ./...'
    return Detected(
        component=Component(
            name="go",
            folder=folder,
            language="go",
            tool="go",
            version_file=manifest,
            lock_file=sums if sums in inside else manifest,
            lint=("go vet ./...",),
            build=("go build ./...",),
            test=(command,) if tests else (),
            reports="file" if tests else "none",
        ),
        findings=tuple(findings),
        notes=notes,
    )


def detect_rust(tree: Tree, folder: str, inside: tuple[str, ...]) -> Detected | None:
    """A Cargo package or workspace."""
    manifest = within(folder, "Cargo.toml")
    if manifest not in inside:
        return None
    findings = [Finding(what="rust", value="cargo", file=manifest)]
    toolchain = next(
        (p for n in ("rust-toolchain.toml", "rust-toolchain") if (p := within(folder, n)) in inside), ""
    )
    text = tree.read(toolchain)
    channel = _CHANNEL.search(text) or re.fullmatch(r"\s*([0-9][0-9.]*|stable)\s*", text)
    if channel:
        findings.append(Finding(what="rust version", value=channel.group(1), file=toolchain))
    lock = within(folder, "Cargo.lock")
    locked = " --locked" if lock in inside else ""
    tests = [
        path
        for path in inside
        if path.endswith(".rs") and ("/tests/" in f"/{path}" or "#[test]" in tree.read(path))
    ]
    if tests:
        findings.append(Finding(what="tests", value="cargo test", file=tests[0]))
        note = "its tests run but report nothing a gate can read: stable cargo writes no JUnit"
    else:
        note = "no Rust tests were found, so none run"
    return Detected(
        component=Component(
            name="rust",
            folder=folder,
            language="rust",
            tool="cargo",
            versions=(channel.group(1),) if channel else (),
            version_file=toolchain,
            lock_file=lock if lock in inside else manifest,
            lint=("cargo fmt --all --check", f"cargo clippy --all-targets{locked} -- -D warnings"),
            build=(f"cargo build --all-targets{locked}",),
            test=(f"cargo test{locked}",) if tests else (),
        ),
        findings=tuple(findings),
        notes=(f"{manifest}: {note}",),
    )


def cargo_workspace(tree: Tree, folder: str) -> bool:
    """Whether this Cargo.toml is a workspace: its members are built with it."""
    try:
        return "workspace" in tomllib.loads(tree.read(within(folder, "Cargo.toml")))
    except tomllib.TOMLDecodeError:
        return False


def detect_java(tree: Tree, folder: str, inside: tuple[str, ...]) -> Detected | None:
    """Maven or Gradle. The wrapper of the repository is used where it has one."""
    pom = within(folder, "pom.xml")
    gradle = next((p for n in ("build.gradle.kts", "build.gradle") if (p := within(folder, n)) in inside), "")
    maven = pom in inside
    if not maven and not gradle:
        return None
    manifest = pom if maven else gradle
    builds = [p for p in inside if p.split("/")[-1] in ("build.gradle.kts", "build.gradle", "pom.xml")]
    rule = _MAVEN_JAVA if maven else _GRADLE_JAVA
    # The root often names none and leaves it to the modules.
    named = ((rule.search(tree.read(p)), p) for p in (manifest, *builds))
    version, version_file = next(((v, p) for v, p in named if v), (None, ""))
    findings = [Finding(what="java", value="maven" if maven else "gradle", file=manifest)]
    if version:
        findings.append(Finding(what="java version", value=version.group(1), file=version_file))
    tests = [
        path for path in inside if "/src/test/" in f"/{path}" and path.endswith((".java", ".kt", ".groovy"))
    ]
    if tests:
        findings.append(Finding(what="tests", value="junit", file=tests[0]))
    wrapper = within(folder, "mvnw" if maven else "gradlew") in inside
    if maven:
        program = ("./mvnw" if wrapper else "mvn") + " --batch-mode --no-transfer-progress"
        build, test = f"{program} -DskipTests package", f"{program} verify"
    else:
        program = ("./gradlew" if wrapper else "gradle") + " --no-daemon"
        build, test = f"{program} assemble", f"{program} check"
    where = "*/target/*-reports/TEST-*.xml" if maven else "*/build/test-results/*/TEST-*.xml"
    return Detected(
        component=Component(
            name="java",
            folder=folder,
            language="java",
            tool="maven" if maven else "gradle",
            versions=(version.group(1) if version else DEFAULT_JAVA,),
            lock_file=manifest,
            build=(build,),
            test=(test,) if tests else (),
            collect=(_collect(where),) if tests else (),
            reports="folder" if tests else "none",
        ),
        findings=tuple(findings),
        notes=() if tests else (f"{manifest}: no Java tests were found, so none run",),
    )


def _collect(where: str) -> str:
    """Bring many report files to one folder, each under a name that says where it was."""
    return (
        f"find . -path '{where}' -type f | while read -r report; do"
        ' cp "$report" "{folder}/{name}-$(echo "${report#./}" | tr / -)"; done'
    )
