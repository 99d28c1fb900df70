"""Pulumi passes the suite that every engine passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from midas_devops.testing.iac import IacEngineConformance

from .projects import PulumiProject, programs


class TestPulumi(IacEngineConformance):
    @pytest.fixture(params=programs())
    def subject(self, request: pytest.FixtureRequest, tmp_path: Path) -> PulumiProject:
        return PulumiProject(tmp_path / "project", request.param)
