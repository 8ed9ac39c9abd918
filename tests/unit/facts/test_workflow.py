from typing import Any

import pytest

from tests.unit.facts.raws import at, second
from tidegate.api.identity import WorkflowKey
from tidegate.facts.model import WorkflowFact
from tidegate.facts.raw import EPOCH
from tidegate.facts.workflow import workflow_fact


def raw(**metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "demo", "namespace": "shop", "uid": "u", "generation": 4,
            "resourceVersion": "77", "creationTimestamp": second(3), **metadata,
        },
        "spec": {"nodes": []},
        "status": {"observedGeneration": -1},
    }  # fmt: skip


def test_a_workflow() -> None:
    assert workflow_fact(raw()) == WorkflowFact(
        key=WorkflowKey("shop", "demo"),
        uid="u",
        generation=4,
        resource_version="77",
        created_at=at(3),
        deleting=False,
        annotations={},
        restored=False,
        spec={"nodes": []},
        status={"observedGeneration": -1},
    )


def test_being_deleted_and_restored() -> None:
    fact = workflow_fact(
        raw(deletionTimestamp=second(9), labels={"velero.io/restore-name": "nightly"})
    )
    assert fact.deleting
    assert fact.restored


@pytest.mark.parametrize(
    ("key", "kept"),
    [
        ("tidegate.dev/cancel", True),
        ("checkpoint.tidegate.dev/approve", True),
        ("a.b.tidegate.dev/x", True),
        ("nottidegate.dev/cancel", False),
        ("tidegate.dev", False),
        ("kubectl.kubernetes.io/last-applied-configuration", False),
        ("tidegate.dev.example.com/cancel", False),
    ],
)
def test_only_annotations_of_the_group_are_kept(key: str, kept: bool) -> None:
    assert (key in workflow_fact(raw(annotations={key: "x"})).annotations) is kept


def test_an_empty_object_is_an_empty_fact() -> None:
    fact = workflow_fact({})
    assert (fact.key, fact.uid, fact.created_at) == (WorkflowKey("", ""), "", EPOCH)
    assert (fact.spec, fact.status, fact.annotations) == ({}, {}, {})
