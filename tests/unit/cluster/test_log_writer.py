"""One write of a log: whose the ConfigMap is, what stands in it, and where it goes on."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.cluster.logs import (
    FakeLogs,
    fact,
    facts,
    inline,
    node,
    pod,
    status,
    valid,
)
from tests.unit.cluster.objects import UID
from tests.unit.cluster.virtual import virtual
from tests.unit.engine.builders import rows
from tidegate.api.identity import AttemptId
from tidegate.api.status import WorkflowStatus
from tidegate.cluster.log_trouble import Trouble, trouble_of
from tidegate.cluster.log_writer import ForeignLog, Snapshot, Task, Writer, Written, in_thread
from tidegate.errors import ApiError, Conflict, from_status
from tidegate.facts.model import Facts
from tidegate.report.volume import LIMIT, Mark, size

OWNER = {"apiVersion": "tidegate.dev/v1alpha1", "kind": "Workflow", "name": "demo", "uid": UID}
RETAINED = f"demo-log-{UID[:5]}"
PARAMS: dict[str, Any] = {
    "params": [{"name": "date", "value": "2026-11-22"}],
    "nodes": [{"name": "a", "image": "busybox", "command": ["true"]}],
}


def task(state: WorkflowStatus | None = None, **fields: Any) -> Task:
    known: dict[str, Any] = {
        "fact": fact(),
        "snapshot": Snapshot(valid(PARAMS), state or status()),
        "facts": facts(pod()),
        "retain": False,
        "early": {},
        "overdue": {},
    }
    return Task(**known | fields)


@pytest.fixture
def logs() -> FakeLogs:
    logs = FakeLogs()
    logs.outputs["pod-1/main"] = b"hello\n"
    return logs


async def write(logs: FakeLogs, one: Task) -> Written:
    return await Writer(logs, inline).write(one)


def mark(logs: FakeLogs, name: str = "demo-log") -> Mark:
    found = Mark.parse(logs.maps[name]["metadata"]["annotations"]["tidegate.dev/log"])
    assert found is not None
    return found


# --- whose it is


@virtual
async def test_a_log_belongs_to_its_workflow_and_says_so(logs: FakeLogs) -> None:
    await write(logs, task())
    metadata = logs.maps["demo-log"]["metadata"]
    assert metadata["ownerReferences"] == [OWNER]
    assert metadata["labels"] == {
        "tidegate.dev/workflow": "demo",
        "tidegate.dev/workflow-uid": UID,
        "app.kubernetes.io/managed-by": "tidegate",
    }
    assert metadata["namespace"] == "shop"


@virtual
async def test_a_log_that_is_retained_belongs_to_nobody(logs: FakeLogs) -> None:
    await write(logs, task(retain=True))
    assert logs.maps[RETAINED]["metadata"]["ownerReferences"] == []
    assert list(logs.maps) == [RETAINED]


@virtual
async def test_retained_later_it_takes_over_what_was_written(logs: FakeLogs) -> None:
    await write(logs, task())
    await write(logs, task(status(run=2, nodes={"a": node(run=2)})))
    logs.calls.clear()
    state = status(run=2, nodes={"a": node(run=2)})
    await write(logs, task(state, retain=True, facts=Facts()))
    data = logs.maps[RETAINED]["data"]
    assert "run 1 · Succeeded" in data["log.md"]
    assert "run 2 · Succeeded" in data["log.md"]
    assert data["1.a.1.txt"] == "hello\n"


@virtual
async def test_retained_later_it_takes_over_what_went_on_in_a_second_one(logs: FakeLogs) -> None:
    await write(logs, task())
    logs.maps["demo-log"]["data"]["log.md"] += "x" * (LIMIT // 2)
    for run in (2, 3):
        await write(logs, task(status(run=run, nodes={"a": node(run=run)}), facts=Facts()))
    logs.maps["demo-log"]["data"]["log.md"] = logs.text.replace("x" * (LIMIT // 2), "")
    state = status(run=3, nodes={"a": node(run=3)})
    await write(logs, task(state, retain=True, facts=Facts()))
    text = logs.maps[RETAINED]["data"]["log.md"]
    assert [text.count(f"# demo · run {run} · Succeeded") for run in (1, 2, 3)] == [1, 1, 1]
    assert "goes on" not in text
    assert {"1.a.1.txt", "3.a.1.txt"} <= logs.maps[RETAINED]["data"].keys()
    assert list(logs.maps) == ["demo-log", "demo-log-2", RETAINED]


@pytest.mark.parametrize("labels", [None, {}])
@virtual
async def test_retained_later_it_takes_over_what_is_left(logs: FakeLogs, labels: Any) -> None:
    await write(logs, task())
    logs.maps["demo-log"]["data"]["log.md"] += "x" * (LIMIT // 2)
    await write(logs, task(status(run=2, nodes={"a": node(run=2)}), facts=Facts()))
    if labels is None:
        del logs.maps["demo-log-2"]
    else:
        logs.maps["demo-log-2"]["metadata"]["labels"] = labels
    logs.maps["demo-log"]["data"]["log.md"] = logs.text.replace("x" * (LIMIT // 2), "")
    await write(logs, task(status(run=3, nodes={"a": node(run=3)}), retain=True, facts=Facts()))
    text = logs.maps[RETAINED]["data"]["log.md"]
    assert [text.count(f"# demo · run {run} · Succeeded") for run in (1, 2, 3)] == [1, 0, 1]
    assert "goes on" not in text


@virtual
async def test_retained_at_last_it_takes_over_nothing_of_others(logs: FakeLogs) -> None:
    logs.maps["demo-log"] = {"metadata": {"labels": {}}, "data": {"log.md": "theirs"}}
    await write(logs, task(retain=True))
    assert "theirs" not in logs.maps[RETAINED]["data"]["log.md"]


@pytest.mark.parametrize("labels", [None, {}, {"tidegate.dev/workflow-uid": "another"}])
@virtual
async def test_a_foreign_one_is_never_written(logs: FakeLogs, labels: Any) -> None:
    logs.maps["demo-log"] = {"metadata": {"labels": labels, "uid": "x", "resourceVersion": "1"}}
    with pytest.raises(ForeignLog, match="isn't this Workflow's log"):
        await write(logs, task())
    assert logs.count("create", "patch") == 0


@virtual
async def test_whoever_writes_in_between_is_not_overwritten(logs: FakeLogs) -> None:
    await write(logs, task(status("Running")))
    real = logs.tail

    async def meanwhile(*call: Any) -> bytes:
        logs._put("demo-log", logs.maps["demo-log"])
        return await real(*call)

    logs.tail = meanwhile  # type: ignore[method-assign, assignment]
    twice = status(nodes={"a": node("Succeeded", 2)})
    second = pod("pod-1", AttemptId(1, "a", 2))
    with pytest.raises(Conflict):
        await write(logs, task(twice, facts=facts(pod(), second)))


# --- what stands in it


@virtual
async def test_only_what_changed_is_sent(logs: FakeLogs) -> None:
    await write(logs, task(status("Running")))
    sent: list[Any] = []
    real = logs.patch

    async def patch(namespace: str, name: str, change: Any) -> None:
        sent.append(change)
        await real(namespace, name, change)

    logs.patch = patch  # type: ignore[method-assign, assignment]
    await write(logs, task())
    assert list(sent[0]["data"]) == ["log.md"]


@virtual
async def test_params_images_and_tails_are_told(logs: FakeLogs) -> None:
    await write(logs, task(status("Failed", nodes={"a": node("Failed")})))
    text = logs.text
    assert "2026-11-22" in text
    assert "hello" in text
    assert "busybox@sha256:1" in text
    assert logs.maps["demo-log"]["data"]["images.json"] == '{"busybox@sha256:1":["1.a"]}'


@virtual
async def test_what_is_gone_from_the_cluster_stays_in_the_log(logs: FakeLogs) -> None:
    await write(logs, task(status("Running", nodes={"a": node("Retrying")})))
    state = status("Failed", nodes={"a": node("Failed")})
    await write(logs, task(state, facts=Facts()))
    assert "busybox@sha256:1" in logs.text
    assert "hello" in logs.text


@virtual
async def test_of_nodes_that_were_kept_tails_and_images_are_told_as_well(logs: FakeLogs) -> None:
    failed = node("Succeeded", 2)
    spec = {"nodes": [*PARAMS["nodes"], {"name": "b", "image": "busybox", "command": ["true"]}]}
    await write(logs, task(status("Failed", nodes={"a": failed, "b": node("Failed")})))
    state = status(run=2, nodes={"a": failed, "b": node(run=2)})
    told = facts(pod("pod-2", AttemptId(2, "b", 1), image_id="busybox@sha256:2"))
    logs.outputs["pod-2/main"] = b"again\n"
    await write(logs, task(state, snapshot=Snapshot(valid(spec), state), facts=told))
    present = logs.text[logs.text.index("run 2 ·") :]
    assert "busybox@sha256:1" in present
    assert "busybox@sha256:2" in present
    images = logs.maps["demo-log"]["data"]["images.json"]
    assert images == '{"busybox@sha256:1":["1.a"],"busybox@sha256:2":["2.b"]}'


@virtual
async def test_what_ran_again_is_told_without_its_former_image_and_tail(logs: FakeLogs) -> None:
    kept, mended = node(), {"name": "b", "image": "busybox", "command": ["true"]}
    state = status("Failed", nodes={"a": kept, "b": node("Failed")})
    snapshot = Snapshot(valid({"nodes": [*PARAMS["nodes"], mended]}), state)
    former = pod("pod-2", AttemptId(1, "b", 1), image_id="busybox@sha256:bad")
    logs.outputs["pod-2/main"] = b"broken\n"
    await write(logs, task(state, snapshot=snapshot, facts=facts(pod(), former)))
    state = status("Running", run=2, nodes={"a": kept, "b": node("Running", run=2)})
    present = pod("pod-3", AttemptId(2, "b", 1), image_id="busybox@sha256:good")
    told = facts(pod(), former, present)
    await write(logs, task(state, snapshot=replace(snapshot, status=state), facts=told))
    images = logs.maps["demo-log"]["data"]["images.json"]
    assert images == '{"busybox@sha256:1":["1.a"],"busybox@sha256:good":["2.b"]}'
    text = logs.text[logs.text.index("# demo · run 2 ·") :]
    assert "busybox@sha256:good" in text
    assert "busybox@sha256:bad" not in text
    assert r"{.data.1\.a\.1\.txt}" in text


@virtual
async def test_however_often_nodes_are_repeated_the_log_keeps_to_its_bytes(logs: FakeLogs) -> None:
    names = [f"{i:040}" for i in range(250)]
    state = status("Running", nodes={name: node("Running", 101) for name in names})
    attempts = [AttemptId(1, name, number) for name in names for number in range(1, 102)]
    await write(logs, task(state, facts=facts(*(pod("p", one) for one in attempts))))
    data = logs.maps["demo-log"]["data"]
    assert size(data) <= LIMIT
    assert all(f'"1.{name}"' in data["images.json"] for name in names)


@virtual
async def test_a_bug_while_tails_are_read_is_not_swallowed(logs: FakeLogs) -> None:
    logs.trouble["tail"] = [ZeroDivisionError()]
    with pytest.raises(ZeroDivisionError):
        await write(logs, task())


@virtual
async def test_an_invalid_spec_is_told_and_replaced_by_the_first_run(logs: FakeLogs) -> None:
    state = status("Failed", run=0, nodes={}, reason="InvalidSpec", message="invalid spec: odd")
    await write(logs, task(state, snapshot=Snapshot(None, state)))
    assert "odd" in logs.text
    await write(logs, task())
    assert "odd" not in logs.text


@virtual
async def test_the_same_status_is_not_written_twice_and_an_older_one_never(logs: FakeLogs) -> None:
    await write(logs, task())
    before = dict(logs.maps["demo-log"])
    for state in (status(), status("Running"), status("Failed", run=0)):
        written = await write(logs, task(state))
        assert not written.pending
    assert logs.maps["demo-log"] == before
    assert logs.count("create", "patch") == 1


@virtual
async def test_a_mark_that_somebody_removed_costs_a_section_and_no_more(logs: FakeLogs) -> None:
    await write(logs, task())
    logs.maps["demo-log"]["metadata"]["annotations"] = {}
    logs.maps["demo-log"]["data"] |= {"1.a.1.txt": "edited", "notes": "mine"}
    await write(logs, task(status(run=2, nodes={"a": node(run=2)})))
    assert logs.text.startswith("# demo · run 1")
    assert mark(logs).run == 2


# --- more than one holds


@virtual
async def test_a_long_log_goes_on_in_a_second_one(logs: FakeLogs) -> None:
    await write(logs, task())
    long = logs.maps["demo-log"]
    long["data"]["log.md"] += "x" * (LIMIT // 2)
    for run in (2, 3):
        state = status(run=run, nodes={"a": node(run=run)})
        await write(logs, task(state))
        assert mark(logs, "demo-log-2").run == run
    assert logs.text.endswith("The log goes on in the ConfigMap `demo-log-2`.\n")
    assert mark(logs).next == "demo-log-2"
    second = logs.maps["demo-log-2"]
    assert second["metadata"]["ownerReferences"] == [OWNER]
    assert "run 2" in second["data"]["log.md"]
    assert "run 3" in second["data"]["log.md"]
    assert "-n shop demo-log-2 " in second["data"]["log.md"], "its commands name where tails are"


@virtual
async def test_killed_between_the_two_writes_it_goes_on_there_all_the_same(logs: FakeLogs) -> None:
    await write(logs, task())
    logs.maps["demo-log"]["data"]["log.md"] += "x" * (LIMIT // 2)
    logs.trouble["create"] = [from_status(500, "InternalError", "killed")]
    state = status(run=2, nodes={"a": node(run=2)})
    with pytest.raises(ApiError):
        await write(logs, task(state))
    await write(logs, task(state))
    assert logs.text.count("goes on") == 1
    assert mark(logs, "demo-log-2").run == 2


@virtual
async def test_a_mark_leads_nowhere_else(logs: FakeLogs) -> None:
    await write(logs, task())
    astray = replace(mark(logs), next="another").dump()
    logs.maps["demo-log"]["metadata"]["annotations"]["tidegate.dev/log"] = astray
    await write(logs, task(status(run=2, nodes={"a": node(run=2)})))
    assert list(logs.maps) == ["demo-log"]


async def test_what_takes_long_is_done_beside_the_loop(logs: FakeLogs) -> None:
    await Writer(logs, in_thread).write(task())
    assert "run 1 · Succeeded" in logs.text


# --- what trouble means


@pytest.mark.parametrize(
    ("error", "kind", "passing", "hopeless"),
    rows({
        "no answer": (TimeoutError(), "unavailable", True, False),
        "a lost race": (from_status(409, "Conflict", "x"), "conflict", True, False),
        "too large, by etcd": (
            from_status(500, "InternalError", "request is too large"), "too_large", False, False),
        "too long, by the API server": (
            from_status(422, "Invalid", "Too long: must have at most"), "too_large", False, False),
        "a quota": (from_status(403, "Forbidden", "exceeded quota"), "forbidden", False, False),
        "the namespace has gone": (
            from_status(404, "NotFound", "namespaces not found"), "forbidden", True, True),
        "the namespace goes": (
            from_status(403, "NamespaceTerminating", "x"), "forbidden", True, True),
    }),
)  # fmt: skip
def test_trouble_is_told_apart(error: Exception, kind: str, passing: bool, hopeless: bool) -> None:
    found = trouble_of(error)
    assert (found.kind, found.passing, found.hopeless) == (kind, passing, hopeless)


def test_pauses_grow_to_five_minutes() -> None:
    trouble = Trouble("forbidden", "x", passing=False)
    assert [trouble.pause(n) for n in (1, 2, 3, 20)] == [2.0, 4.0, 8.0, 300.0]
