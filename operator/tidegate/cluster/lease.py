"""Which replica works: a Lease, kept by a thread and an event loop of its own.

No write relies on it for correctness; it keeps replicas from working against each other. A busy
main loop can't lose it, and all deadlines are monotonic, counted from before a request left.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from tidegate.errors import AlreadyExists, ApiError, Conflict, NotFound

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds; ``retry < renew < duration``."""

    duration: float = 15.0
    """How long others wait for a leader that is silent."""
    renew: float = 10.0
    """How long a leader goes on without a renewal."""
    retry: float = 2.0
    """Between two looks."""


class LeaseStore(Protocol):
    """The one Lease, on the API server."""

    async def get(self) -> Mapping[str, Any]:
        """GET it."""

    async def create(self, lease: Mapping[str, Any]) -> Mapping[str, Any]:
        """POST it."""

    async def replace(self, lease: Mapping[str, Any]) -> Mapping[str, Any]:
        """PUT it under its resourceVersion."""


class Elector:
    """Takes the Lease when it is free, and holds it.

    How long another holder was silent is measured from when this process saw the Lease change, so
    the clocks of the replicas needn't agree.
    """

    def __init__(
        self,
        store: LeaseStore,
        identity: str,
        times: LeaseTimes,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = identity
        self._store = store
        self._times = times
        self._monotonic = monotonic
        self._seen: Mapping[str, Any] = {}
        self._seen_at = 0.0
        self._held: Mapping[str, Any] | None = None
        self._leads = False
        self._valid_until = 0.0

    @property
    def remaining(self) -> float:
        """For how many seconds a Lease that is held may be relied on; 0 if it may not."""
        return max(0.0, self._valid_until - self._monotonic()) if self._leads else 0.0

    async def look(self) -> bool:
        """Take, or renew, the Lease if possible; whether it is held then.

        Raises:
            ApiError: the Lease could not be read or written; what was held is held on.
        """
        asked_at = self._monotonic()
        lease = self._held or await self._read(asked_at)
        if lease and not self._may_take(lease, asked_at):
            return False
        wanted = self._claim(lease)
        try:
            if lease:
                self._held = await self._store.replace(wanted)
            else:
                self._held = await self._store.create(wanted)
        except (Conflict, AlreadyExists, NotFound):
            # Somebody else wrote it, or our own write was carried out and its answer was lost.
            return await self._after_conflict(asked_at)
        self._extend(asked_at)
        return True

    async def release(self) -> None:
        """Let others take it at once."""
        held, self._held, self._leads = self._held, None, False
        if held is None:
            return
        spec = {**held["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        with contextlib.suppress(ApiError, TimeoutError):
            async with asyncio.timeout(self._times.retry):
                await self._store.replace({**held, "spec": spec})

    async def _after_conflict(self, asked_at: float) -> bool:
        self._held = None
        lease = await self._read(asked_at)
        if lease and lease.get("spec", {}).get("holderIdentity") == self.identity:
            self._held = lease
            self._extend(asked_at)
            return True
        self._leads = False
        return False

    def _extend(self, asked_at: float) -> None:
        self._leads = True
        self._valid_until = asked_at + self._times.renew

    async def _read(self, now: float) -> Mapping[str, Any]:
        try:
            lease = await self._store.get()
        except NotFound:
            return {}
        if lease["metadata"]["resourceVersion"] != self._seen.get("version"):
            self._seen = {"version": lease["metadata"]["resourceVersion"]}
            self._seen_at = now
        return lease

    def _may_take(self, lease: Mapping[str, Any], now: float) -> bool:
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        if holder in ("", self.identity):
            return True
        # What a pause of the whole process did to the other holder is unknown: it waits anew.
        patience = float(spec.get("leaseDurationSeconds") or self._times.duration)
        return now - self._seen_at > patience

    def _claim(self, lease: Mapping[str, Any]) -> dict[str, Any]:
        spec = dict(lease.get("spec") or {})
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
        if spec.get("holderIdentity") != self.identity:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
        spec |= {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": max(1, round(self._times.duration)),
            "renewTime": now,
        }
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": lease.get("metadata") or {},
            "spec": spec,
        }


class Leadership:
    """Runs an elector in its own thread until it loses the Lease or is told to stop.

    ``gained`` and ``lost`` are called in that thread.
    """

    def __init__(
        self,
        open_elector: Callable[[], "contextlib.AbstractAsyncContextManager[Elector]"],
        times: LeaseTimes,
        *,
        gained: Callable[[], None],
        lost: Callable[[str], None],
    ) -> None:
        self._open_elector = open_elector
        self._times = times
        self._gained = gained
        self._lost = lost
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._main, name="lease", daemon=True)
        self.last_alive = time.monotonic()
        """When the thread last looked at the Lease, or tried to."""

    def start(self) -> None:
        """Begin to look at the Lease."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def release(self, timeout: float) -> None:
        """Give the Lease back, waiting no longer than ``timeout`` seconds; then nothing is held."""
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # the thread's loop has ended already
                self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(timeout)

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except Exception as error:
            log.exception("the elector failed")
            self._lost(f"the elector failed: {error}")

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with self._open_elector() as elector:
            try:
                await self._hold(elector, self._stop)
            finally:
                await elector.release()

    async def _hold(self, elector: Elector, stop: asyncio.Event) -> None:
        led = False
        while not stop.is_set():
            self.last_alive = time.monotonic()
            patience = elector.remaining if led else self._times.renew
            if patience == 0.0:
                self._lost("it was not renewed in time: the process was held up, or had no answers")
                return
            leads = await self._look(elector, patience)
            if leads and not led:
                led = True
                log.info("leading as %s", elector.identity)
                self._gained()
            if led and not leads:
                self._lost("another replica holds the Lease, or it could not be renewed in time")
                return
            pause = min(self._times.retry, elector.remaining) if led else self._times.retry
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    async def _look(self, elector: Elector, patience: float) -> bool:
        """Whether the Lease is held after a look, which ends while it can still be relied on."""
        try:
            async with asyncio.timeout(min(self._times.renew / 2, patience)):
                return await elector.look()
        except (ApiError, TimeoutError) as error:
            log.warning("looking at the Lease failed: %s", str(error) or "no answer in time")
            return elector.remaining > 0.0
