"""Keeps a run's leases alive while it works, and says when one was lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from midas_devops.errors import BlockedError, LeaseTakenError, StorageError
from midas_devops.ports.ledger import Lease, Ledger
from midas_devops.safety.processes import this_process

__all__ = ["LeaseKeeper", "this_process"]

_POLL_SECONDS = 0.25


def _utc_now() -> datetime:
    return datetime.now(UTC)


class LeaseKeeper:
    """Holds leases for the runs of this process and beats for all of them from one daemon thread.

    ``beat_every`` and ``lapse`` are seconds. Any thread may use it.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        clock: Callable[[], datetime] = _utc_now,
        beat_every: float = 5.0,
        lapse: float = 30.0,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._beat_every = beat_every
        self._lapse = timedelta(seconds=lapse)
        self._lock = threading.Lock()
        self._held: dict[str, Lease] = {}
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def hold(self, resource: str, run_id: str, who: str, wait: timedelta = timedelta(0)) -> Lease:
        """Take a lease, waiting up to ``wait`` for it; the same run may take it again.

        Raises ``LeaseTakenError`` with holder and age.
        """
        deadline = time.monotonic() + wait.total_seconds()
        while True:
            try:
                lease = self._ledger.acquire(resource, run_id, this_process(who), self._clock(), self._lapse)
            except LeaseTakenError:
                left = deadline - time.monotonic()
                if left <= 0 or self._closing.wait(min(_POLL_SECONDS, left)):
                    raise
                continue
            with self._lock:
                self._held[resource] = lease
                self._start()
            return lease

    def check(self, lease: Lease | str) -> None:
        """Fencing: to be called right before an effect, with a lease or the name of its resource.

        Raises ``BlockedError`` when the lease was lost or never held.
        """
        resource = lease if isinstance(lease, str) else lease.resource
        with self._lock:
            held = self._held.get(resource)
        same = held is not None and (isinstance(lease, str) or held.token == lease.token)
        if held is None or not same or not self._beat(held):
            run_id = held.run_id if held is not None else ("" if isinstance(lease, str) else lease.run_id)
            raise BlockedError(
                f"the lease on {resource} was lost: this process was away for longer than "
                f"{self._lapse.total_seconds():.0f} s, and another run may be changing it now",
                hint=f"nothing more is done; continue with: midas-devops runs resume {run_id}",
                location=resource,
            )

    def release(self, lease: Lease) -> None:
        """Give one lease back. Does nothing when it is no longer ours."""
        with self._lock:
            held = self._held.get(lease.resource)
            if held is not None and held.token == lease.token:
                del self._held[lease.resource]
        self._ledger.release(lease)

    def release_all(self, run_id: str) -> None:
        """Give back every lease of a run."""
        with self._lock:
            leases = [lease for lease in self._held.values() if lease.run_id == run_id]
        for lease in leases:
            self.release(lease)

    def close(self) -> None:
        """Stop beating and give everything back."""
        self._closing.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        with self._lock:
            leases = list(self._held.values())
        for lease in leases:
            self.release(lease)

    def _start(self) -> None:
        if self._thread is None and not self._closing.is_set():
            self._thread = threading.Thread(target=self._keep_beating, name="midas-lease", daemon=True)
            self._thread.start()

    def _keep_beating(self) -> None:
        while not self._closing.wait(self._beat_every):
            with self._lock:
                leases = list(self._held.values())
            for lease in leases:
                try:
                    self._beat(lease)
                except StorageError:
                    # The store may be back at the next beat. If not, the lease lapses, and check() says so.
                    continue

    def _beat(self, lease: Lease) -> bool:
        """One beat; False when another run has taken the lease."""
        kept = self._ledger.beat(lease, self._clock())
        if not kept:
            with self._lock:
                held = self._held.get(lease.resource)
                if held is not None and held.token == lease.token:
                    del self._held[lease.resource]
        return kept
