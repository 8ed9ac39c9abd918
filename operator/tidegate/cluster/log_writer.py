"""Writes one log once: reads what stands there and what pods printed, and puts it together."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from tidegate import constants as c
from tidegate.api.identity import log_name
from tidegate.api.status import LogRef, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.cluster import tails
from tidegate.cluster.book import as_stored
from tidegate.cluster.log_store import LogStore
from tidegate.cluster.ports import Raw
from tidegate.cluster.tails import Ended
from tidegate.errors import ApiError, Conflict
from tidegate.facts.model import Facts, WorkflowFact
from tidegate.report.markdown import render
from tidegate.report.model import Report, Tail, node_key, node_of, run_of, tells_of
from tidegate.report.volume import (
    LIMIT,
    Mark,
    Section,
    Volume,
    as_one,
    composed,
    digest_input,
    going_on,
    is_full,
)

_READ_WITHIN: Final = 20.0
"""Seconds that reading tails may take in all; those that are late are asked for the next time."""
_READ_AT_ONCE: Final = 8
_LOST_AFTER: Final = 60.0
"""Seconds after which a tail that can't be read is given up."""

T = TypeVar("T")


class ForeignLog(ApiError):
    """A ConfigMap of the log's name isn't ours, and so is never written."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A status that is to be told, with what its run runs."""

    workflow: ValidatedWorkflow | None
    status: WorkflowStatus


@dataclass(frozen=True, slots=True)
class Task:
    """One log to write."""

    fact: WorkflowFact
    snapshot: Snapshot
    facts: Facts
    retain: bool
    early: Mapping[str, Tail]
    """Tails that were read before their attempts had ended."""
    overdue: dict[str, float]
    """Since when a tail can't be read, by the loop's time; kept up to date."""
    limit: int = LIMIT

    @property
    def run(self) -> int:
        """The run that is told of."""
        return self.snapshot.status.run

    @property
    def is_over(self) -> bool:
        """Whether that run has ended."""
        return self.snapshot.status.is_over


class Written(NamedTuple):
    """What became of it."""

    settled: frozenset[str]
    """Attempts that the log has nothing more to say of."""
    pending: bool
    """Whether tails are missing that may still be read."""
    lost: tuple[str, ...]
    """Attempts whose tails were found to be lost."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """A ConfigMap as it stands; without a version it is yet to be created."""

    name: str
    volume: Volume = field(default_factory=Volume)
    uid: str = ""
    version: str = ""


def digest_of(stored: Mapping[str, Any]) -> str:
    """The digest of a stored status, as far as a log tells of it."""
    return hashlib.sha256(digest_input(stored)).hexdigest()[:16]


class Offload(Protocol):
    """Runs what takes long where it holds up nothing else."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """The result of ``work``."""


async def in_thread(work: Callable[[], T]) -> T:
    """Off the loop: a large log takes long enough to delay a hand-off."""
    return await asyncio.to_thread(work)


class Writer:
    """Writes logs; keeps nothing."""

    def __init__(self, store: LogStore, offload: Offload = in_thread) -> None:
        self._store = store
        self._offload = offload

    async def write(self, task: Task) -> Written:
        """Bring a log up to its task's status.

        Raises:
            ApiError: it could not be written, or only as far as the next try will find out.
        """
        stored = await self._open(task)
        mark, run = stored.volume.mark, task.run
        found = list(tails.ended(task.snapshot.workflow, task.snapshot.status, task.facts))
        settled = frozenset(one.key for one in found)
        digest = await self._offload(lambda: digest_of(as_stored(task.snapshot.status)))
        told = mark is not None and (mark.run, mark.status) == (run, digest) and stored.version
        if told or stored.volume.outdates(run, over=task.is_over):
            return Written(settled, pending=False, lost=())
        room = _room(mark) if mark is not None and mark.run == run else None
        kept = stored.volume.tails(run)
        owed = tails.owed(iter(found), kept, room)
        read = await self._collect(task, owed)
        pending = frozenset(one.key for one in owed) - read.keys()
        section = _section(task, stored, found, {**kept, **read})
        section = replace(section, status="" if pending else digest)
        after = await self._offload(lambda: composed(stored.volume, section, task.limit))
        if after != stored.volume or not stored.version:
            await self._put(task, stored, after)
        lost = tuple(key for key, tail in read.items() if tail.lost)
        return Written(settled - pending, bool(pending), lost)

    async def _open(self, task: Task) -> _Stored:
        """The ConfigMap that the run is told in."""
        name = log_name(task.fact.key.name, task.fact.uid, retain=task.retain)
        stored, second = await self._load(task, name), f"{name}-2"
        if not stored.version and task.retain:
            return replace(stored, volume=await self._owned_before(task))
        mark = stored.volume.mark
        if mark is None or mark.next != second:
            if not stored.version or not is_full(stored.volume, task.run, task.limit):
                return stored
            await self._put(task, stored, going_on(stored.volume, second))
        return await self._load(task, second)

    async def _owned_before(self, task: Task) -> Volume:
        """What was written before the log was to be retained."""
        name = log_name(task.fact.key.name, task.fact.uid, retain=False)
        first, second = await self._mine(task, name), f"{name}-2"
        if first.mark is None or first.mark.next != second:
            return first
        return as_one(first, await self._mine(task, second))

    async def _mine(self, task: Task, name: str) -> Volume:
        try:
            return (await self._load(task, name)).volume
        except ForeignLog:
            return Volume()

    async def _load(self, task: Task, name: str) -> _Stored:
        key = task.fact.key
        raw = await self._store.get(key.namespace, name)
        if raw is None:
            return _Stored(name)
        metadata = raw["metadata"]
        if (metadata.get("labels") or {}).get(c.LABEL_WORKFLOW_UID) != task.fact.uid:
            reason = "BeingReplaced" if _is_of_namesake(metadata, key.name) else "Foreign"
            raise ForeignLog(
                f"the ConfigMap {name} isn't this Workflow's log and is left alone; delete it or "
                "give it another name",
                reason=reason,
            )
        mark = Mark.parse((metadata.get("annotations") or {}).get(c.ANNOTATION_LOG, ""))
        volume = Volume(mark, raw.get("data") or {})
        return _Stored(name, volume, metadata["uid"], metadata["resourceVersion"])

    async def _collect(self, task: Task, owed: Sequence[Ended]) -> dict[str, Tail]:
        """The tails that can be had now, and those that are lost for good."""
        found = {one.key: task.early.get(one.key) or Tail("", lost=tails.GONE) for one in owed}
        asked = [one for one in owed if one.pod is not None]
        slots = asyncio.Semaphore(_READ_AT_ONCE)

        async def ask(one: Ended) -> None:
            async with slots:
                tail = await self._tail(task, one)
            if tail is None:
                del found[one.key]
            elif not tail.lost or one.key not in task.early:
                found[one.key] = tail

        requests = [asyncio.create_task(ask(one)) for one in asked]
        if requests:
            _, late = await asyncio.wait(requests, timeout=_READ_WITHIN)
            for one, request in zip(asked, requests, strict=True):
                if request in late:
                    request.cancel()
                    found.pop(one.key, None)
                else:
                    request.result()
        return found

    async def _tail(self, task: Task, one: Ended) -> Tail | None:
        """The tail of one attempt; None where it may be had later."""
        if one.pod is None:
            return None
        now = asyncio.get_running_loop().time()
        try:
            tail = await tails.read(self._store, task.fact.key.namespace, one.pod, one.lines)
        except ApiError as error:
            since = task.overdue.setdefault(one.key, now)
            if now - since < _LOST_AFTER:
                return None
            tail = Tail("", lost=f"its log could not be read: {error.message[:200]}")
        task.overdue.pop(one.key, None)
        return tail

    async def _put(self, task: Task, stored: _Stored, after: Volume) -> None:
        """Create or change the ConfigMap, under its resourceVersion."""
        metadata = _metadata(task, after)
        namespace = task.fact.key.namespace
        if not stored.version:
            metadata |= {"name": stored.name, "namespace": namespace}
            body: Raw = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": metadata,
                "data": dict(after.data),
            }
            await self._store.create(namespace, body)
            return
        metadata |= {"uid": stored.uid, "resourceVersion": stored.version}
        before = stored.volume.data
        changed: dict[str, str | None] = {
            key: value for key, value in after.data.items() if before.get(key) != value
        }
        changed |= dict.fromkeys(before.keys() - after.data.keys())
        await self._store.patch(namespace, stored.name, {"metadata": metadata, "data": changed})


def _room(mark: Mark) -> datetime | None:
    try:
        return datetime.fromisoformat(mark.room).astimezone(UTC) if mark.room else None
    except ValueError:
        return None


def _is_of_namesake(metadata: Raw, name: str) -> bool:
    """Whether it is the log of a former Workflow of that name, which will soon be collected."""
    owners: Iterable[Raw] = metadata.get("ownerReferences") or ()
    return any((one.get("kind"), one.get("name")) == (c.KIND, name) for one in owners)


def _metadata(task: Task, volume: Volume) -> dict[str, Any]:
    fact = task.fact
    owner = {
        "apiVersion": c.API_VERSION,
        "kind": c.KIND,
        "name": fact.key.name,
        "uid": fact.uid,
    }
    return {
        "labels": {
            c.LABEL_WORKFLOW: fact.key.name,
            c.LABEL_WORKFLOW_UID: fact.uid,
            "app.kubernetes.io/managed-by": "tidegate",
        },
        "annotations": {c.ANNOTATION_LOG: volume.mark.dump() if volume.mark else ""},
        "ownerReferences": [] if task.retain else [owner],
    }


def _section(
    task: Task, stored: _Stored, found: Sequence[Ended], known: Mapping[str, Tail]
) -> Section:
    snapshot, nodes = task.snapshot, tells_of(task.snapshot.status)
    workflow = snapshot.workflow
    images = _images(task.facts, stored.volume, nodes)
    runs = {run_of(node, snapshot.status) for node in snapshot.status.nodes.values()}
    kept = {
        key: tail
        for run in runs
        for key, tail in stored.volume.tails(run).items()
        if node_of(key) in nodes
    }
    here = LogRef(config_map=stored.name)
    report = Report(
        key=task.fact.key,
        workflow=workflow,
        status=snapshot.status.model_copy(update={"log": here}),
        params={param.name: param.value for param in workflow.spec.params} if workflow else {},
        tails={**kept, **known},
        images=images,
    )
    return Section(
        run=task.run,
        status="",
        over=task.is_over,
        tails=known,
        images=images,
        ended={one.key: one.at for one in found if one.at is not None},
        render=lambda budget: render(report, budget),
    )


def _images(facts: Facts, before: Volume, nodes: Container[str]) -> dict[str, list[str]]:
    """What the ``nodes`` ran, as far as it is kept or their pods are there."""
    kept = {(key, image) for image, keys in before.images().items() for key in keys}
    seen = {
        (node_key(attempt.run, attempt.node), pod.image_id)
        for attempt, fact in facts.attempts.items()
        for pod in fact.pods
        if pod.image_id
    }
    found: dict[str, list[str]] = {}
    for key, image in sorted(kept | seen):
        if key in nodes:
            found.setdefault(image, []).append(key)
    return found


__all__ = ["Conflict", "ForeignLog", "Snapshot", "Task", "Writer", "Written", "digest_of"]
