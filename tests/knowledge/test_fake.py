"""The fake that embedders test against keeps the same promises as the real one."""

from __future__ import annotations

import pytest

from midas_devops.testing.knowledge import FakeKnowledgeBase, KnowledgeConformance, OpenKnowledge


class TestFake(KnowledgeConformance):
    @pytest.fixture
    def open_knowledge(self) -> OpenKnowledge:
        return FakeKnowledgeBase
