"""Logs in memory, and Workflows to write about."""

import asyncio
import copy
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from tests.unit.cluster.objects import KEY, T0, UID, merged
from tidegate import errors
from tidegate.api.identity import AttemptId, WorkflowKey, job_name
from tidegate.api.status import (
    Failure,
    JobRef,
    LogRef,
    NodePhase,
    NodeStatus,
    Phase,
    WorkflowStatus,
)
from tidegate.api.workflow import ValidatedWorkflow, validate
from tidegate.facts.model import (
    AttemptFact,
    ContainerEnd,
    Existence,
    Facts,
    PodFact,
    WorkflowFact,
)

Json = dict[str, Any]
T = TypeVar("T")

SPEC: Json = {"nodes": [{"name": "a", "image": "busybox", "command": ["true"]}]}


class FakeLogs:
    """The port ``LogStore`` over dicts; ``trouble[verb]`` holds what happens to the next requests.

    An error is raised before the request is carried out, ``("after", error)`` once it was;
    ``"hang"`` never answers.
    """

    def __init__(self) -> None:
        self.maps: dict[str, Json] = {}
        self.outputs: dict[str, bytes] = {}
        """What containers printed, by ``pod/container``."""
        self.calls: list[tuple[str, ...]] = []
        self.trouble: dict[str, list[Any]] = defaultdict(list)
        self._version = 0

    def count(self, *verbs: str) -> int:
        return sum(call[0] in verbs for call in self.calls)

    @property
    def text(self) -> str:
        return str(self.maps[f"{KEY.name}-log"]["data"]["log.md"])

    async def _meet(self, *call: str) -> Any:
        self.calls.append(call)
        await asyncio.sleep(0)
        waiting = self.trouble[call[0]]
        trouble = waiting.pop(0) if waiting else None
        if trouble == "hang":
            await asyncio.Event().wait()
        if isinstance(trouble, Exception):
            raise trouble
        return trouble

    def _put(self, name: str, raw: Json) -> None:
        self._version += 1
        raw["metadata"]["resourceVersion"] = str(self._version)
        self.maps[name] = raw

    async def get(self, _namespace: str, name: str) -> Json | None:
        await self._meet("get", name)
        return copy.deepcopy(self.maps.get(name))

    async def create(self, _namespace: str, body: Mapping[str, Any]) -> None:
        name = body["metadata"]["name"]
        trouble = await self._meet("create", name)
        if name in self.maps:
            raise errors.from_status(409, "AlreadyExists", f'configmaps "{name}" already exists')
        raw = copy.deepcopy(dict(body))
        raw["metadata"]["uid"] = f"cm-{name}"
        self._put(name, raw)
        _after(trouble)

    async def patch(self, _namespace: str, name: str, patch: Mapping[str, Any]) -> None:
        trouble = await self._meet("patch", name)
        raw = self.maps[name]
        for key in ("uid", "resourceVersion"):
            if patch["metadata"][key] != raw["metadata"][key]:
                raise errors.from_status(409, "Conflict", "the object has been modified")
        self._put(name, merged(raw, patch))
        _after(trouble)

    async def marks(self) -> Sequence[Json]:
        await self._meet("marks")
        return [{"metadata": raw["metadata"]} for raw in self.maps.values()]

    async def tail(
        self, _namespace: str, pod: str, container: str, lines: int, limit: int
    ) -> bytes:
        await self._meet("tail", pod, container, str(lines))
        output = self.outputs.get(f"{pod}/{container}")
        if output is None:
            raise errors.from_status(404, "NotFound", f'pods "{pod}" not found')
        return b"".join(output.splitlines(keepends=True)[-lines:])[:limit]


def _after(trouble: Any) -> None:
    if isinstance(trouble, tuple):
        raise trouble[1]


async def inline(work: Callable[[], T]) -> T:
    """No thread: tests look at what happens in which order."""
    return work()


def fact(spec: Json | None = None, *, key: WorkflowKey = KEY, **fields: Any) -> WorkflowFact:
    known: Json = {
        "uid": UID, "generation": 1, "resource_version": "1", "created_at": T0, "deleting": False,
        "annotations": {}, "restored": False, "spec": spec or SPEC, "status": {},
    }  # fmt: skip
    return WorkflowFact(key=key, **known | fields)


def valid(spec: Json | None = None) -> ValidatedWorkflow:
    return validate(fact(spec))


def node(phase: str = "Succeeded", number: int = 1, *, at: float = 5, **fields: Any) -> NodeStatus:
    """A node whose latest attempt is ``number``; those before it failed."""
    run = fields.pop("run", 1)
    failures = tuple(
        Failure(attempt=one, reason="ExitCode", exit_code=1, finished_at=later(at - number + one))
        for one in range(1, number + (phase == "Failed"))
    )
    known: Json = {
        "phase": NodePhase(phase),
        "reason": "ExitCode" if phase == "Failed" else None,
        "wave": 1,
        "attempt": number,
        "job": JobRef(name=job_name(KEY.name, UID, AttemptId(run, "a", number)), run=run),
        "started_at": later(0),
        "finished_at": later(at) if phase in ("Succeeded", "Failed", "Cancelled") else None,
        "failures": failures,
    }
    return NodeStatus(**known | fields)


def status(phase: str = "Succeeded", run: int = 1, **fields: Any) -> WorkflowStatus:
    over = phase in ("Succeeded", "Failed", "Cancelled")
    known: Json = {
        "observed_generation": 1,
        "phase": Phase(phase),
        "run": run,
        "started_at": later(0),
        "finished_at": later(10) if over else None,
        "nodes": {"a": node(run=run)},
        "log": LogRef(config_map=f"{KEY.name}-log"),
    }
    return WorkflowStatus(**known | fields)


def later(seconds: float) -> Any:
    return T0 + timedelta(seconds=seconds)


def pod(name: str = "pod-1", attempt: AttemptId | None = None, **fields: Any) -> PodFact:
    """A pod whose container main has ended."""
    end = ContainerEnd("main", 0, "Completed", "", later(1), later(5))
    known: Json = {
        "uid": f"uid-{name}", "job_uid": "job-1", "attempt": attempt or AttemptId(1, "a", 1),
        "created_at": T0, "phase": "Succeeded", "main_started_at": later(1), "main": end,
        "any_started": True, "finished_at": later(5), "image_id": "busybox@sha256:1",
    }  # fmt: skip
    return PodFact(name=name, **known | fields)


def facts(*pods: PodFact, **more: Any) -> Facts:
    found: dict[AttemptId, AttemptFact] = {}
    for one in pods:
        before = found.get(one.attempt, AttemptFact(Existence.PRESENT, **more))
        found[one.attempt] = AttemptFact(Existence.PRESENT, pods=(*before.pods, one), **more)
    return Facts(found)
