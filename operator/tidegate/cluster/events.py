"""Tells people and metrics what was recorded: a worker behind a bounded queue, best effort.

Events of the same run with the same words become one with a count, and many of one kind are merged.
What can't be written is counted and dropped: an Event never holds back a run.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from tidegate import constants as c
from tidegate import metrics
from tidegate.api.identity import digest
from tidegate.cluster.crowd import Crowds
from tidegate.engine.model import Note, NoteKind, Observation
from tidegate.engine.notes import shortened
from tidegate.errors import AlreadyExists, ApiError, NotFound, TryAgain
from tidegate.facts.model import WorkflowFact

log = logging.getLogger("tidegate.events")

_QUEUED = 2000
_KNOWN = 2000
"""Events that are remembered, to count rather than repeat them."""
_PER_SECOND = 10.0
_AT_ONCE = 100
_TRIES = 3
_MAX_BYTES = 1024
"""Of the words of an Event."""
_LAST = frozenset(
    {NoteKind.WORKFLOW_SUCCEEDED, NoteKind.WORKFLOW_FAILED, NoteKind.WORKFLOW_CANCELLED}
)
"""What comes after everything else that there is to tell of a run."""


class EventStore(Protocol):
    """Events on the API server."""

    async def create(self, namespace: str, event: Mapping[str, Any]) -> None:
        """POST one."""

    async def patch(self, namespace: str, name: str, patch: Mapping[str, Any]) -> None:
        """Merge patch of one."""


@dataclass(slots=True)
class _Told:
    """Something that was told, as an Event that is counted up while the API server keeps it."""

    namespace: str
    body: dict[str, Any]
    count: int = 0
    """How often it happened, as far as its Event tells."""
    stands: bool = False
    """Whether its Event was created; the API server forgets Events after a while (its TTL)."""


class Teller:
    """The port ``Teller``; ``run`` does the writing."""

    def __init__(
        self,
        store: EventStore,
        reporter: str,
        monotonic: Callable[[], float] = time.monotonic,
        decided: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``decided`` is called with the uid of a Workflow whose checkpoint was decided."""
        self._store = store
        self._decided = decided
        self._reporter = reporter
        self._monotonic = monotonic
        self._queue: asyncio.Queue[_Told] = asyncio.Queue(_QUEUED)
        self._known: OrderedDict[str, _Told] = OrderedDict()
        self._crowds = Crowds()
        self._held = asyncio.Event()
        self._tokens, self._filled_at = float(_AT_ONCE), monotonic()

    def tell(
        self, workflow: WorkflowFact, notes: Sequence[Note], observations: Sequence[Observation]
    ) -> None:
        """Hand over for telling; never raises, never waits."""
        for observation in observations:
            if observation.name == "checkpoint_decided":
                self._decided(workflow.uid)
            try:
                metrics.record(
                    observation.name,
                    observation.value,
                    observation.labels,
                    workflow.key.namespace,
                )
            except Exception:
                log.exception("no metric takes %r", observation)
        for note in notes:
            self._say(workflow, note)
            if note.kind in _LAST:
                self._put_all(self._crowds.rest(workflow.uid))
            if self._crowds.admit(workflow, note, self._monotonic()):
                self._put(workflow, note)
            else:
                self._held.set()

    async def run(self) -> None:
        """Write Events until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_of_crowds())
            while True:
                told = await self._queue.get()
                await self._take_token()
                told.count += 1
                await self._write(told)
                self._queue.task_done()

    async def drain(self) -> None:
        """Return once everything that was handed over is written or dropped."""
        self._put_all(self._crowds.rest())
        await self._queue.join()

    async def _tell_of_crowds(self) -> None:
        while True:
            await self._held.wait()
            self._held.clear()
            while (seconds := self._crowds.due_in(self._monotonic())) is not None:
                await asyncio.sleep(seconds)
                self._put_all(self._crowds.due(self._monotonic()))

    def _put_all(self, notes: Iterable[tuple[WorkflowFact, Note]]) -> None:
        for workflow, note in notes:
            self._put(workflow, note)

    def _say(self, workflow: WorkflowFact, note: Note) -> None:
        level = logging.WARNING if note.warning else logging.INFO
        fields = {"workflow": str(workflow.key), "reason": note.kind.value}
        fields |= {"node": note.node} if note.node else {}
        fields |= {"attempt": str(note.attempt)} if note.attempt else {}
        log.log(level, "%s", note.message, extra=fields)

    def _put(self, workflow: WorkflowFact, note: Note) -> None:
        run = workflow.status.get("run", 0)
        identity = digest(workflow.uid, run, note.kind, note.node, note.message).hex()[:16]
        told = self._known.get(identity)
        if told is None:
            body = self._event(workflow, note, identity)
            told = self._known[identity] = _Told(workflow.key.namespace, body)
        self._known.move_to_end(identity)
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        try:
            self._queue.put_nowait(told)
        except asyncio.QueueFull:
            metrics.record_event_error()

    def _event(self, workflow: WorkflowFact, note: Note, identity: str) -> dict[str, Any]:
        key = workflow.key
        return {
            "apiVersion": "v1",
            "kind": "Event",
            # The same event of another process life gets the same name and is counted up.
            "metadata": {"name": f"{key.name[:200]}.{identity}", "namespace": key.namespace},
            "involvedObject": {
                "apiVersion": c.API_VERSION,
                "kind": c.KIND,
                "namespace": key.namespace,
                "name": key.name,
                "uid": workflow.uid,
            },
            "type": "Warning" if note.warning else "Normal",
            "reason": note.kind.value,
            "message": shortened(note.message, _MAX_BYTES),
            "source": {"component": "tidegate"},
            "reportingComponent": f"{c.GROUP}/operator",
            "reportingInstance": self._reporter[:128],
        }

    async def _write(self, told: _Told) -> None:
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        for attempt in range(_TRIES):
            try:
                await self._send(told, now)
            except TryAgain as error:
                if attempt == _TRIES - 1:
                    self._count_error(error)
                await asyncio.sleep(0.5 * 2**attempt)
            except ApiError as error:
                self._count_error(error)
                return
            else:
                return

    async def _send(self, told: _Told, now: str) -> None:
        if told.stands:
            try:
                await self._count_up(told, now)
            except NotFound:
                told.stands = False
            else:
                return
        told.count = 1
        body = told.body | {"firstTimestamp": now, "lastTimestamp": now, "count": told.count}
        try:
            await self._store.create(told.namespace, body)
        except AlreadyExists:
            told.count += 1
            await self._count_up(told, now)
        told.stands = True

    async def _count_up(self, told: _Told, now: str) -> None:
        patch = {"lastTimestamp": now, "count": told.count}
        await self._store.patch(told.namespace, told.body["metadata"]["name"], patch)

    def _count_error(self, error: ApiError) -> None:
        metrics.record_event_error()
        log.debug("an event was not written: %s", error)

    async def _take_token(self) -> None:
        now = self._monotonic()
        self._tokens += (now - self._filled_at) * _PER_SECOND
        self._tokens = min(float(_AT_ONCE), self._tokens) - 1.0
        self._filled_at = now
        if self._tokens < 0.0:
            await asyncio.sleep(-self._tokens / _PER_SECOND)
