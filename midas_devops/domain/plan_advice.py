"""What a model may say of a plan."""

from __future__ import annotations

from pydantic import BaseModel, Field


class PlanAdvice(BaseModel):
    """Remarks for the person who reviews a plan. Nothing in it is carried out."""

    risks: list[str] = Field(default_factory=list, description="What could go wrong, one sentence each")
    remarks: list[str] = Field(default_factory=list, description="What a reviewer should look at")
