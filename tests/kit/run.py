"""A Workflow under test: its status, Jobs, pods, events and logs, and waiting for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.kit.client import Object, Query
from tests.kit.cluster import Cluster
from tests.kit.waiting import LONG, SOON, in_vain, summary, wait_for, wait_for_one, wait_gone

FINAL = ("Succeeded", "Failed", "Cancelled")
ENDED = ("Succeeded", "Failed", "Skipped", "Cancelled")
OF_WORKFLOW = "tidegate.dev/workflow"
OF_NODE = "tidegate.dev/node"
MARK = "tidegate.dev/log"


@dataclass(frozen=True)
class Run:
    """One Workflow by namespace and name."""

    cluster: Cluster
    namespace: str
    name: str

    @property
    def query(self) -> Query:
        """The Workflow alone."""
        return Query("workflows", self.namespace, self.name)

    @property
    def object(self) -> Object:
        """The Workflow as it is now."""
        return self.cluster.client.get("workflows", self.namespace, self.name)

    @property
    def status(self) -> Object:
        """Its status as it is now."""
        return dict(self.object.get("status") or {})

    def node(self, name: str) -> Object:
        """Return the status of one node as it is now."""
        return dict(self.status["nodes"][name])

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in its namespace."""
        return self.cluster.kubectl("-n", self.namespace, *arguments)

    def annotate(self, key: str, text: str) -> None:
        """Ask for something as users do: cancel or rerun."""
        self.kubectl("annotate", "--overwrite", "twf", self.name, f"tidegate.dev/{key}={text}")

    def patch_spec(self, spec: Object) -> None:
        """Change the spec as users do."""
        patch = json.dumps({"spec": spec})
        self.kubectl("patch", "twf", self.name, "--type=merge", "-p", patch)

    # --- waiting -----------------------------------------------------------------------------

    def wait(
        self, condition: Callable[[Object], Any], what: str, seconds: float = SOON
    ) -> dict[str, Any]:
        """Watch until ``condition`` holds for the status; return that status."""
        found = wait_for_one(
            self.cluster.client,
            self.query,
            lambda workflow: condition(workflow.get("status") or {}),
            what,
            seconds,
        )
        return dict(found["status"])

    def finished(self, phase: str, seconds: float = LONG, run: int = 1) -> dict[str, Any]:
        """Wait for the end of a run, which must be in this phase; return its status."""
        status = self.wait(
            lambda s: s.get("run") == run and s.get("phase") in FINAL,
            f"the end of run {run} of {self.name}",
            seconds,
        )
        if status["phase"] != phase:
            in_vain(f"{self.name} {phase}, but it is {status['phase']}", 0, summary(self.object))
        return status

    def wait_phase(self, phase: str, reason: str = "", seconds: float = SOON) -> dict[str, Any]:
        """Wait until the Workflow is in a phase, for a reason if one is given."""
        return self.wait(
            lambda s: s.get("phase") == phase and (not reason or s.get("reason") == reason),
            f"{self.name} {phase} {reason}",
            seconds,
        )

    def wait_node(
        self, name: str, phase: str, reason: str = "", seconds: float = SOON
    ) -> dict[str, Any]:
        """Wait until a node is in a phase, for a reason if one is given; return its status."""

        def there(status: Object) -> bool:
            node = (status.get("nodes") or {}).get(name) or {}
            return node.get("phase") == phase and (not reason or node.get("reason") == reason)

        return dict(self.wait(there, f"{name} {phase} {reason}", seconds)["nodes"][name])

    def wait_gone(self, seconds: float = LONG) -> None:
        """Wait until the Workflow and all that was made for it are gone."""
        wait_gone(self.cluster.client, self.query, f"{self.name} gone", seconds)
        for resource in ("jobs", "pods"):
            query = Query(resource, self.namespace, labels=f"{OF_WORKFLOW}={self.name}")
            wait_gone(self.cluster.client, query, f"its {resource} gone", seconds)

    def wait_running(self, node: str, count: int = 1, seconds: float = SOON) -> list[Object]:
        """Wait until so many containers ``main`` of a node have started; return the pods."""
        found = wait_for(
            self.cluster.client,
            self._of("pods", node),
            lambda pods: sum(main_started(pod) is not None for pod in pods.values()) >= count,
            f"{count} running pods of {node}",
            seconds,
        )
        return oldest_first(found.values())

    def wait_jobs(self, count: int, node: str = "", seconds: float = SOON) -> list[Object]:
        """Wait until so many Jobs were made, of one node or of all; return them."""
        found = wait_for(
            self.cluster.client,
            self._of("jobs", node),
            lambda jobs: len(jobs) >= count,
            f"{count} Jobs {node and 'of ' + node}",
            seconds,
        )
        return oldest_first(found.values())

    def wait_jobs_are(self, wanted: set[tuple[str, str]], seconds: float = SOON) -> None:
        """Wait until there are exactly these Jobs, as (node, attempt)."""

        def there(jobs: dict[str, Object]) -> bool:
            labels = [job["metadata"]["labels"] for job in jobs.values()]
            return {(its[OF_NODE], its["tidegate.dev/attempt"]) for its in labels} == wanted

        query = self._of("jobs", "")
        wait_for(self.cluster.client, query, there, f"only the Jobs {wanted}", seconds)

    def wait_event(self, reason: str, words: str = "", seconds: float = SOON) -> Object:
        """Wait for an Event of the Workflow with this reason and these words in it."""

        def matches(event: Object) -> bool:
            told = event.get("message") or event.get("note") or ""
            return event.get("reason") == reason and words in told

        query = Query("events", self.namespace, fields=f"involvedObject.name={self.name}")
        found = wait_for(
            self.cluster.client,
            query,
            lambda events: any(map(matches, events.values())),
            f"event {reason} with {words!r}",
            seconds,
        )
        return next(event for event in found.values() if matches(event))

    def wait_log(self, *words: str, seconds: float = SOON, name: str = "") -> dict[str, str]:
        """Wait until the log tells of the end of the present run, in these words; its data."""

        def there(log: Object) -> bool:
            mark = json.loads(log["metadata"].get("annotations", {}).get(MARK) or "{}")
            told = mark.get("run", 0) == self.status.get("run", 0) and mark.get("over")
            text = log.get("data", {}).get("log.md", "")
            return bool(told and mark.get("status")) and all(word in text for word in words)

        query = Query("configmaps", self.namespace, name or f"{self.name}-log")
        found = wait_for_one(self.cluster.client, query, there, f"a log with {words}", seconds)
        return dict(found["data"])

    # --- what was made for it ----------------------------------------------------------------

    def jobs(self, node: str = "") -> list[Object]:
        """Return its Jobs, of one node or of all, oldest first."""
        return oldest_first(self.cluster.client.list(self._of("jobs", node)))

    def pods(self, node: str = "") -> list[Object]:
        """Return its pods, of one node or of all, oldest first."""
        return oldest_first(self.cluster.client.list(self._of("pods", node)))

    def log(self, node: str) -> str:
        """Return what the pods of a node printed, oldest first."""
        return "".join(self._pod_log(pod["metadata"]["name"]) for pod in self.pods(node))

    def _pod_log(self, pod: str) -> str:
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/log"
        return self.cluster.client.text(path, {"container": "main"})

    def _of(self, resource: str, node: str) -> Query:
        labels = f"{OF_WORKFLOW}={self.name}" + (f",{OF_NODE}={node}" if node else "")
        return Query(resource, self.namespace, labels=labels)


def oldest_first(objects: Any) -> list[Object]:
    """Return objects by age, then by the number of their attempt."""
    return sorted(
        objects,
        key=lambda found: (
            found["metadata"]["creationTimestamp"],
            int(found["metadata"].get("labels", {}).get("tidegate.dev/attempt", 0)),
        ),
    )


def main_started(pod: Object) -> datetime | None:
    """Return when the container ``main`` of a pod started; None before."""
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        if container["name"] == "main":
            state = container.get("state") or {}
            began = (state.get("running") or state.get("terminated") or {}).get("startedAt")
            return instant(began) if began else None
    return None


def instant(text: str) -> datetime:
    """Return a time of the API as one that can be compared."""
    return datetime.fromisoformat(text)
