"""What there is to see in a namespace after a test failed, for the person who reads the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from tests.kit.client import Object, Query

if TYPE_CHECKING:
    from tests.kit.cluster import Cluster

LOG_LINES = 60
MOST_EVENTS = 60


def of_namespace(cluster: Cluster, namespace: str) -> str:
    """Return status, Jobs, pods, events and the operators' words about one namespace."""
    parts = [f"### namespace {namespace}"]
    for title, tell in (
        ("Workflows", _workflows),
        ("Jobs", _jobs),
        ("pods", _pods),
        ("events", _events),
        ("logs", _logs),
    ):
        try:
            parts.append(f"--- {title}\n{tell(cluster, namespace) or '(none)'}")
        except Exception as error:  # noqa: BLE001 - a report must not hide the failure
            parts.append(f"--- {title}: can't be read: {error}")
    return "\n".join(parts)


def _workflows(cluster: Cluster, namespace: str) -> str:
    texts = []
    for found in cluster.client.list(Query("workflows", namespace)):
        meta = found["metadata"]
        shown = {key: meta.get(key) for key in ("name", "annotations", "deletionTimestamp")}
        status = dict(found.get("status") or {})
        status.pop("conditions", None)
        texts.append(yaml.safe_dump({"metadata": shown, "status": status}, sort_keys=False))
    return "---\n".join(texts)


def _jobs(cluster: Cluster, namespace: str) -> str:
    return "\n".join(_job(job) for job in cluster.client.list(Query("jobs", namespace)))


def _job(job: Object) -> str:
    meta, status = job["metadata"], job.get("status") or {}
    conditions = [
        f"{c['type']}={c['status']} {c.get('reason', '')} {c.get('message', '')}"
        for c in status.get("conditions") or []
    ]
    counts = {key: status.get(key) for key in ("active", "succeeded", "failed", "startTime")}
    labels = {
        key.removeprefix("tidegate.dev/"): text
        for key, text in (meta.get("labels") or {}).items()
        if key.startswith("tidegate.dev/") and not key.endswith("/workflow")
    }
    gone = f" deleting since {meta['deletionTimestamp']}" if "deletionTimestamp" in meta else ""
    at = meta["creationTimestamp"]
    return f"{meta['name']} {labels} created {at}{gone} {counts} {'; '.join(conditions)}"


def _pods(cluster: Cluster, namespace: str) -> str:
    return "\n".join(_pod(pod) for pod in cluster.client.list(Query("pods", namespace)))


def _pod(pod: Object) -> str:
    meta, status = pod["metadata"], pod.get("status") or {}
    states = [
        f"{container['name']}: {container.get('state')}"
        for container in status.get("containerStatuses") or []
    ]
    words = [status[key] for key in ("phase", "reason", "message") if status.get(key)]
    gone = f" deletion {meta['deletionTimestamp']}" if "deletionTimestamp" in meta else ""
    return f"{meta['name']} {' '.join(words)}{gone} {'; '.join(states)}"


def _events(cluster: Cluster, namespace: str) -> str:
    events = cluster.client.list(Query("events", namespace))
    events.sort(key=lambda e: str(e.get("lastTimestamp") or e.get("eventTime") or ""))
    return "\n".join(
        f"{e.get('lastTimestamp') or e.get('eventTime')} {e.get('reason')} "
        f"{e['involvedObject'].get('kind')}/{e['involvedObject'].get('name')}: {e.get('message')}"
        for e in events[-MOST_EVENTS:]
    )


def _logs(cluster: Cluster, namespace: str) -> str:
    texts = []
    for title, tell in cluster.witnesses.items():
        lines = tell().splitlines()
        about = [line for line in lines if namespace in line][-LOG_LINES:]
        last = [line for line in lines[-10:] if line not in about]
        texts.append("\n".join([f"[{title}]", *about, "…", *last]))
    return "\n".join(texts)
