"""Where the graph stops for a person. An interrupt shares its node with nothing (rule 1)."""

from __future__ import annotations

from langgraph.types import interrupt

from midas_devops.domain.approval import Review
from midas_devops.state import DevOpsState, Json


def human_review(state: DevOpsState) -> Json:
    """Ask with the pending question, the plan and the gates; the answer is a :class:`Review`."""
    question = {
        "run_id": state["run_id"],
        **state["pending"],
        "change_plan": state.get("change_plan", {}),
        "gates": state.get("gates", {}).get("gates", []),
        "diagnosis": state.get("diagnosis", {}),
    }
    review = interrupt(question, response_schema=Review)
    return {"review": review.model_dump(mode="json")}
