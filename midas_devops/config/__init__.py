"""midas.toml → typed settings. Every error names the file, the key and the fix."""

from __future__ import annotations

from midas_devops.config.deploy_tables import (
    CanaryStep,
    CommandDeploy,
    Deploy,
    GitHubActionsDeploy,
    Health,
    KubernetesDeploy,
    LocalDeploy,
)
from midas_devops.config.durations import Duration, parse_duration
from midas_devops.config.find import (
    CONFIG_FILE,
    environment_for_config,
    environments_of_config,
    find_project,
)
from midas_devops.config.gate_tables import (
    ChecksGate,
    CommandGate,
    Freeze,
    RegoGate,
    ScanException,
    WindowGate,
)
from midas_devops.config.load import load_settings
from midas_devops.config.schema import (
    Approvals,
    Environment,
    EnvironmentKind,
    Gate,
    Infrastructure,
    Jenkins,
    JUnitGate,
    Knowledge,
    Model,
    PeerGate,
    Project,
    PromotionGate,
    SarifGate,
    Settings,
    Storage,
    Tracker,
)
from midas_devops.config.table import Table
from midas_devops.config.verify_tables import HttpCheck, LogCheck, Verify

__all__ = [
    "CONFIG_FILE",
    "Approvals",
    "CanaryStep",
    "ChecksGate",
    "CommandDeploy",
    "CommandGate",
    "Deploy",
    "Duration",
    "Environment",
    "EnvironmentKind",
    "Freeze",
    "Gate",
    "GitHubActionsDeploy",
    "Health",
    "HttpCheck",
    "Infrastructure",
    "JUnitGate",
    "Jenkins",
    "Knowledge",
    "KubernetesDeploy",
    "LocalDeploy",
    "LogCheck",
    "Model",
    "PeerGate",
    "Project",
    "PromotionGate",
    "RegoGate",
    "SarifGate",
    "ScanException",
    "Settings",
    "Storage",
    "Table",
    "Tracker",
    "Verify",
    "WindowGate",
    "environment_for_config",
    "environments_of_config",
    "find_project",
    "load_settings",
    "parse_duration",
]
