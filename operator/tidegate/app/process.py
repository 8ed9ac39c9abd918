"""The operator's process: what it is made of, in which order it starts, and how it ends.

Start: probes, watches and kopf, then the Lease; once leading, fresh lists, then the first pass.
End: the Lease first, then what is in work (bounded), then the process; nothing needs a tidy end.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from tidegate import __version__, gauges, metrics
from tidegate.app import probes, workflows
from tidegate.app.clock import SystemClock
from tidegate.app.dispatcher import Dispatcher
from tidegate.app.sources import Sources
from tidegate.app.webhook import webhook
from tidegate.app.webhook_tls import Certificates
from tidegate.cluster import census
from tidegate.cluster.access import Access
from tidegate.cluster.api import HttpEventStore, HttpLeaseStore, KubeApi
from tidegate.cluster.book import Book
from tidegate.cluster.client import Client
from tidegate.cluster.events import Teller
from tidegate.cluster.gate import Gate, Pace
from tidegate.cluster.hands import Hands
from tidegate.cluster.lags import Lags
from tidegate.cluster.lease import Elector, Leadership, LeaseTimes
from tidegate.cluster.log_store import HttpLogStore
from tidegate.cluster.memory import Wake
from tidegate.cluster.policies import Policies, PolicyWatch
from tidegate.cluster.queue import Queue
from tidegate.cluster.recorder import Recorder
from tidegate.cluster.refusals import Refusals
from tidegate.cluster.rows import LIVE_PHASES, Row
from tidegate.cluster.view import View
from tidegate.facts.model import AttemptFact
from tidegate.gauges import Census
from tidegate.reconcile import Reconciler, World
from tidegate.settings import Settings

log = logging.getLogger(__name__)

_FIRST_LOOK = 1.0
"""Seconds that the rest of the start waits for the Lease."""
_GATE_TICK = 0.02
_STUCK = 60.0
"""Seconds after which a queue that nobody serves, or an elector that is silent, is unhealthy."""
_RELEASE = 2.5
"""Seconds that giving back the Lease may take."""
_LAST_EVENTS = 1.0
"""Seconds that Events get at the end; those that are left then are dropped."""
FAILED, LOST_LEASE, KOPF_ENDED = 1, 3, 4
"""Exit codes; the last two are mended by a restart."""


class Process:
    """All parts of the operator, put together."""

    def __init__(self, settings: Settings, access: Access, client: Client) -> None:
        self._settings = settings
        self._access = access
        self._client = client
        clock = SystemClock()
        api = KubeApi(client)
        self._clock, self._lags = clock, Lags()
        policies = Policies(clock, self._who_asks, required=settings.require_verified_votes)
        self._view = View(excluded(settings), self._observe, policies.fact)
        self._policies = PolicyWatch(client, policies, self._wake)
        self._queue = Queue(clock)
        self._gate = Gate(
            self._view,
            clock,
            Pace(settings.job_burst, settings.job_rate, settings.unstarted_jobs),
        )
        self._sources = Sources.of(client, self._view, self._wake, settings.namespaces)
        self._refusals = Refusals(api, self._view, self._wake)
        self._teller = Teller(HttpEventStore(client), identity(settings), decided=self._lags.forget)
        self._recorder = Recorder(
            HttpLogStore(client, settings.namespaces),
            (self._view, self._queue, self._teller, clock),
        )
        world = World(
            view=self._view,
            gate=self._gate,
            hands=Hands(api, self._view, self._gate, clock, self._wake),
            book=Book(api, self._view, self._wake),
            teller=self._teller,
            recorder=self._recorder,
            agenda=self._queue,
            clock=clock,
        )
        self._dispatcher = Dispatcher(
            self._queue, Reconciler(world).reconcile, settings.concurrency
        )
        self._loop = asyncio.get_running_loop()
        self._gained = asyncio.Event()
        self._stopped = asyncio.Event()
        self._gained_at = float("inf")
        self._certificates: Certificates | None = None
        self._works = False
        """Whether keys are taken from the queue; a replica that stands by only fills it."""
        self._synced = asyncio.Event()
        self._leads = asyncio.Event()
        """Set once the first pass may begin."""
        times = LeaseTimes(
            settings.lease_duration, settings.lease_renew_deadline, settings.lease_retry_period
        )
        self._leadership = Leadership(
            lambda: elector(settings, times),
            times,
            gained=self._note_gained,
            lost=_end_at_once,
        )

    async def run(self) -> int:
        """Work until told to stop; the exit code."""
        metrics.record_build(__version__)
        metrics.record_leader(leads=False)
        gauges.publish(self._census, lambda: self._sources.silence(time.monotonic()))
        settings = self._settings
        async with AsyncExitStack() as stack:
            health = probes.probes(self.unhealthy, self.unready)
            await stack.enter_async_context(probes.served(health, settings.probe_port, "probes"))
            await stack.enter_async_context(
                probes.served(probes.metrics(), settings.metrics_port, "metrics")
            )
            self._certificates = await stack.enter_async_context(
                webhook(settings.webhook_certificates, settings.webhook_port, serves(settings))
            )
            self._listen_to_signals()
            await self._reach_for_the_lease()
            tasks = [asyncio.create_task(part) for part in self._parts()]
            stopped = asyncio.create_task(self._stopped.wait())
            await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
            code = 0 if stopped.done() else KOPF_ENDED
            for task in tasks:
                if task.done() and not task.cancelled() and task.exception():
                    log.error("a part of the operator failed", exc_info=task.exception())
            if code == KOPF_ENDED:
                log.error("a part of the operator ended; the process ends to start afresh")
            await self._finish()
            return code

    async def _reach_for_the_lease(self) -> None:
        """Look at the Lease first: what is listed once it is held needn't be listed again."""
        self._leadership.start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._gained.wait(), _FIRST_LOOK)

    def _census(self) -> Census | None:
        """Only of a replica that works: it would be summed up with the others'."""
        if not self._works or self._stopped.is_set():
            return None
        return census.take(self._rows(), self._queue.depths, self._clock.now())

    def _rows(self) -> Iterator[Row]:
        """All Workflows but those in namespaces that are left alone."""
        left_alone = excluded(self._settings)
        return (row for row in self._view.rows() if row.key.namespace not in left_alone)

    def unhealthy(self) -> list[str]:
        """Why the process should be started afresh."""
        now = time.monotonic()
        wrong = self._sources.complaints(now)
        if self._works and self._queue.silent_for() > _STUCK:
            wrong.append(f"the queue stands still for {self._queue.silent_for():.0f} s")
        if self._synced.is_set() and now - self._leadership.last_alive > _STUCK:
            wrong.append("the elector is silent")
        return wrong

    def unready(self) -> list[str]:
        """Why this replica could not take over now; standing by is ready."""
        wrong = [] if self._synced.is_set() else ["not everything is listed yet"]
        if self._certificates and not self._certificates.is_loaded:
            wrong.append(f"the webhook has no certificate in {self._settings.webhook_certificates}")
        return wrong

    def _parts(self) -> list[Coroutine[Any, Any, None]]:
        return [
            *(reflector.run() for reflector in self._sources.reflectors),
            self._policies.run(),
            self._follow_workflows(),
            self._sources.list_workflows_every(self._settings.resync_interval),
            self._note_synced(),
            self._lead(),
            self._refusals.run(),
            self._teller.run(),
            self._open_gate(),
            self._keep_logs(),
        ]

    async def _follow_workflows(self) -> None:
        """Until kopf ends, which it never should."""
        # Where kopf doesn't find the kind at its start it never looks again, without a word.
        await workflows.until_served(self._client)
        tasks = await workflows.follow(
            self._access, self._sources.workflows, self._settings.namespaces
        )
        self._listen_to_signals()
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    async def _note_synced(self) -> None:
        await self._sources.synced()
        await self._policies.synced()
        self._synced.set()
        log.info("everything is listed")
        await asyncio.Future()

    async def _lead(self) -> None:
        await self._gained.wait()
        metrics.record_leader(leads=True)
        self._lags.begin(self._clock.now())
        await self._synced.wait()
        await self._sources.resync(self._gained_at)
        await self._policies.resync(self._gained_at)
        for namespace in {row.key.namespace for row in self._rows() if row.phase in LIVE_PHASES}:
            metrics.expect_runs(namespace)
        for key in tuple(self._view.keys()):
            self._queue.add(key)
        log.info("working on %d Workflows", len(self._queue))
        self._queue.begin()
        self._works = True
        self._leads.set()
        await self._dispatcher.run()

    async def _keep_logs(self) -> None:
        """Whoever doesn't lead writes nothing."""
        await self._leads.wait()
        await self._recorder.run()

    async def _open_gate(self) -> None:
        while True:
            if self._gate.is_awaited:
                for key in self._gate.turns():
                    self._queue.add(key, hot=True)
            await asyncio.sleep(_GATE_TICK)

    def _note_gained(self) -> None:
        """Called in the elector's thread."""
        self._gained_at = time.monotonic()
        self._loop.call_soon_threadsafe(self._gained.set)

    def _observe(self, workflow_uid: str, before: AttemptFact, after: AttemptFact) -> None:
        self._lags.observe(workflow_uid, before, after)
        self._recorder.observe(workflow_uid, before, after)

    def _who_asks(self) -> list[Wake]:
        return self._view.asking()

    def _wake(self, wake: Wake) -> None:
        self._queue.add(wake.key, hot=wake.hot)

    def _listen_to_signals(self) -> None:
        """In place of kopf's own handlers, which would cancel everything at once."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stopped.set)

    async def _finish(self) -> None:
        self._dispatcher.stop()
        await asyncio.to_thread(self._leadership.release, _RELEASE)
        metrics.record_leader(leads=False)
        log.info("the Lease is given back")
        grace = self._settings.shutdown_grace
        await asyncio.gather(self._dispatcher.finish(grace), self._recorder.finish(grace))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_EVENTS):
                await self._teller.drain()


def excluded(settings: Settings) -> frozenset[str]:
    """The namespaces to leave alone, the operator's own among them."""
    own = {settings.pod_namespace} if settings.pod_name else set()
    return frozenset({*settings.excluded_namespaces, *own})


def serves(settings: Settings) -> Callable[[str], bool]:
    """Whether the Workflows of a namespace are run here."""
    left_alone = excluded(settings)

    def is_served(namespace: str) -> bool:
        return namespace not in left_alone and namespace in (settings.namespaces or {namespace})

    return is_served


def identity(settings: Settings) -> str:
    """Who holds the Lease.

    A pod's name is never borne by two living processes, so a container that was killed takes its
    Lease up again at once; elsewhere the process id has to tell.
    """
    return settings.pod_name or f"{socket.gethostname()}_{os.getpid()}"


@asynccontextmanager
async def elector(settings: Settings, times: LeaseTimes) -> AsyncIterator[Elector]:
    """An elector with connections of its own, for the thread that it lives in."""
    async with Client(await Access.load()) as client:
        store = HttpLeaseStore(client, settings.pod_namespace, settings.lease_name, times.renew / 2)
        yield Elector(store, identity(settings), times)


def _end_at_once(why: str) -> None:
    """Whoever isn't the leader any more must not write; the loop may be too busy to be told."""
    log.critical("the process ends: %s", why)
    sys.stderr.flush()
    os._exit(LOST_LEASE)


async def main(settings: Settings) -> int:
    """Run the operator; the exit code."""
    access = await Access.load()
    log.info("Tidegate %s works with %s", __version__, access.server)
    async with Client(access) as client:
        code = FAILED
        try:
            code = await Process(settings, access, client).run()
            log.info("bye")
        except Exception:
            log.exception("the process failed")
        finally:
            # kopf needs five seconds to take itself apart; nothing of it needs a tidy end.
            sys.stderr.flush()
            os._exit(code)
