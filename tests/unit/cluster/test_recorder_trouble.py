"""What comes of trouble with a log, and of pods that go before they are read."""

from typing import Any

import pytest

from tests.unit.cluster.logs import (
    node,
    pod,
    status,
)
from tests.unit.cluster.objects import LOST, UID, StillClock
from tests.unit.cluster.recording import FORBIDDEN, World, errors, pass_by
from tests.unit.cluster.virtual import virtual
from tests.unit.engine.builders import rows
from tidegate.api.identity import AttemptId
from tidegate.api.status import JobRef
from tidegate.errors import from_status
from tidegate.facts.model import AttemptFact, Existence, Facts


@pytest.fixture
def world() -> World:
    return World()


# --- trouble


@pytest.mark.parametrize("verb", ["get", "create"])
@pytest.mark.parametrize(
    ("error", "kind", "words"),
    rows({
        "a quota": (FORBIDDEN, "forbidden", "exceeded quota"),
        "a right": (from_status(403, "Forbidden", "cannot create resource"), "forbidden",
                    "cannot create"),
        "a size": (from_status(413, "RequestEntityTooLarge", "big"), "too_large", "big"),
        "a policy": (from_status(422, "Invalid", "denied by a policy"), "forbidden", "denied"),
    }),
)  # fmt: skip
@virtual
async def test_what_refuses_a_log_is_told_once_counted_and_tried_again(
    world: World, verb: str, error: Exception, kind: str, words: str
) -> None:
    before = errors(kind)
    world.logs.trouble[verb] = [error] * 6
    await world.begin()
    world.note(status())
    await pass_by(400)
    assert errors(kind) == before + 6
    assert len(world.warnings) == 1
    assert words in world.warnings[0]
    assert "run 1 · Succeeded" in world.logs.text


@pytest.mark.parametrize(
    ("trouble", "kind"),
    rows({
        "the API server is away": (LOST, "unavailable"),
        "it is busy": (from_status(429, "TooManyRequests", "slow down"), "unavailable"),
        "it is at fault": (from_status(500, "InternalError", "etcd"), "unavailable"),
        "it never answers": ("hang", "unavailable"),
        "somebody was quicker": (from_status(409, "AlreadyExists", "exists"), "conflict"),
        "the answer was lost": (("after", LOST), "unavailable"),
    }),
)  # fmt: skip
@virtual
async def test_what_passes_is_neither_counted_nor_told(
    world: World, trouble: Any, kind: str
) -> None:
    before = errors(kind)
    world.logs.trouble["create"] = [trouble]
    await world.begin()
    world.note(status())
    await pass_by(200)
    assert errors(kind) == before
    assert world.warnings == []
    assert world.logs.text.count("run 1 · Succeeded") == 1
    assert world.logs.count("patch") == 0, "what was carried out is not repeated"


@virtual
async def test_trouble_that_does_not_pass_is_told_and_counted_after_all(world: World) -> None:
    before = errors("unavailable")
    world.logs.trouble["get"] = [LOST] * 9
    await world.begin()
    world.note(status())
    await pass_by(3000)
    assert len(world.warnings) == 1
    assert errors("unavailable") == before + 7, "the first two might have passed"
    assert "run 1 · Succeeded" in world.logs.text


@virtual
async def test_one_of_that_name_that_is_not_ours_is_never_written(world: World) -> None:
    theirs = {"metadata": {"name": "demo-log", "uid": "x", "resourceVersion": "1"}, "data": {}}
    world.logs.maps["demo-log"] = theirs
    before = errors("foreign")
    await world.begin()
    world.note(status())
    await pass_by(3600)
    assert world.logs.maps["demo-log"] == theirs
    assert world.writes == 0
    assert len(world.warnings) == 1
    assert "isn't this Workflow's log" in world.warnings[0]
    assert errors("foreign") > before + 5
    del world.logs.maps["demo-log"]
    await pass_by(301)
    assert "run 1 · Succeeded" in world.logs.text


@virtual
async def test_the_log_of_a_namesake_that_was_deleted_is_waited_for_in_silence(
    world: World,
) -> None:
    owner = {"kind": "Workflow", "name": "demo", "uid": "former"}
    former = {"labels": {"tidegate.dev/workflow-uid": "former"}, "ownerReferences": [owner]}
    world.logs.maps["demo-log"] = {"metadata": former}
    before = errors("foreign")
    await world.begin()
    world.note(status())
    await pass_by(1)
    del world.logs.maps["demo-log"]
    await pass_by(10)
    assert world.warnings == []
    assert errors("foreign") == before, "nothing is wrong, so nobody is called"
    assert "run 1 · Succeeded" in world.logs.text


@virtual
async def test_where_the_namespace_goes_the_log_is_given_up(world: World) -> None:
    going = from_status(403, "Forbidden", "x because it is being terminated")
    world.logs.trouble["create"] = [going] * 100
    before = errors("forbidden")
    await world.begin()
    world.note(status())
    await pass_by(3600)
    assert world.logs.count("create") == 3
    assert world.warnings == []
    assert errors("forbidden") == before, "nothing is wrong, so nobody is called"


# --- tails


@virtual
async def test_a_tail_that_can_not_be_read_yet_is_read_later(world: World) -> None:
    before = errors("tail")
    world.logs.trouble["tail"] = [LOST, LOST]
    await world.begin()
    world.note(status())
    await pass_by(0.5)
    data = world.logs.maps["demo-log"]
    assert "1.a.1.txt" not in data["data"]
    assert '"status"' not in data["metadata"]["annotations"]["tidegate.dev/log"]
    await pass_by(30)
    assert world.logs.maps["demo-log"]["data"]["1.a.1.txt"] == "hello\n"
    assert '"status"' in world.logs.maps["demo-log"]["metadata"]["annotations"]["tidegate.dev/log"]
    assert world.warnings == []
    assert errors("tail") == before, "nothing was lost"


@virtual
async def test_after_a_minute_a_tail_is_given_up_and_the_log_says_why(world: World) -> None:
    before = errors("tail")
    world.logs.trouble["tail"] = [LOST] * 100
    await world.begin()
    world.note(status())
    await pass_by(100)
    told = world.logs.maps["demo-log"]["data"]["1.a.1.txt"]
    assert told == "[tidegate] its log could not be read: the connection broke\n"
    assert world.warnings == [
        "the log lacks what was printed by 1.a.1 (run.node.attempt), and says why"
    ]
    assert errors("tail") == before + 1, "the tries before don't count"
    asked = len(world.logs.calls)
    await pass_by(1000)
    assert len(world.logs.calls) == asked


@virtual
async def test_a_pod_that_has_gone_leaves_a_note(world: World) -> None:
    world.attempts = Facts()
    await world.begin()
    world.note(status())
    await pass_by(1)
    told = world.logs.maps["demo-log"]["data"]["1.a.1.txt"]
    assert told == "[tidegate] its pod was gone before its log could be read\n"
    assert len(world.warnings) == 1


@virtual
async def test_what_the_operator_stops_is_read_while_its_pod_is_there(world: World) -> None:
    await world.begin()
    stopping = node("Running", job=JobRef(name="x", ending="Cancelled"))
    world.note(status("Running", nodes={"a": stopping}))
    await pass_by(0)
    assert world.logs.count("tail") == 1
    world.attempts, world.logs.outputs = Facts(), {}
    world.note(status("Cancelled", nodes={"a": node("Cancelled")}))
    await pass_by(1)
    assert world.logs.maps["demo-log"]["data"]["1.a.1.txt"] == "hello\n"
    assert world.warnings == []


@virtual
async def test_what_others_delete_is_read_while_its_pod_is_there(world: World) -> None:
    await world.begin()
    world.note(status("Running", nodes={"a": node("Running")}))
    before = AttemptFact(Existence.PRESENT, pods=(pod(),))
    after = AttemptFact(Existence.PRESENT, pods=(pod(deletion_at=StillClock().now()),))
    world.recorder.observe(UID, before, before)
    world.recorder.observe(UID, before, after)
    world.recorder.observe(UID, after, after)
    await pass_by(0)
    assert world.logs.count("tail") == 1
    world.attempts, world.logs.outputs = Facts(), {}
    world.note(status("Failed", nodes={"a": node("Failed")}))
    await pass_by(1)
    assert world.logs.maps["demo-log"]["data"]["1.a.1.txt"] == "hello\n"


@virtual
async def test_what_was_read_early_is_replaced_by_the_whole_where_it_can_be_had(
    world: World,
) -> None:
    await world.begin()
    stopping = node("Running", job=JobRef(name="x", ending="Cancelled"))
    world.note(status("Running", nodes={"a": stopping}))
    await pass_by(0)
    world.logs.outputs["pod-1/main"] = b"hello\nlast words\n"
    world.note(status("Cancelled", nodes={"a": node("Cancelled")}))
    await pass_by(1)
    assert world.logs.maps["demo-log"]["data"]["1.a.1.txt"] == "hello\nlast words\n"


@virtual
async def test_what_the_log_has_already_is_not_read_again_when_its_pod_goes(world: World) -> None:
    await world.begin()
    world.note(status("Running", nodes={"a": node(), "b": node("Running")}))
    await pass_by(6)
    assert world.logs.count("tail") == 1
    before = AttemptFact(Existence.PRESENT, pods=(pod(),))
    after = AttemptFact(Existence.PRESENT, pods=(pod(deletion_at=StillClock().now()),))
    world.recorder.observe(UID, before, after)
    world.note(status("Running", run=2, nodes={"a": node("Running", run=2)}))
    world.recorder.observe(UID, before, after)
    await pass_by(1)
    assert world.logs.count("tail") == 1


@virtual
async def test_however_many_are_stopped_few_are_read_at_once(world: World) -> None:
    await world.begin()
    world.note(status("Running", nodes={"a": node("Running")}))
    world.logs.trouble["tail"] = ["hang"] * 100
    for number in range(100):
        one = pod(f"pod-{number}", AttemptId(1, f"n{number}", 1))
        going = pod(one.name, one.attempt, deletion_at=StillClock().now())
        world.recorder.observe(
            UID,
            AttemptFact(Existence.PRESENT, pods=(one,)),
            AttemptFact(Existence.PRESENT, pods=(going,)),
        )
    await pass_by(1)
    assert 8 <= world.logs.count("tail") <= 16
    world.recorder.stop()
    await pass_by(0)
