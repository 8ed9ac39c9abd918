"""Raw objects, a clock that stands still, and an API server in memory whose requests can fail."""

import asyncio
import copy
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tidegate import errors
from tidegate.api.identity import AttemptId, WorkflowKey, job_name
from tidegate.api.workflow import ValidatedWorkflow, validate
from tidegate.engine.model import Start
from tidegate.facts.workflow import workflow_fact

KEY = WorkflowKey("shop", "demo")
UID = "wf-1"
A = AttemptId(1, "a", 1)
T0 = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

Json = dict[str, Any]


class StillClock:
    """Moves only when told to; also counts as a monotonic clock."""

    def __init__(self) -> None:
        self.at = T0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - T0).total_seconds()

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def workflow(version: int = 1, *, uid: str = UID, key: WorkflowKey = KEY, **more: Any) -> Json:
    metadata = {
        "namespace": key.namespace,
        "name": key.name,
        "uid": uid,
        "resourceVersion": str(version),
        "generation": more.pop("generation", 1),
        "creationTimestamp": "2026-11-22T12:00:00Z",
        "annotations": more.pop("annotations", {}),
    }
    spec = {"nodes": [{"name": "a", "image": "busybox", "command": ["true"]}]}
    return {"metadata": metadata, "spec": spec, "status": {}} | more


def valid(raw: Json | None = None) -> ValidatedWorkflow:
    return validate(workflow_fact(raw or workflow()))


def job(
    version: int = 2,
    *,
    attempt: AttemptId = A,
    uid: str = "job-1",
    owner: str = UID,
    key: WorkflowKey = KEY,
    **more: Any,
) -> Json:
    metadata = {
        "namespace": key.namespace,
        "name": job_name(key.name, owner, attempt),
        "uid": uid,
        "resourceVersion": str(version),
        "creationTimestamp": "2026-11-22T12:00:00Z",
        "labels": attempt.labels(key.name),
        "annotations": {},
        "ownerReferences": [
            {
                "apiVersion": "tidegate.dev/v1alpha1",
                "kind": "Workflow",
                "name": key.name,
                "uid": owner,
                "controller": True,
            }
        ],
    }
    metadata |= more.pop("metadata", {})
    return {"metadata": metadata, "spec": {}, "status": {}} | more


def complete(version: int, **more: Any) -> Json:
    condition = {
        "type": "Complete",
        "status": "True",
        "lastTransitionTime": "2026-11-22T12:01:00Z",
    }
    return job(version, status={"succeeded": 1, "conditions": [condition]}, **more)


def pod(
    version: int = 3,
    phase: str = "Pending",
    *,
    attempt: AttemptId = A,
    uid: str = "pod-1",
    job_uid: str = "job-1",
    **metadata: Any,
) -> Json:
    labels = attempt.labels(KEY.name) | {"batch.kubernetes.io/controller-uid": job_uid}
    return {
        "metadata": {
            "namespace": KEY.namespace,
            "name": uid,
            "uid": uid,
            "resourceVersion": str(version),
            "creationTimestamp": "2026-11-22T12:00:00Z",
            "labels": labels,
        }
        | metadata,
        "spec": {},
        "status": {"phase": phase},
    }


def start(attempt: AttemptId = A) -> Start:
    return Start(attempt)


LOST = errors.Unreachable("the connection broke")


class FakeApi:
    """The port ``Api`` over dicts.

    ``trouble[verb]`` holds what happens to the next requests: an error before the request is
    carried out, ``("after", error)`` once it was, or ``"hang"`` for ever.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, Json] = {}
        self.pods: list[Json] = []
        self.workflows: dict[str, Json] = {}
        self.events: list[Json] = []
        self.calls: list[tuple[str, ...]] = []
        self.trouble: dict[str, list[Any]] = defaultdict(list)
        self._version = 100

    def next_version(self) -> str:
        self._version += 1
        return str(self._version)

    def count(self, verb: str) -> int:
        return sum(call[0] == verb for call in self.calls)

    async def _meet(self, *call: str) -> Any:
        self.calls.append(call)
        await asyncio.sleep(0)
        trouble = self.trouble[call[0]].pop(0) if self.trouble[call[0]] else None
        if trouble == "hang":
            await asyncio.Event().wait()
        if isinstance(trouble, Exception):
            raise trouble
        return trouble

    @staticmethod
    def _after(trouble: Any) -> None:
        if isinstance(trouble, tuple):
            raise trouble[1]

    async def create_job(self, namespace: str, manifest: Mapping[str, Any]) -> Json:
        name = manifest["metadata"]["name"]
        trouble = await self._meet("create_job", namespace, name)
        if name in self.jobs:
            raise errors.from_status(409, "AlreadyExists", f'jobs "{name}" already exists')
        raw = copy.deepcopy(dict(manifest))
        raw["metadata"] |= {
            "uid": f"job-{self.next_version()}",
            "resourceVersion": self.next_version(),
            "creationTimestamp": "2026-11-22T12:00:00Z",
        }
        self.jobs[name] = raw
        self._after(trouble)
        return copy.deepcopy(raw)

    async def get_job(self, namespace: str, name: str) -> Json:
        await self._meet("get_job", namespace, name)
        if name not in self.jobs:
            raise errors.from_status(404, "NotFound", f'jobs "{name}" not found')
        return copy.deepcopy(self.jobs[name])

    async def patch_job(self, namespace: str, name: str, patch: Mapping[str, Any]) -> Json:
        trouble = await self._meet("patch_job", namespace, name)
        raw = self.jobs.get(name)
        if raw is None:
            raise errors.from_status(404, "NotFound", f'jobs "{name}" not found')
        if raw["metadata"]["uid"] != patch["metadata"]["uid"]:
            raise errors.from_status(409, "Conflict", "the uid in the precondition differs")
        raw["metadata"]["annotations"] |= patch["metadata"].get("annotations", {})
        raw["spec"] |= patch.get("spec", {})
        raw["metadata"]["resourceVersion"] = self.next_version()
        self._after(trouble)
        return copy.deepcopy(raw)

    async def delete_job(self, namespace: str, name: str, uid: str) -> None:
        trouble = await self._meet("delete_job", namespace, name)
        if name in self.jobs and self.jobs[name]["metadata"]["uid"] == uid:
            del self.jobs[name]
        self._after(trouble)

    async def list_pods(self, namespace: str, job_uid: str) -> Sequence[Json]:
        await self._meet("list_pods", namespace, job_uid)
        label = "batch.kubernetes.io/controller-uid"
        return [one for one in self.pods if one["metadata"]["labels"][label] == job_uid]

    async def delete_pod(self, namespace: str, name: str, uid: str) -> None:
        trouble = await self._meet("delete_pod", namespace, name, uid)
        self.pods = [one for one in self.pods if one["metadata"]["uid"] != uid]
        self._after(trouble)

    async def list_job_events(self, namespace: str, job_uid: str) -> Sequence[Json]:
        await self._meet("list_job_events", namespace, job_uid)
        return self.events

    async def get_workflow(self, namespace: str, name: str) -> Json:
        await self._meet("get_workflow", namespace, name)
        if name not in self.workflows:
            raise errors.from_status(404, "NotFound", f'workflows "{name}" not found')
        return copy.deepcopy(self.workflows[name])

    async def patch_status(self, namespace: str, name: str, patch: Mapping[str, Any]) -> Json:
        trouble = await self._meet("patch_status", namespace, name)
        raw = self.workflows.get(name)
        if raw is None:
            raise errors.from_status(404, "NotFound", f'workflows "{name}" not found')
        wanted = {key: raw["metadata"][key] for key in ("uid", "resourceVersion")}
        if patch["metadata"] != wanted:
            raise errors.from_status(409, "Conflict", "the object has been modified")
        raw["status"] = merged(raw.get("status") or {}, patch["status"])
        raw["metadata"]["resourceVersion"] = self.next_version()
        self._after(trouble)
        return copy.deepcopy(raw)

    async def delete_workflow(
        self, namespace: str, name: str, uid: str, resource_version: str
    ) -> None:
        trouble = await self._meet("delete_workflow", namespace, name)
        raw = self.workflows.get(name)
        if raw is None:
            raise errors.from_status(404, "NotFound", f'workflows "{name}" not found')
        metadata = raw["metadata"]
        if (metadata["uid"], metadata["resourceVersion"]) != (uid, resource_version):
            raise errors.from_status(409, "Conflict", "a precondition failed")
        del self.workflows[name]
        self._after(trouble)


def merged(before: Json, patch: Mapping[str, Any]) -> Json:
    """RFC 7386."""
    after = dict(before)
    for key, value in patch.items():
        if value is None:
            after.pop(key, None)
        elif isinstance(value, Mapping):
            inner = after.get(key)
            after[key] = merged(inner if isinstance(inner, dict) else {}, value)
        else:
            after[key] = value
    return after
