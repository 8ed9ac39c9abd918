"""Workflows with their statuses, in every phase, as they stand in a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.unit.engine.builders import node, spec
from tests.unit.engine.run import Run

Json = dict[str, Any]

_REPLAYS = Path(__file__).parents[2] / "replay"
_TWO = (node("a"), node("b", after="a"))


def gate(name: str, after: str = "", **asked: Any) -> Json:
    """A checkpoint."""
    return node(name, after, checkpoint={"message": "Go on?", **asked})


def stored(run: Run) -> Json:
    """The Workflow of a run as the API server returns it."""
    status = run.status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "name": run.fact.key.name,
            "namespace": run.fact.key.namespace,
            "generation": run.fact.generation,
            "annotations": dict(run.fact.annotations),
        },
        "spec": dict(run.fact.spec),
        "status": status,
    }


def _new() -> Json:
    """Created a moment ago: the status is the CRD's default."""
    return stored(Run(spec(*_TWO), look=False)) | {"status": {"observedGeneration": -1}}


def _suspended_before() -> Json:
    return stored(Run(spec(*_TWO, suspend=True)))


def _excluded() -> Json:
    run = Run(spec(*_TWO), look=False)
    run.excluded = True
    run.look()
    return stored(run)


def _running() -> Json:
    return stored(Run(spec(*_TWO)))


def _waiting() -> Json:
    run = Run(spec(node("a"), gate("b", after="a")))
    run.pod_succeeds("a")
    return stored(run)


def _waiting_beside_a_run() -> Json:
    return stored(Run(spec(gate("a"), node("b"))))


def _waiting_twice() -> Json:
    return stored(Run(spec(gate("a"), gate("b"))))


def _waiting_for_inputs() -> Json:
    inputs = [{"name": "share", "default": "5"}, {"name": "ticket"}]
    return stored(Run(spec(gate("a", inputs=inputs))))


def _waiting_for_inputs_that_have_defaults() -> Json:
    return stored(Run(spec(gate("a", inputs=[{"name": "share", "default": "5"}]))))


def _rejected() -> Json:
    run = Run(spec(gate("a", timeout="10s"), node("b", after="a")))
    run.advance(11)
    return stored(run)


def _suspended() -> Json:
    run = Run(spec(*_TWO))
    run.edit(suspend=True)
    run.pod_succeeds("a")
    return stored(run)


def _succeeded() -> Json:
    run = Run(spec(*_TWO))
    run.pod_succeeds("a")
    run.pod_succeeds("b")
    return stored(run)


def _failed() -> Json:
    run = Run(spec(*_TWO))
    run.pod_fails("a", exit_code=3)
    return stored(run)


def _cancelled() -> Json:
    run = Run(spec(*_TWO))
    run.ask(cancel="graceful")
    run.stop("a")
    return stored(run)


def _invalid() -> Json:
    return stored(Run(spec(node("a", after="b"), node("b", after="a"))))


def _changed_since() -> Json:
    run = Run(spec(*_TWO))
    run.pod_succeeds("a")
    run.pod_succeeds("b")
    run.edit_node("b", script="echo other")
    return stored(run)


def _changed_unseen() -> Json:
    found = _succeeded()
    found["metadata"]["generation"] += 1
    return found


SITUATIONS = {
    "new": _new,
    "pending-suspended": _suspended_before,
    "pending-excluded": _excluded,
    "running": _running,
    "waiting": _waiting,
    "waiting-beside-a-run": _waiting_beside_a_run,
    "waiting-twice": _waiting_twice,
    "waiting-for-inputs": _waiting_for_inputs,
    "waiting-for-defaults": _waiting_for_inputs_that_have_defaults,
    "rejected": _rejected,
    "suspended": _suspended,
    "succeeded": _succeeded,
    "failed": _failed,
    "cancelled": _cancelled,
    "invalid": _invalid,
    "changed-since": _changed_since,
    "changed-unseen": _changed_unseen,
}


def workflow(situation: str) -> Json:
    """The Workflow in that situation."""
    return SITUATIONS[situation]()


def replays() -> dict[str, Json]:
    """Workflows that releases have left in clusters, by file."""
    return {
        f"{path.parent.name}-{path.stem}": json.loads(path.read_text())
        for path in sorted(_REPLAYS.glob("*/*.json"))
    }
