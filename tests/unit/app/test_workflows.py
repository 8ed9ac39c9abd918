from typing import Any

import kopf
import pytest

from tests.unit.cluster.objects import KEY, workflow
from tidegate.app import workflows
from tidegate.app.process import excluded, identity
from tidegate.cluster.reflector import Lister
from tidegate.cluster.view import View, Wake
from tidegate.settings import Settings


class Sink:
    """The view's entrances for Workflows."""

    def __init__(self, view: View) -> None:
        self.seen, self.gone = view.workflow_seen, view.workflow_gone
        self.settled, self.token = view.workflows_settled, view.token


def handler_of(listers: dict[str | None, Lister]) -> Any:
    registry = workflows.registry(None, listers)  # type: ignore[arg-type]
    (handler,) = registry._watching.get_all_handlers()
    return handler.fn


@pytest.mark.parametrize("namespace", [None, "shop"])
async def test_events_are_handed_over(namespace: str | None) -> None:
    view, woken = View(), list[Wake]()
    lister = Lister(None, Sink(view), woken.append)  # type: ignore[arg-type]
    handle = handler_of({namespace: lister})
    for kind, version in ((None, 1), ("MODIFIED", 2), ("DELETED", 3)):
        raw = {"type": kind, "object": workflow(version, generation=version)}
        assert await handle(event=raw, namespace="shop") is None
    assert woken == [Wake(KEY, hot=False)] * 3
    assert list(view.keys()) == []


def test_nothing_of_kopf_writes_to_objects() -> None:
    chosen = workflows.settings()
    assert not chosen.posting.enabled
    assert chosen.scanning.disabled
    storage: Any = chosen.persistence
    patch = kopf.Patch()
    storage.diffbase_storage.store(body={}, patch=patch, essence={})
    storage.progress_storage.store(key="k", record={}, body={}, patch=patch)
    storage.progress_storage.purge(key="k", body={}, patch=patch)
    storage.progress_storage.touch(body={}, patch=patch, value="x")
    assert not patch
    assert storage.diffbase_storage.fetch(body={}) is None
    assert storage.diffbase_storage.build(body={}) == {}
    assert storage.progress_storage.fetch(key="k", body={}) is None
    assert storage.progress_storage.clear(essence={"x": 1}) == {"x": 1}


def test_only_on_event_is_used() -> None:
    registry = workflows.registry(None, {})  # type: ignore[arg-type]
    assert not registry._changing.get_all_handlers()
    assert not registry._spawning.get_all_handlers()
    assert not registry._indexing.get_all_handlers()


def test_the_operators_own_namespace_is_left_alone() -> None:
    inside = Settings(pod_name="tidegate-0", pod_namespace="ops")
    assert excluded(inside) == {"kube-system", "ops"}
    assert identity(inside) == "tidegate-0"
    outside = Settings(excluded_namespaces=("x",))
    assert excluded(outside) == {"x"}
    assert identity(outside) == identity(outside) != ""
