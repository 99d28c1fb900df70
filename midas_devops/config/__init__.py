"""midas.toml → typed settings. Every error names the file, the key and the fix."""

from __future__ import annotations

from midas_devops.config.durations import Duration, parse_duration
from midas_devops.config.find import CONFIG_FILE, environment_for_config, find_project
from midas_devops.config.load import load_settings
from midas_devops.config.schema import (
    Approvals,
    CommandDeploy,
    Deploy,
    Environment,
    EnvironmentKind,
    Gate,
    Health,
    Infrastructure,
    JUnitGate,
    Knowledge,
    LocalDeploy,
    Model,
    PeerGate,
    Project,
    PromotionGate,
    SarifGate,
    Settings,
    Storage,
    Table,
    Tracker,
)

__all__ = [
    "CONFIG_FILE",
    "Approvals",
    "CommandDeploy",
    "Deploy",
    "Duration",
    "Environment",
    "EnvironmentKind",
    "Gate",
    "Health",
    "Infrastructure",
    "JUnitGate",
    "Knowledge",
    "LocalDeploy",
    "Model",
    "PeerGate",
    "Project",
    "PromotionGate",
    "SarifGate",
    "Settings",
    "Storage",
    "Table",
    "Tracker",
    "environment_for_config",
    "find_project",
    "load_settings",
    "parse_duration",
]
