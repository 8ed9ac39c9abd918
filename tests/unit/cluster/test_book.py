import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cluster.objects import KEY, LOST, FakeApi, merged, workflow
from tidegate.api.status import NodePhase, NodeStatus, Phase, WorkflowStatus
from tidegate.cluster.book import Book, as_stored, difference
from tidegate.cluster.view import View, Wake
from tidegate.errors import Conflict, Invalid, Refused, ServerFault, Unreachable, from_status
from tidegate.facts.model import WorkflowFact

BEFORE = WorkflowStatus()
AFTER = WorkflowStatus(phase=Phase.RUNNING, run=1, nodes={"a": NodeStatus(wave=1)})


class Rig:
    """The real book and view over an API server in memory."""

    def __init__(self) -> None:
        self.api = FakeApi()
        self.api.workflows[KEY.name] = workflow(1)
        self.view = View()
        self.view.workflow_seen(workflow(1))
        self.woken: list[Wake] = []
        self.book = Book(self.api, self.view, self.woken.append)

    @property
    def workflow(self) -> WorkflowFact:
        fact = self.view.workflow(KEY)
        assert fact is not None
        return fact

    @property
    def stored(self) -> WorkflowStatus:
        return WorkflowStatus.model_validate(self.api.workflows[KEY.name]["status"])


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_what_is_recorded_is_known_at_once(rig: Rig) -> None:
    await rig.book.record(rig.workflow, BEFORE, AFTER)
    assert rig.stored == AFTER
    assert WorkflowStatus.model_validate(rig.workflow.status) == AFTER


async def test_only_what_changed_is_written(rig: Rig) -> None:
    await rig.book.record(rig.workflow, BEFORE, AFTER)
    ended = AFTER.nodes["a"].model_copy(update={"phase": NodePhase.SUCCEEDED, "wave": None})
    after = AFTER.model_copy(update={"nodes": {"a": ended}, "phase": Phase.SUCCEEDED})
    change = difference(as_stored(AFTER), as_stored(after))
    assert change == {
        "phase": "Succeeded",
        "nodes": {"a": {"phase": "Succeeded", "wave": None}},
    }
    await rig.book.record(rig.workflow, AFTER, after)
    assert rig.stored == after


async def test_nothing_new_is_not_written(rig: Rig) -> None:
    await rig.book.record(rig.workflow, AFTER, AFTER)
    assert rig.api.calls == []


async def test_a_conflict_is_read_again_and_raised(rig: Rig) -> None:
    rig.api.workflows[KEY.name] = workflow(7, generation=2)
    with pytest.raises(Conflict):
        await rig.book.record(rig.workflow, BEFORE, AFTER)
    assert rig.workflow.generation == 2
    assert rig.api.workflows[KEY.name]["status"] == {}


async def test_a_workflow_of_the_same_name_is_not_written(rig: Rig) -> None:
    rig.api.workflows[KEY.name] = workflow(7, uid="wf-2")
    with pytest.raises(Conflict):
        await rig.book.record(rig.workflow, BEFORE, AFTER)
    assert rig.workflow.uid == "wf-2"


async def test_a_workflow_that_is_gone_is_forgotten(rig: Rig) -> None:
    rig.api.workflows.clear()
    with pytest.raises(Conflict):
        await rig.book.record(rig.workflow, BEFORE, AFTER)
    assert rig.view.workflow(KEY) is None


async def test_a_write_whose_answer_was_lost_counts(rig: Rig) -> None:
    rig.api.trouble["patch_status"] = [("after", LOST)]
    await rig.book.record(rig.workflow, BEFORE, AFTER)
    assert WorkflowStatus.model_validate(rig.workflow.status) == AFTER
    assert rig.api.count("patch_status") == 1


@pytest.mark.parametrize("error", [LOST, ServerFault("etcd", status=500)])
async def test_a_write_that_was_lost_is_raised(rig: Rig, error: Exception) -> None:
    rig.api.trouble["patch_status"] = [error]
    with pytest.raises(type(error)):
        await rig.book.record(rig.workflow, BEFORE, AFTER)
    assert rig.api.count("get_workflow") == 1


async def test_nothing_is_concluded_while_the_server_is_silent(rig: Rig) -> None:
    rig.api.trouble["patch_status"] = [("after", LOST)]
    rig.api.trouble["get_workflow"] = [LOST]
    with pytest.raises(Unreachable):
        await rig.book.record(rig.workflow, BEFORE, AFTER)


async def test_somebody_elses_write_is_not_taken_for_ours(rig: Rig) -> None:
    rig.api.trouble["patch_status"] = [LOST]
    rig.api.workflows[KEY.name] = workflow(7, status={"phase": "Failed"})
    with pytest.raises(Unreachable):
        await rig.book.record(rig.workflow, BEFORE, AFTER)
    assert rig.workflow.status == {"phase": "Failed"}


@pytest.mark.parametrize(("status", "kind"), [(422, Invalid), (413, Refused)])
async def test_what_the_server_will_not_have_is_raised(
    rig: Rig, status: int, kind: type[Exception]
) -> None:
    rig.api.trouble["patch_status"] = [from_status(status, "", "too large")]
    with pytest.raises(kind):
        await rig.book.record(rig.workflow, BEFORE, AFTER)


@pytest.mark.parametrize(
    "words",
    [
        "etcdserver: request is too large",
        "rpc error: code = ResourceExhausted desc = trying to send message larger than max",
    ],
)
async def test_what_etcd_finds_too_large_is_no_lost_answer(rig: Rig, words: str) -> None:
    rig.api.trouble["patch_status"] = [from_status(500, "InternalError", words)]
    with pytest.raises(Refused, match="request is too large") as caught:
        await rig.book.record(rig.workflow, BEFORE, AFTER)
    assert words in caught.value.message
    assert rig.api.count("get_workflow") == 0


async def test_a_request_that_came_with_a_lost_answer_wakes_its_workflow(rig: Rig) -> None:
    rig.api.trouble["patch_status"] = [("after", LOST)]
    real = rig.api.get_workflow

    async def annotated(namespace: str, name: str) -> Any:
        metadata = rig.api.workflows[name]["metadata"]
        metadata["annotations"] = {"tidegate.dev/cancel": "now"}
        metadata["resourceVersion"] = rig.api.next_version()
        return await real(namespace, name)

    rig.api.get_workflow = annotated  # type: ignore[method-assign]
    await rig.book.record(rig.workflow, BEFORE, AFTER)
    assert rig.woken == [Wake(KEY, hot=True)]
    assert rig.view.workflow_seen(rig.api.workflows[KEY.name]) == []


async def test_what_was_read_again_wakes_its_workflow(rig: Rig) -> None:
    rig.api.workflows[KEY.name] = workflow(7, generation=2)
    await rig.book.reread(rig.workflow)
    assert rig.woken == [Wake(KEY, hot=False)]
    rig.api.workflows.clear()
    await rig.book.reread(rig.workflow)
    assert rig.woken == [Wake(KEY, hot=False)] * 2


@pytest.mark.parametrize(
    ("dropped", "words"), [(("run",), "status.run "), (("nodes", "a", "wave"), "status.nodes.a.wa")]
)
async def test_a_crd_that_drops_what_is_written_is_told(
    rig: Rig, dropped: tuple[str, ...], words: str
) -> None:
    real = rig.api.patch_status

    async def pruning(namespace: str, name: str, patch: Any) -> Any:
        patch = copy.deepcopy(patch)
        inner = patch["status"]
        for key in dropped[:-1]:
            inner = inner[key]
        inner.pop(dropped[-1])
        return await real(namespace, name, patch)

    rig.api.patch_status = pruning  # type: ignore[method-assign]
    with pytest.raises(Refused, match="older than the operator") as caught:
        await rig.book.record(rig.workflow, BEFORE, AFTER)
    assert words in caught.value.message
    assert rig.workflow.status["phase"] == "Running"


async def test_what_a_newer_operator_left_in_the_status_is_no_trouble(rig: Rig) -> None:
    rig.api.workflows[KEY.name] = workflow(3, status={"budget": 7, "runs": []})
    rig.view.workflow_seen(rig.api.workflows[KEY.name])
    await rig.book.record(rig.workflow, BEFORE, AFTER)
    assert rig.stored.phase is Phase.RUNNING


async def test_a_refusal_for_another_uid_is_a_conflict(rig: Rig) -> None:
    rig.api.trouble["patch_status"] = [from_status(422, "Invalid", "uid is immutable")]
    rig.api.workflows[KEY.name] = workflow(7, uid="wf-2")
    with pytest.raises(Conflict):
        await rig.book.record(rig.workflow, BEFORE, AFTER)


def test_nothing_that_is_empty_is_stored() -> None:
    stored = as_stored(AFTER)
    assert "runs" not in stored
    assert "conditions" not in stored
    assert "failures" not in stored["nodes"]["a"]
    assert stored["nodes"]["a"]["phase"] == "Pending"


documents = st.recursive(
    st.integers() | st.text(max_size=2) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from("abcd"), documents, max_size=4)


@given(before=objects, after=objects)
def test_a_difference_makes_the_one_of_the_other(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    # Merge patch merges objects and can't make an empty one of a full one; none is ever stored.
    before, after = _pruned(before), _pruned(after)
    patched = merged(before, difference(before, after))
    assert _pruned(patched) == after


def _pruned(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kept = {key: _pruned(item) for key, item in value.items()}
    return {key: item for key, item in kept.items() if item not in ({}, [])}
