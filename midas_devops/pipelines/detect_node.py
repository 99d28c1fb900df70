"""Node: npm, pnpm and yarn."""

from __future__ import annotations

import json
import re
from typing import Any

from midas_devops.pipelines.findings import Component, Detected, Finding, Report, Tool
from midas_devops.pipelines.pins import DEFAULT_NODE
from midas_devops.pipelines.tree import Tree, within

_LOWEST = re.compile(r"\d+(\.\d+){0,2}")
_NO_TEST = "no test specified"

_LOCKS: tuple[tuple[str, Tool], ...] = (
    ("pnpm-lock.yaml", "pnpm"),
    ("yarn.lock", "yarn"),
    ("package-lock.json", "npm"),
    ("npm-shrinkwrap.json", "npm"),
)


def detect_node(tree: Tree, folder: str, inside: tuple[str, ...]) -> Detected | None:
    """``inside``: the paths that belong to this component."""
    manifest = within(folder, "package.json")
    if manifest not in inside:
        return None
    package = read_package(tree, folder)
    scripts = _texts(package.get("scripts"))
    tool, lock = _tool(package, folder, inside)
    version, version_file = _version(tree, package, folder, inside)
    findings = [Finding(what="node", value=tool, file=lock or manifest)]
    if version_file:
        findings.append(Finding(what="node version", value=version, file=version_file))
    run = f"{tool} run" if tool != "yarn" else "yarn"
    lint = (f"{run} lint",) if "lint" in scripts else ()
    build = (f"{run} build",) if "build" in scripts else ()
    findings += [
        Finding(what=name, value=f"{run} {name}", file=manifest)
        for name in ("lint", "build")
        if name in scripts
    ]
    test, reports, notes = _test(tool, package, scripts, manifest)
    berry = tool == "yarn" and (
        within(folder, ".yarnrc.yml") in inside
        or re.match(r"yarn@[2-9]", str(package.get("packageManager", ""))) is not None
    )
    if test:
        findings.append(Finding(what="tests", value=scripts["test"], file=manifest))
    return Detected(
        component=Component(
            name="node",
            folder=folder,
            language="node",
            tool=tool,
            versions=(version,),
            lock_file=lock,
            install=_install(tool, lock, berry=berry),
            corepack=berry,
            lint=lint,
            build=build,
            test=test,
            reports=reports,
        ),
        findings=tuple(findings),
        notes=notes,
    )


def read_package(tree: Tree, folder: str) -> dict[str, Any]:
    """package.json; empty when it cannot be read."""
    try:
        read = json.loads(tree.read(within(folder, "package.json")) or "{}")
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def pnpm_is_named(tree: Tree, folder: str) -> bool:
    """Whether package.json itself says which pnpm: then the pipeline must not."""
    return str(read_package(tree, folder).get("packageManager", "")).startswith("pnpm@")


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(text) for key, text in value.items()} if isinstance(value, dict) else {}


def _tool(package: dict[str, Any], folder: str, inside: tuple[str, ...]) -> tuple[Tool, str]:
    for name, tool in _LOCKS:
        if within(folder, name) in inside:
            return tool, within(folder, name)
    manager = str(package.get("packageManager", "")).split("@")[0]
    return ("pnpm" if manager == "pnpm" else "yarn" if manager == "yarn" else "npm"), ""


def _version(tree: Tree, package: dict[str, Any], folder: str, inside: tuple[str, ...]) -> tuple[str, str]:
    for name in (".nvmrc", ".node-version"):
        path = within(folder, name)
        if path in inside:
            pinned = tree.read(path).strip().removeprefix("v")
            if _LOWEST.fullmatch(pinned):
                return pinned, path
    asked = _LOWEST.search(_texts(package.get("engines")).get("node", ""))
    if asked:
        return asked.group().split(".")[0], within(folder, "package.json")
    return DEFAULT_NODE, ""


def _install(tool: Tool, lock: str, *, berry: bool) -> tuple[str, ...]:
    """``berry``: yarn 2 and later, which the repository brings and corepack finds."""
    if tool == "pnpm":
        return ("pnpm install --frozen-lockfile" if lock else "pnpm install",)
    if tool == "yarn":
        frozen = (" --immutable" if berry else " --frozen-lockfile") if lock else ""
        return (*(("corepack enable",) if berry else ()), f"yarn install{frozen}")
    return ("npm ci" if lock else "npm install",)


def _test(
    tool: Tool, package: dict[str, Any], scripts: dict[str, str], manifest: str
) -> tuple[tuple[str, ...], Report, tuple[str, ...]]:
    """The test command, by the runner that the script names; with a report where that runner writes one."""
    script = scripts.get("test", "")
    if not script or _NO_TEST in script:
        return (), "none", (f"{manifest}: there is no test script, so no tests run",)
    plain = ("npm test" if tool == "npm" else f"{tool} test",)
    word = re.search(r"\b(vitest|jest|mocha|node\s+--test)\b", script)
    runner = re.sub(r"\s+", " ", word.group()) if word else ""
    # Only a script that is one plain call of the runner can be extended by arguments.
    alone = bool(runner) and not re.search(r"[&|;<>]", script)
    needed = _texts(package.get("devDependencies")) | _texts(package.get("dependencies"))
    command = _reporting(runner, script, plain[0], tool, needed) if alone else ""
    if command and runner == "node --test":
        # It writes test cases outside of any suite, which tools that merge reports lose.
        edit = (
            's|<testsuites>|<testsuites><testsuite name="node">|; s|</testsuites>|</testsuite></testsuites>|'
        )
        return (command, f"sed -i.raw '{edit}' \"{{junit}}\""), "file", ()
    if command:
        return (command,), "file", ()
    advice = "add jest-junit to its devDependencies" if runner == "jest" else "give its runner a JUnit one"
    return plain, "none", (f"{manifest}: its tests run, but write no report that a gate can read; {advice}",)


def _reporting(runner: str, script: str, plain: str, tool: Tool, needed: dict[str, str]) -> str:
    """The call of a runner that can write JUnit by itself; empty when this one cannot."""
    separator = " --" if tool == "npm" else ""
    if runner == "vitest":
        once = "" if re.search(r"vitest\s+run|--run", script) else " --run"
        reporters = '--reporter=default --reporter=junit --outputFile.junit="{junit}"'
        return f"{plain}{separator}{once} {reporters}"
    if runner == "node --test":
        # The runner reads options before the files only; Node's own variable carries them into the script.
        options = "--test-reporter=spec --test-reporter-destination=stdout --test-reporter=junit"
        return f'NODE_OPTIONS="{options} --test-reporter-destination={{junit}}" {plain}'
    if runner == "mocha":
        return f'{plain}{separator} --reporter xunit --reporter-option output="{{junit}}"'
    if runner == "jest" and "jest-junit" in needed:
        reporters = "--reporters=default --reporters=jest-junit"
        return f'JEST_JUNIT_OUTPUT_FILE="{{junit}}" {plain}{separator} {reporters}'
    return ""
