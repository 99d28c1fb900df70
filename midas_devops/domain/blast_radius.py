"""One number for how much a plan of infrastructure can take with it.

| what | points |
|---|---|
| a stateful resource destroyed (deleted, replaced, forgotten) | 40 |
| any other resource destroyed | 8 |
| a resource that stays and is built on a destroyed one | 4 |
| a stateful resource updated in place | 4 |
| any other update in place | 1 |
| a resource created | 0 |

Points add up, to 100 at most; a plan that leaves nothing of an environment is 100. The number orders plans
for a person. No rule decides by it: the guard reads addresses.
"""

from __future__ import annotations

from collections.abc import Iterable

from midas_devops.domain.changes import BlastRadius
from midas_devops.domain.plan_document import AnyChange, destroys
from midas_devops.domain.stateful_types import stateful_kind

HIGHEST = 100
DESTROYED_STATEFUL = 40
DESTROYED = 8
DEPENDENT = 4
UPDATED_STATEFUL = 4
UPDATED = 1


def measure(changes: Iterable[AnyChange], dependents: int, *, whole_environment: bool = False) -> BlastRadius:
    """The score of a plan with the counts that it comes from. ``changes`` as ``read_plan`` gives them."""
    destroyed: dict[str, bool] = {}
    updated = points = 0
    for change in changes:
        stateful = bool(stateful_kind(change.type))
        if destroys(change.actions):
            destroyed[change.address] = stateful
        elif "update" in change.actions:
            updated += 1
            points += UPDATED_STATEFUL if stateful else UPDATED
    lost = sum(destroyed.values())
    points += lost * DESTROYED_STATEFUL + (len(destroyed) - lost) * DESTROYED + dependents * DEPENDENT
    return BlastRadius(
        score=HIGHEST if whole_environment else min(HIGHEST, points),
        destroyed=len(destroyed),
        stateful=lost,
        dependents=dependents,
        updated=updated,
    )
