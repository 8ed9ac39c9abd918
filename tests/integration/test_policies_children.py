"""Who writes status, Jobs and pods of Workflows: on a real API server, and what must still work."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.kit import stage as s
from tests.kit.client import Client, Object
from tests.kit.cluster import Cluster
from tests.kit.space import Space
from tests.kit.stage import ADMIN, Person, Row, Stage, check_words, denial

pytestmark = pytest.mark.integration

MARK = {"tidegate.dev/workflow": "flow"}
ONLY_OPERATORS = "only an operator does that (system:serviceaccount:tidegate-system:tidegate"
NOT_MADE = "which has a label tidegate.dev/… or a Workflow as its owner"
NOT_CHANGED = "may not change what ties the "
OWNER = {"apiVersion": s.API, "kind": "Workflow", "name": "flow", "uid": "0000", "controller": True}


@pytest.fixture(scope="module")
def stage(alone: Cluster) -> Iterator[Stage]:
    space = Space.make(alone, "policies-children")
    made = Stage.set(space)
    s.until_denied(lambda: make("pods", MARK)(made.client(s.ED).dry_running(), space.name, "x"))
    s.until_granted(lambda: make("pods", {})(made.client(s.ED).dry_running(), space.name, "x"))
    yield made
    space.discard()


def body(kind: str, labels: dict[str, str], name: str = "child", **metadata: Any) -> Object:
    """A Job or pod with these labels; one that has ended before it could start."""
    container = {"name": "main", "image": "busybox:1.36", "command": ["true"]}
    pod = {"restartPolicy": "Never", "containers": [container], "nodeSelector": {"no": "node"}}
    meta = {"name": name, "labels": labels, **metadata}
    if kind == "pods":
        return {"metadata": meta, "spec": pod}
    return {"metadata": meta, "spec": {"template": {"metadata": {}, "spec": pod}}}


def make(kind: str, labels: dict[str, str], **metadata: Any) -> s.Act:
    """Create a Job or a pod."""
    return lambda client, namespace, name: client.create(
        kind, namespace, body(kind, labels, f"{name}-child", **metadata)
    )


def template(labels: dict[str, str], kind: str = "jobs") -> s.Act:
    """Create a Job whose pods would have these labels."""

    def act(client: Client, namespace: str, name: str) -> Object:
        made = body(kind, {}, f"{name}-child")
        made["spec"]["template"]["metadata"]["labels"] = labels
        return client.create(kind, namespace, made)

    return act


@dataclass(frozen=True)
class Change:
    """Who changes a Job or pod that stands there, and what is said."""

    title: str
    who: Person
    kind: str
    patch: Object
    words: str = ""
    labels: dict[str, str] = field(default_factory=lambda: MARK)

    def play(self, stage: Stage) -> None:
        """Have it made by who makes such ones, and change it."""
        stage.made += 1
        namespace, name = stage.space.name, f"child-{stage.made}"
        made = body(self.kind, self.labels, name, annotations={"tidegate.dev/definition": "a"})
        if self.kind == "jobs":
            made["spec"]["suspend"] = True
            made["spec"]["template"]["metadata"]["labels"] = self.labels
        maker = s.OPERATOR if self.kind == "jobs" else s.JOB_CONTROLLER
        stage.client(maker).create(self.kind, namespace, made)
        told = denial(lambda: stage.client(self.who).patch(self.kind, namespace, name, self.patch))
        check_words(told, self.words, self.who, "tidegate-children")


def labels(**texts: str | None) -> Object:
    return {"metadata": {"labels": {f"tidegate.dev/{key}": text for key, text in texts.items()}}}


def annotations(**texts: str | None) -> Object:
    return {"metadata": {"annotations": {f"tidegate.dev/{k}": text for k, text in texts.items()}}}


def owned(*owners: Object) -> Object:
    return {"metadata": {"ownerReferences": list(owners) or None}}


OF_JOB: Object = {"metadata": {"labels": {"batch.kubernetes.io/controller-uid": "1"}}}
PODS: Object = {"spec": {"template": labels(workflow=None)}}
TEAM: Object = {"metadata": {"labels": {"team": "a"}, "annotations": {"team": "a"}}}
APPROVED = {"status": {"nodes": {"gate": {"phase": "Succeeded", "reason": "Approved"}}}}
FORGED = s.json_patch(
    {"op": "add", "path": "/status/nodes/gate/phase", "value": "Succeeded"}, sub="status"
)

STATUS = [
    Row("status by an editor who may", s.ED, s.merge(APPROVED, "status"), ONLY_OPERATORS),
    Row("status by a writer", s.WENDY, s.merge({"status": {"phase": "Succeeded"}}, "status"),
        ONLY_OPERATORS),
    Row("status by JSON patch", s.ED, FORGED, ONLY_OPERATORS),
    Row("status by a cluster administrator", ADMIN, s.merge(APPROVED, "status"), ONLY_OPERATORS),
    Row("status by a dry run", s.ED, s.dry(s.merge(APPROVED, "status")), ONLY_OPERATORS),
    Row("status by another service account", s.BOT_WRITER, s.merge(APPROVED, "status"),
        ONLY_OPERATORS),
    Row("status by the operator", s.OPERATOR, s.merge(APPROVED, "status")),
]  # fmt: skip

CREATED = [
    Row("a forged Job", s.ED, make("jobs", MARK), NOT_MADE),
    Row("a forged pod", s.ED, make("pods", MARK), NOT_MADE),
    Row("a Job with any label of the group", s.ED, make("jobs", {"tidegate.dev/x": ""}), NOT_MADE),
    Row("a Job that a Workflow owns", s.ED, make("jobs", {}, ownerReferences=[OWNER]), NOT_MADE),
    Row("a pod that a Workflow owns", s.ED, make("pods", {}, ownerReferences=[OWNER]), NOT_MADE),
    Row("a pod that a Workflow of a later version owns", s.ED,
        make("pods", {}, ownerReferences=[{**OWNER, "apiVersion": "tidegate.dev/v1"}]), NOT_MADE),
    Row("a Job whose pods would have labels", s.ED, template(MARK), NOT_MADE),
    Row("a forged Job by a dry run", s.ED, s.dry(make("jobs", MARK)), NOT_MADE),
    Row("a forged Job by an administrator", ADMIN, make("jobs", MARK), NOT_MADE),
    Row("a forged pod by another controller", s.REPLICA_CONTROLLER, make("pods", MARK), NOT_MADE),
    Row("a forged Job by the Job controller", s.JOB_CONTROLLER, make("jobs", MARK), NOT_MADE),
    Row("a Job by the operator", s.OPERATOR, make("jobs", MARK, ownerReferences=[OWNER])),
    Row("a pod by the Job controller", s.JOB_CONTROLLER, make("pods", MARK)),
    Row("a Job of no concern", s.ED, make("jobs", {"app": "x"})),
    Row("a pod of no concern", s.ED, make("pods", {"app": "x"})),
    Row("a pod with labels of other groups", s.ED, make("pods", {"x.tidegate.dev/workflow": "a"})),
]  # fmt: skip

CHANGED = [
    Change("labels removed from a real Job", s.ED, "jobs", labels(workflow=None), NOT_CHANGED),
    Change("labels removed from a real pod", s.ED, "pods", labels(workflow=None), NOT_CHANGED),
    Change("labels changed on a real pod", s.ED, "pods", labels(workflow="b"), NOT_CHANGED),
    Change("labels added to a real pod", s.ED, "pods", labels(node="b"), NOT_CHANGED),
    Change("labels put on any Job", s.ED, "jobs", labels(workflow="b"), NOT_CHANGED, {"a": "b"}),
    Change("labels put on any pod", s.ED, "pods", labels(workflow="b"), NOT_CHANGED, {"a": "b"}),
    Change("a Workflow put over any pod", s.ED, "pods", owned(OWNER), NOT_CHANGED, {"a": "b"}),
    Change(
        "another owner put over a real Job", s.ED, "jobs", owned({**OWNER, "uid": "1"}), NOT_CHANGED
    ),
    Change("the label of its Job put on a real pod", s.ED, "pods", OF_JOB, NOT_CHANGED),
    Change("a forged end of a real Job", s.ED, "jobs", annotations(end="Timeout"), NOT_CHANGED),
    Change(
        "another definition of a real Job", s.ED, "jobs", annotations(definition="b"), NOT_CHANGED
    ),
    Change("labels of a suspended Job's pods removed", s.ED, "jobs", PODS, NOT_CHANGED),
    Change("labels removed by an administrator", ADMIN, "jobs", labels(workflow=None), NOT_CHANGED),
    Change("other labels and annotations of a real Job", s.ED, "jobs", TEAM),
    Change("other labels and annotations of a real pod", s.ED, "pods", TEAM),
    Change("a real Job resumed, as Kueue does", s.ED, "jobs", {"spec": {"suspend": False}}),
    Change("an end by the operator", s.OPERATOR, "jobs", annotations(end="Timeout")),
    Change("owners taken away by the garbage collector", s.COLLECTOR, "jobs", owned()),
]


@pytest.mark.parametrize("row", STATUS, ids=lambda row: row.title)
def test_status(stage: Stage, row: Row) -> None:
    row.play(stage, "tidegate-status")


@pytest.mark.parametrize("row", CREATED, ids=lambda row: row.title)
def test_what_is_created(stage: Stage, row: Row) -> None:
    row.play(stage, "tidegate-children")


@pytest.mark.parametrize("row", CHANGED, ids=lambda row: row.title)
def test_what_is_changed(stage: Stage, row: Change) -> None:
    row.play(stage)
