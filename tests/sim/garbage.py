"""Deletion of Workflows and Jobs, in each of its three ways, and what is collected after it."""

from typing import Literal

from tests.sim.store import (
    FOREGROUND,
    JOB,
    POD,
    WORKFLOW,
    Raw,
    controller_uid,
    is_deleting,
    with_meta,
)
from tests.sim.world import World

Way = Literal["Foreground", "Background", "Orphan"]
WAYS: tuple[Way, ...] = ("Foreground", "Background", "Orphan")
_SECOND = 1.0


class Collector:
    """The garbage collector."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.store
        world.store.listeners.append(self._on_event)

    def delete_job(self, job: Raw, way: Way) -> None:
        """DELETE of a Job with a propagation policy."""
        if way == "Foreground":
            finalizers = [FOREGROUND]
            self._store.mark_deleted(JOB, job, finalizers=finalizers)
            return
        if way == "Orphan":
            for pod in self._owned(POD, job["metadata"]["uid"]):
                self._store.update(POD, with_meta(pod, ownerReferences=None))
        self._store.remove(JOB, job)

    def delete_pod(self, pod: Raw, grace: float) -> None:
        """DELETE of a pod; it goes when its kubelet has stopped it and nobody holds it."""
        bound = bool(pod["spec"].get("nodeName"))
        self._store.mark_deleted(POD, pod, grace if bound else 0.0)

    def delete_workflow(self, workflow: Raw, way: Way) -> None:
        """DELETE of a Workflow."""
        if way == "Foreground":
            self._store.mark_deleted(WORKFLOW, workflow, finalizers=[FOREGROUND])
        else:
            self._store.remove(WORKFLOW, workflow)

    def _owned(self, kind: str, uid: str) -> list[Raw]:
        return [x for x in self._store.all(kind) if controller_uid(x) == uid]

    def _on_event(self, kind: str, event: str, raw: Raw, _old: Raw | None) -> None:
        uid = raw["metadata"]["uid"]
        if kind == WORKFLOW and (event == "DELETED" or is_deleting(raw)):
            self._world.time.after(self._world.wait(0.5, 0.1), self._collect_jobs, uid)
        elif kind == JOB and event == "ADDED":
            self._world.time.after(_SECOND, self._collect_if_ownerless, raw)
        elif kind == JOB and event == "DELETED":
            self._world.time.after(self._world.wait(0.5, 0.1), self._collect_pods, uid)
            self._world.time.after(0.1, self._finish_workflow, controller_uid(raw))

    def _collect_if_ownerless(self, job: Raw) -> None:
        uid = controller_uid(job)
        if not any(x["metadata"]["uid"] == uid for x in self._store.all(WORKFLOW)):
            self._collect_jobs(uid)

    def _collect_jobs(self, uid: str) -> None:
        foreground = any(x["metadata"]["uid"] == uid for x in self._store.all(WORKFLOW))
        for job in self._owned(JOB, uid):
            if not is_deleting(job):
                self.delete_job(job, "Foreground" if foreground else "Background")
        self._finish_workflow(uid)

    def _collect_pods(self, uid: str) -> None:
        for pod in self._owned(POD, uid):
            if not is_deleting(pod):
                self.delete_pod(pod, self._world.climate.grace)

    def _finish_workflow(self, uid: str) -> None:
        workflow = next((x for x in self._store.all(WORKFLOW) if x["metadata"]["uid"] == uid), None)
        if workflow is not None and is_deleting(workflow) and not self._owned(JOB, uid):
            self._store.update(WORKFLOW, with_meta(workflow, finalizers=None))
