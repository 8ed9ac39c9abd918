"""The port ``Api`` over the cluster in memory: latency, errors, lost answers, and sudden death."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol, TypeVar

from tests.sim.garbage import Collector
from tests.sim.store import (
    JOB,
    NAMESPACE,
    POD,
    WORKFLOW,
    Raw,
    executor,
    label,
    merge_patch,
    with_spec,
)
from tests.sim.world import World
from tidegate import constants as c
from tidegate import errors
from tidegate.cluster import ports

_T = TypeVar("_T")
WRITES = ("create_job", "patch_job", "delete_job", "delete_pod", "patch_status", "delete_workflow",
          "create_log", "patch_log")  # fmt: skip


@dataclass(slots=True)
class Faults:
    """What goes wrong between operators and the API server; each only so often in a history."""

    chance: random.Random
    rate: float = 0.0
    """How likely a request is to meet trouble."""
    kinds: tuple[str, ...] = ()
    budget: int = 0
    slow: float = 0.0
    """How likely a request is to take a second or more."""
    writes: int = 0
    """Counted over all operators."""

    def draw(self) -> str:
        if self.budget > 0 and self.kinds and self.chance.random() < self.rate:
            self.budget -= 1
            return self.chance.choice(self.kinds)
        return ""

    def latency(self) -> float:
        if self.chance.random() < self.slow:
            return self.chance.uniform(0.5, 5.0)
        return self.chance.uniform(0.002, 0.02)


ALL_FAULTS = ("429", "500", "lost-before", "lost-after", "kill-before", "kill-after")


class Caller(Protocol):
    """The operator process that sends requests."""

    name: str

    async def thawed(self) -> None:
        """Return once the process runs; never in a dead one."""

    def kill(self) -> None:
        """It is gone, now."""


class SimApi:
    """Requests of one operator process."""

    def __init__(self, world: World, collector: Collector, faults: Faults, caller: Caller) -> None:
        self._world = world
        self._store = world.store
        self._collector = collector
        self._faults = faults
        self._caller = caller

    async def create_job(self, namespace: str, manifest: ports.Raw) -> Raw:
        return await self._call(
            "create_job", manifest["metadata"]["name"], lambda: self._post(dict(manifest))
        )

    async def get_job(self, namespace: str, name: str) -> Raw:
        return await self._call("get_job", name, lambda: self._store.find(JOB, name))

    async def patch_job(self, namespace: str, name: str, patch: ports.Raw) -> Raw:
        return await self._call("patch_job", name, lambda: self._patch(name, dict(patch)))

    async def delete_job(self, namespace: str, name: str, uid: str) -> None:
        def act() -> None:
            job = self._store.live(JOB, name, uid)
            if job is not None:
                self._collector.delete_job(job, "Foreground")

        await self._call("delete_job", name, act)

    async def list_pods(self, namespace: str, job_uid: str) -> Sequence[Raw]:
        def act() -> list[Raw]:
            return [x for x in self._store.all(POD) if label(x, c.LABEL_JOB_UID) == job_uid]

        return await self._call("list_pods", job_uid, act)

    async def delete_pod(self, namespace: str, name: str, uid: str) -> None:
        def act() -> None:
            pod = self._store.live(POD, name, uid)
            if pod is not None:
                self._collector.delete_pod(pod, self._world.climate.grace)

        await self._call("delete_pod", name, act)

    async def list_job_events(self, namespace: str, job_uid: str) -> Sequence[Raw]:
        return await self._call(
            "list_events", job_uid, lambda: list(self._store.events.get(job_uid, ()))
        )

    async def get_workflow(self, namespace: str, name: str) -> Raw:
        return await self._call("get_workflow", name, lambda: self._store.find(WORKFLOW, name))

    async def patch_status(self, namespace: str, name: str, patch: ports.Raw) -> Raw:
        return await self._call("patch_status", name, lambda: self._patch_status(name, dict(patch)))

    async def delete_workflow(
        self, namespace: str, name: str, uid: str, resource_version: str
    ) -> None:
        def act() -> None:
            workflow = self._store.find(WORKFLOW, name)
            _check(workflow, {"uid": uid, "resourceVersion": resource_version})
            self._collector.delete_workflow(workflow, "Foreground")

        await self._call("delete_workflow", name, act)

    async def _call(self, verb: str, name: str, act: Callable[[], _T]) -> _T:
        """Send, carry out, answer; with whatever goes wrong in between."""
        if verb in WRITES:
            self._faults.writes += 1
        fate = self._faults.draw()
        await self._pause(self._faults.latency())
        if fate in ("429", "500", "lost-before", "kill-before"):
            self._world.trace.add(self._caller.name, verb, name, f"-> {fate}")
            await self._fail(fate)
        error: errors.ApiError | None = None
        try:
            result = act()
        except errors.ApiError as caught:
            error = caught
        told = f"-> {type(error).__name__}" if error else f"-> {fate or 'ok'}"
        self._world.trace.add(self._caller.name, verb, name, told)
        await self._pause(self._faults.latency())
        if fate:
            await self._fail(fate)
        if error is not None:
            raise error
        return result

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._caller.thawed()

    async def _fail(self, fate: str) -> NoReturn:
        if fate == "429":
            raise errors.Throttled("the server has received too many requests", retry_after=1.0)
        if fate == "500":
            raise errors.ServerFault(
                "etcdserver: leader changed", status=500, reason="InternalError"
            )
        if fate.startswith("kill"):
            self._caller.kill()
            await self._caller.thawed()
        raise errors.Unreachable("connection reset by peer")

    def _post(self, manifest: Raw) -> Raw:
        if executor(manifest) in self._world.invalid:
            raise errors.Invalid('strict decoding error: unknown field "spec.x"', status=400)
        if self._world.lag.random() < self._world.queued:
            manifest = with_spec(manifest, suspend=True)
        return self._store.create(JOB, {**manifest, "status": {}})

    def _patch(self, name: str, patch: Raw) -> Raw:
        job = self._store.find(JOB, name)
        _check(job, patch.get("metadata", {}))
        return self._store.update(JOB, merge_patch(job, patch))

    def _patch_status(self, name: str, patch: Raw) -> Raw:
        workflow = self._store.find(WORKFLOW, name)
        _check(workflow, patch.get("metadata", {}))
        status = merge_patch(workflow.get("status", {}), patch.get("status", {}))
        self._world.trace.add(self._caller.name, "status", name, _short(patch.get("status", {})))
        return self._store.update(WORKFLOW, {**workflow, "status": status})


def _check(raw: Raw, preconditions: Raw) -> None:
    for field in ("uid", "resourceVersion"):
        wanted = preconditions.get(field)
        if wanted is not None and wanted != raw["metadata"][field]:
            raise errors.Conflict(f"{field} differs", status=409, reason="Conflict")


def _short(status: Raw) -> Raw:
    """Without what nobody reads in a trace."""
    return {key: value for key, value in status.items() if key != "conditions"}


__all__ = ["ALL_FAULTS", "NAMESPACE", "Caller", "Faults", "SimApi"]
