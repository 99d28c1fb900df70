"""A pause of a canary is a span of real time, whatever becomes of the wall clock meanwhile."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from midas_devops.adapters import canary
from midas_devops.adapters.local.interrupts import Interrupts
from midas_devops.config import CanaryStep

PAUSE = timedelta(milliseconds=400)
FOR_EVER = 30.0


@pytest.mark.parametrize("jump", [timedelta(days=400), -timedelta(days=400)])
def test_a_wall_clock_that_jumps_neither_ends_a_pause_nor_prolongs_it(
    monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    real, seen = time.time, list[tuple[int, float]]()

    def judge(weight: int) -> None:
        # Set in the middle of each pause, and once more at its end.
        monkeypatch.setattr(time, "time", lambda: real() + jump.total_seconds() * (1 + len(seen)))
        seen.append((weight, time.monotonic()))

    def climb() -> None:
        canary.climb(
            [CanaryStep(weight=10, pause=PAUSE), CanaryStep(weight=50, pause=PAUSE)],
            0,
            record=lambda _: None,
            give=lambda _: None,
            judge=judge,
            interrupts=Interrupts(),
            progress=lambda _: None,
        )

    climbing = threading.Thread(target=climb, daemon=True)
    climbing.start()
    climbing.join(FOR_EVER)
    assert not climbing.is_alive()
    assert [weight for weight, _ in seen] == [10, 10, 50, 50, 100]
    moments = [at for _, at in seen]
    assert moments[1] - moments[0] >= PAUSE.total_seconds()
    assert moments[3] - moments[2] >= PAUSE.total_seconds()
