"""What the gates of a run read, by the kind of the gate. Nothing is opened before a run asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midas_devops.config import (
    ChecksGate,
    CommandGate,
    Gate,
    JUnitGate,
    PeerGate,
    RegoGate,
    SarifGate,
    Settings,
)
from midas_devops.errors import ConfigError
from midas_devops.safety.environment import child_environment

if TYPE_CHECKING:
    from midas_devops.ports.artifacts import Artifacts
    from midas_devops.ports.policy import Policies
    from midas_devops.ports.requirements import InfrastructureRequirements
    from midas_devops.ports.results import CheckResults, ScanResults, TestResults


def read_tests(root: Path) -> Callable[[Gate, Mapping[str, Any]], TestResults]:
    """Test results of a gate: files, or what another agent put into the state."""

    def tests(gate: Gate, peers: Mapping[str, Any]) -> TestResults:
        from midas_devops.adapters.junit import JUnitResults
        from midas_devops.adapters.peers import PeerTestResults

        if isinstance(gate, JUnitGate):
            return JUnitResults(root, gate.path)
        if isinstance(gate, PeerGate):
            return PeerTestResults(peers.get("test_results") or {})
        raise ConfigError(f"a gate of kind '{gate.kind}' does not read test results")

    return tests


def read_scans(root: Path) -> Callable[[Gate, Mapping[str, Any]], ScanResults]:
    """Scan results of a gate: files, or what another agent put into the state."""

    def scans(gate: Gate, peers: Mapping[str, Any]) -> ScanResults:
        from midas_devops.adapters.peers import PeerScanResults
        from midas_devops.adapters.sarif import SarifResults

        if isinstance(gate, SarifGate):
            return SarifResults(root, gate.path)
        if isinstance(gate, PeerGate):
            return PeerScanResults(peers.get("scan_results") or {})
        raise ConfigError(f"a gate of kind '{gate.kind}' does not read scan results")

    return scans


def read_checks(
    root: Path,
    settings: Settings,
    artifacts: Artifacts,
    environ: Mapping[str, str],
    redact: Callable[[str], str],
) -> Callable[[Gate, str], CheckResults]:
    """Verdicts of a gate: GitHub's, or a program's. Both are asked when a run asks."""

    def checks(gate: Gate, environment: str) -> CheckResults:
        from midas_devops.adapters.github_checks import GitHubChecks
        from midas_devops.adapters.verdict_command import CommandChecks

        if isinstance(gate, ChecksGate):
            return GitHubChecks.from_settings(settings, environ)
        if isinstance(gate, CommandGate):
            return CommandChecks(
                gate.run,
                environment=environment,
                within=gate.within,
                root=root,
                environ=child_environment(
                    settings, pass_env=gate.pass_env, drop_env=gate.drop_env, environ=environ
                ),
                artifacts=artifacts,
                redact=redact,
            )
        raise ConfigError(f"a gate of kind '{gate.kind}' does not read checks")

    return checks


def evaluate_policies(root: Path) -> Callable[[RegoGate], Policies]:
    """Policies in Rego over a plan."""

    def policies(gate: RegoGate) -> Policies:
        from midas_devops.adapters.rego import RegoPolicies

        return RegoPolicies(root, gate.paths, gate.within)

    return policies


def read_requirements(
    root: Path, settings: Settings
) -> Callable[[str, Mapping[str, Any]], InfrastructureRequirements]:
    """What the architect asked for, in a file or in the state."""

    def requirements(environment: str, peers: Mapping[str, Any]) -> InfrastructureRequirements:
        from midas_devops.adapters.requirements import ArchitectRequirements

        infrastructure = settings.environment(environment).infrastructure
        named = infrastructure.requirements if infrastructure else ""
        return ArchitectRequirements(
            root / named if named else None, peers.get("infrastructure_requirements")
        )

    return requirements
