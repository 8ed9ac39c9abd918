"""When logs are written, what waits for them, and what comes of trouble."""

import asyncio
import itertools
from datetime import datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.unit.cluster.logs import (
    FakeLogs,
    facts,
    inline,
    node,
    pod,
    status,
    valid,
)
from tests.unit.cluster.logs import (
    fact as workflow_fact,
)
from tests.unit.cluster.objects import KEY, LOST, UID, StillClock
from tests.unit.cluster.virtual import virtual
from tests.unit.engine.builders import rows
from tidegate.api.identity import AttemptId, WorkflowKey
from tidegate.api.status import JobRef, LogRef, WorkflowStatus
from tidegate.cluster.book import as_stored
from tidegate.cluster.log_writer import Writer
from tidegate.cluster.recorder import Recorder
from tidegate.errors import from_status
from tidegate.facts.model import AttemptFact, Existence, Facts, WorkflowFact

A1 = AttemptId(1, "a", 1)
OTHER = WorkflowKey("shop", "other")
FORBIDDEN = from_status(403, "Forbidden", "exceeded quota: count/configmaps")


class World:
    """One or two Workflows, their recorder, and all that it asks and tells."""

    def __init__(self) -> None:
        self.logs = FakeLogs()
        self.logs.outputs["pod-1/main"] = b"hello\n"
        self.present: dict[WorkflowKey, WorkflowFact] = {KEY: workflow_fact()}
        self.attempts = facts(pod())
        self.warnings: list[str] = []
        self.woken: list[WorkflowKey] = []
        self.recorder = Recorder(
            self.logs, (self, self, self, StillClock()), writer=Writer(self.logs, inline)
        )
        self._running: asyncio.Task[None] | None = None

    # View, Agenda, Teller

    def workflow(self, key: WorkflowKey) -> WorkflowFact | None:
        return self.present.get(key)

    def facts(self, _workflow: WorkflowFact) -> Facts:
        return self.attempts

    def keys(self) -> list[WorkflowKey]:
        return list(self.present)

    def wake_at(self, key: WorkflowKey, _at: datetime) -> None:
        self.woken.append(key)

    def tell(self, _workflow: WorkflowFact, notes: Any, _observations: Any) -> None:
        assert all(one.kind == "LogIncomplete" and one.warning for one in notes)
        self.warnings += [one.message for one in notes]

    # The loop

    async def begin(self) -> None:
        self._running = asyncio.create_task(self.recorder.run())
        await pass_by(0)

    def note(self, state: WorkflowStatus, key: WorkflowKey = KEY) -> None:
        found = self.present[key]
        self.recorder.note(found, valid(), state)

    def has_logged(self, attempt: AttemptId | None = None) -> bool:
        return self.recorder.has_logged(self.present[KEY], attempt)

    @property
    def writes(self) -> int:
        return self.logs.count("create", "patch")


@pytest.fixture
def world() -> World:
    return World()


async def pass_by(seconds: float) -> None:
    await asyncio.sleep(seconds)
    for _ in range(20):
        await asyncio.sleep(0)


def now() -> float:
    return asyncio.get_running_loop().time()


def errors(kind: str) -> float:
    labels = {"kind": kind}
    return REGISTRY.get_sample_value("tidegate_log_write_errors_total", labels) or 0.0


# --- when


@virtual
async def test_a_short_run_is_written_once_soon_after_its_end(world: World) -> None:
    await world.begin()
    world.note(status("Running"))
    await pass_by(2)
    assert world.writes == 0
    world.note(status())
    await pass_by(0.3)
    assert world.writes == 1
    assert "run 1 · Succeeded" in world.logs.text
    assert world.logs.maps["demo-log"]["data"]["1.a.1.txt"] == "hello\n"
    await pass_by(1000)
    assert world.logs.count("get", "create", "patch", "tail") == 3, "then nothing more is asked"


@virtual
async def test_while_it_runs_it_is_written_at_most_once_in_five_seconds(world: World) -> None:
    await world.begin()
    times: list[float] = []
    for step in range(120):
        before = world.writes
        world.note(status("Running", message=f"step {step}"))
        await pass_by(0.5)
        if world.writes > before:
            times.append(now())
    assert 10 <= len(times) <= 12
    assert min(b - a for a, b in itertools.pairwise(times)) >= 4.5


@virtual
async def test_the_end_waits_for_the_five_seconds_too(world: World) -> None:
    await world.begin()
    world.note(status("Running"))
    await pass_by(5.1)
    assert world.writes == 1
    world.note(status())
    await pass_by(4)
    assert world.writes == 1
    await pass_by(1.2)
    assert world.writes == 2


@virtual
async def test_a_status_that_says_nothing_new_is_not_written(world: World) -> None:
    await world.begin()
    world.note(status())
    await pass_by(6)
    world.note(status(observed_generation=7))
    await pass_by(60)
    assert world.writes == 1


@virtual
async def test_nothing_is_written_before_this_process_leads(world: World) -> None:
    world.note(status())
    await pass_by(60)
    assert world.logs.calls == []
    await world.begin()
    await pass_by(1)
    assert world.writes == 1


@virtual
async def test_a_rerun_that_comes_at_once_hides_no_end(world: World) -> None:
    await world.begin()
    world.note(status("Failed", nodes={"a": node("Failed")}))
    world.note(status("Running", run=2, nodes={"a": node("Running", run=2)}))
    await pass_by(0.3)
    world.note(status(run=2, nodes={"a": node(run=2)}))
    await pass_by(4)
    assert world.writes == 1
    await pass_by(10)
    assert world.writes == 2
    assert world.logs.text.index("run 1 · Failed") < world.logs.text.index("run 2 · Succeeded")


@virtual
async def test_one_log_that_hangs_holds_up_no_other(world: World) -> None:
    world.present[OTHER] = workflow_fact(key=OTHER, uid="wf-2")
    world.logs.trouble["get"] = ["hang"]
    await world.begin()
    world.note(status())
    await pass_by(0.3)
    world.note(status(log=LogRef(config_map="other-log")), OTHER)
    await pass_by(1)
    assert list(world.logs.maps) == ["other-log"]
    await pass_by(120)
    assert sorted(world.logs.maps) == ["demo-log", "other-log"], "it is given up and tried again"


@virtual
async def test_a_bug_is_no_matter_to_the_loop(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await world.begin()
    monkeypatch.setattr(world.recorder, "_note", lambda *_: 1 / 0)
    world.note(status())
    assert "this is a bug" in caplog.text


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
async def test_what_passes_is_counted_and_not_told(world: World, trouble: Any, kind: str) -> None:
    before = errors(kind)
    world.logs.trouble["create"] = [trouble]
    await world.begin()
    world.note(status())
    await pass_by(200)
    assert errors(kind) == before + 1
    assert world.warnings == []
    assert world.logs.text.count("run 1 · Succeeded") == 1
    assert world.logs.count("patch") == 0, "what was carried out is not repeated"


@virtual
async def test_trouble_that_does_not_pass_is_told_after_all(world: World) -> None:
    world.logs.trouble["get"] = [LOST] * 9
    await world.begin()
    world.note(status())
    await pass_by(3000)
    assert len(world.warnings) == 1
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
    await world.begin()
    world.note(status())
    await pass_by(1)
    del world.logs.maps["demo-log"]
    await pass_by(10)
    assert world.warnings == []
    assert "run 1 · Succeeded" in world.logs.text


@virtual
async def test_where_the_namespace_goes_the_log_is_given_up(world: World) -> None:
    going = from_status(403, "Forbidden", "x because it is being terminated")
    world.logs.trouble["create"] = [going] * 100
    await world.begin()
    world.note(status())
    await pass_by(3600)
    assert world.logs.count("create") == 3
    assert world.warnings == []


# --- tails


@virtual
async def test_a_tail_that_can_not_be_read_yet_is_read_later(world: World) -> None:
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


@virtual
async def test_after_a_minute_a_tail_is_given_up_and_the_log_says_why(world: World) -> None:
    world.logs.trouble["tail"] = [LOST] * 100
    await world.begin()
    world.note(status())
    await pass_by(100)
    told = world.logs.maps["demo-log"]["data"]["1.a.1.txt"]
    assert told == "[tidegate] its log could not be read: the connection broke\n"
    assert world.warnings == [
        "the log lacks what was printed by 1.a.1 (run.node.attempt), and says why"
    ]
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


# --- what waits for the log


@virtual
async def test_a_job_may_go_once_the_log_has_its_tail(world: World) -> None:
    await world.begin()
    assert world.has_logged(A1), "a Workflow that nothing is noted of is told to its end"
    world.note(status("Running", nodes={"a": node("Retrying")}))
    assert not world.has_logged(A1)
    await pass_by(6)
    assert world.has_logged(A1)
    assert world.woken == [KEY], "whoever waited is told"
    world.note(status("Running", nodes={"a": node("Retrying", 2)}))
    assert world.has_logged(A1), "though more is to be told of others"
    assert not world.has_logged(AttemptId(1, "a", 2))


@virtual
async def test_nothing_waits_longer_than_half_a_minute(world: World) -> None:
    world.logs.trouble["get"] = [FORBIDDEN] * 100
    await world.begin()
    world.note(status())
    assert not world.has_logged(A1)
    await pass_by(29)
    assert not world.has_logged(A1)
    await pass_by(2)
    assert world.has_logged(A1)


@virtual
async def test_as_long_as_nothing_is_known_of_what_others_left_jobs_stay(world: World) -> None:
    world.logs.trouble["marks"] = [LOST] * 100
    assert not world.has_logged(A1)
    await world.begin()
    assert not world.has_logged(A1)
    await pass_by(31)
    assert world.has_logged(A1)


@virtual
async def test_a_workflow_may_go_with_its_log_but_not_before_one_that_stays(world: World) -> None:
    await world.begin()
    world.note(status())
    assert world.has_logged()
    world.note(status(log=LogRef(config_map=f"demo-log-{UID[:5]}")))
    assert not world.has_logged()
    await pass_by(1)
    assert world.has_logged()


@virtual
async def test_a_workflow_that_is_deleted_is_not_written_of_unless_its_log_stays(
    world: World,
) -> None:
    await world.begin()
    world.note(status())
    world.present[KEY] = workflow_fact(deleting=True)
    await pass_by(10)
    assert world.logs.calls == [("marks",)]
    world.note(status(log=LogRef(config_map=f"demo-log-{UID[:5]}")))
    del world.present[KEY]
    await pass_by(10)
    assert "run 1 · Succeeded" in world.logs.maps[f"demo-log-{UID[:5]}"]["data"]["log.md"]


# --- what others left


def stored(state: WorkflowStatus, **fields: Any) -> WorkflowFact:
    return workflow_fact(status=as_stored(state), **fields)


@virtual
async def test_one_list_tells_that_all_logs_are_as_they_should_be(world: World) -> None:
    await world.begin()
    world.note(status())
    await pass_by(1)
    heir = World()
    heir.logs = world.logs
    heir.recorder = Recorder(heir.logs, (heir, heir, heir, StillClock()))
    heir.present = {KEY: stored(status())}
    world.logs.calls.clear()
    await heir.begin()
    await pass_by(60)
    assert world.logs.calls == [("marks",)]
    assert heir.has_logged(A1)


@pytest.mark.parametrize(
    "state",
    rows({
        "an end": status(),
        "a run that is on": status("Running"),
        "an invalid spec": status("Failed", run=0, nodes={}, message="invalid spec: x"),
    }),
)  # fmt: skip
@virtual
async def test_what_a_killed_process_left_is_written(world: World, state: WorkflowStatus) -> None:
    world.present = {KEY: stored(state)}
    await world.begin()
    await pass_by(10)
    assert world.writes == 1
    assert str(state.phase) in world.logs.text


@pytest.mark.parametrize(
    "state",
    rows({
        "ended before there were logs": status(log=None),
        "is new": WorkflowStatus(),
        "was written by a newer version": WorkflowStatus(),
    }),
)  # fmt: skip
@virtual
async def test_what_nothing_is_owed_to_gets_nothing(world: World, state: WorkflowStatus) -> None:
    world.present = {KEY: stored(state)}
    await world.begin()
    await pass_by(10)
    assert world.logs.calls == [("marks",)]


@virtual
async def test_a_status_that_can_not_be_read_is_left_alone(world: World) -> None:
    odd = as_stored(status()) | {"phase": "Dreaming"}
    world.present = {KEY: workflow_fact(status=odd)}
    await world.begin()
    await pass_by(10)
    assert world.writes == 0


@virtual
async def test_the_list_is_insisted_on(world: World) -> None:
    world.present = {KEY: stored(status())}
    world.logs.trouble["marks"] = [LOST, LOST]
    await world.begin()
    await pass_by(10)
    assert world.logs.count("marks") == 3
    assert world.writes == 1


@virtual
async def test_without_the_right_to_list_only_live_runs_are_taken_up(world: World) -> None:
    world.present = {KEY: stored(status()), OTHER: stored(status("Running"), key=OTHER, uid="2")}
    world.logs.trouble["marks"] = [FORBIDDEN]
    await world.begin()
    await pass_by(10)
    assert list(world.logs.maps) == ["other-log"]


@virtual
async def test_workflows_that_went_while_they_ran_are_forgotten(world: World) -> None:
    await world.begin()
    for number in range(600):
        key = WorkflowKey("shop", f"wf-{number}")
        world.present[key] = workflow_fact(key=key, uid=f"uid-{number}")
        world.note(status("Running", log=LogRef(config_map=f"wf-{number}-log")), key)
        del world.present[key]
        await pass_by(6)
    assert len(world.recorder._entries) < 300


# --- the end of the process


@virtual
async def test_what_is_pending_is_written_when_the_process_ends(world: World) -> None:
    await world.begin()
    world.note(status("Running"))
    begun = now()
    await world.recorder.finish(6)
    assert world.writes == 1
    assert now() - begun < 1


@virtual
async def test_what_hangs_is_left_to_the_next_leader(world: World) -> None:
    world.logs.trouble["get"] = ["hang"]
    await world.begin()
    world.note(status())
    begun = now()
    await world.recorder.finish(6)
    assert now() - begun == pytest.approx(6, abs=0.1)
    assert world.writes == 0
    await pass_by(0)


@virtual
async def test_what_has_failed_before_is_not_insisted_on_at_the_end(world: World) -> None:
    world.logs.trouble["get"] = [FORBIDDEN] * 100
    await world.begin()
    world.note(status())
    await pass_by(1)
    begun = now()
    await world.recorder.finish(6)
    assert now() - begun < 1
