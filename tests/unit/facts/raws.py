"""Raw objects for the tables: the least that makes a Job or pod ours, and what a test adds."""

from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

LABELS = {
    "tidegate.dev/workflow": "demo",
    "tidegate.dev/node": "extract",
    "tidegate.dev/run": "2",
    "tidegate.dev/attempt": "3",
}


def second(number: int) -> str:
    """A metav1.Time, ``number`` seconds after noon."""
    return f"2026-11-22T12:00:{number:02d}Z"


def at(number: int) -> datetime:
    """The same moment."""
    return datetime(2026, 11, 22, 12, 0, number, tzinfo=UTC)


def raw_job(status: Json | None = None, *, spec: Json | None = None, **metadata: Any) -> Json:
    owner = {"apiVersion": "tidegate.dev/v1alpha1", "kind": "Workflow", "name": "demo",
             "uid": "workflow-uid", "controller": True}  # fmt: skip
    return {
        "metadata": {
            "name": "demo-extract-x", "namespace": "shop", "uid": "job-uid", "labels": LABELS,
            "annotations": {"tidegate.dev/definition": "1:abc"}, "ownerReferences": [owner],
            "creationTimestamp": second(0), **metadata,
        },
        "spec": spec or {},
        "status": status or {},
    }  # fmt: skip


def raw_pod(status: Json | None = None, *, spec: Json | None = None, **metadata: Any) -> Json:
    labels = {**LABELS, "batch.kubernetes.io/controller-uid": "job-uid"}
    return {
        "metadata": {
            "name": "demo-extract-x-y", "namespace": "shop", "uid": "pod-uid", "labels": labels,
            "creationTimestamp": second(1), **metadata,
        },
        "spec": spec or {},
        "status": status or {},
    }  # fmt: skip


def condition(kind: str, *, status: str = "True", when: int = 9, **more: Any) -> Json:
    return {"type": kind, "status": status, "lastTransitionTime": second(when), **more}


def running(name: str = "main", since: int = 2) -> Json:
    return {"name": name, "state": {"running": {"startedAt": second(since)}}}


def waiting(reason: str, message: str = "", name: str = "main") -> Json:
    return {"name": name, "state": {"waiting": {"reason": reason, "message": message}}}


def terminated(
    code: int, until: int | None, name: str = "main", since: int | None = 2, **more: Any
) -> Json:
    times = {"startedAt": since, "finishedAt": until}
    told = {key: None if value is None else second(value) for key, value in times.items()}
    return {"name": name, "state": {"terminated": {"exitCode": code, **told, **more}}}
