"""When logs are written, what waits for them, and what is found of others' work."""

import copy
import itertools
from typing import Any

import pytest

from tests.unit.cluster.logs import (
    fact as workflow_fact,
)
from tests.unit.cluster.logs import (
    node,
    status,
    valid,
)
from tests.unit.cluster.objects import KEY, LOST, UID, StillClock
from tests.unit.cluster.recording import A1, FORBIDDEN, OTHER, World, errors, now, pass_by
from tests.unit.cluster.virtual import virtual
from tests.unit.engine.builders import rows
from tidegate.api.identity import AttemptId, WorkflowKey
from tidegate.api.status import LogRef, WorkflowStatus
from tidegate.cluster.book import as_stored
from tidegate.cluster.recorder import Recorder
from tidegate.facts.model import Facts, WorkflowFact


@pytest.fixture
def world() -> World:
    return World()


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
async def test_writes_that_lack_a_tail_make_nobody_wait_longer(world: World) -> None:
    world.logs.trouble["tail"] = [LOST] * 100
    await world.begin()
    world.note(status("Running", nodes={"a": node("Retrying")}))
    assert not world.has_logged(A1)
    for second in range(29):
        world.note(status("Running", nodes={"a": node("Retrying")}, message=f"step {second}"))
        await pass_by(1)
        assert not world.has_logged(A1)
    assert world.writes > 3
    await pass_by(2)
    assert world.has_logged(A1)


@virtual
async def test_who_waits_later_waits_for_a_time_of_its_own(world: World) -> None:
    world.logs.trouble["get"] = [FORBIDDEN] * 100
    await world.begin()
    world.note(status("Running", nodes={"a": node("Retrying")}))
    assert not world.has_logged(A1)
    await pass_by(29)
    assert not world.has_logged(AttemptId(1, "b", 1))
    await pass_by(2)
    assert world.has_logged(A1)
    assert not world.has_logged(AttemptId(1, "b", 1))


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


RETAINED = LogRef(config_map=f"demo-log-{UID[:5]}")


@pytest.mark.parametrize("told_before", [True, False])
@virtual
async def test_a_log_that_stays_says_that_its_workflow_was_deleted_in_mid_run(
    world: World, told_before: bool
) -> None:
    await world.begin()
    world.note(status("Running", nodes={"a": node("Running")}, log=RETAINED))
    await pass_by(6 if told_before else 0)
    del world.present[KEY]
    world.recorder.find_deleted(UID)
    await pass_by(10)
    found = world.logs.maps[RETAINED.config_map]
    assert "run 1 · Cancelled" in found["data"]["log.md"]
    assert "The Workflow was deleted at 2026-" in found["data"]["log.md"]
    assert found["data"]["1.a.1.txt"] == "hello\n", "what ran printed this before it went, too"
    assert '"over":true' in found["metadata"]["annotations"]["tidegate.dev/log"]
    writes = world.writes
    world.recorder.find_deleted(UID)
    await pass_by(100)
    assert world.writes == writes


@pytest.mark.parametrize(
    "state",
    rows({
        "goes along": status("Running"),
        "tells of a run that had ended": status(log=RETAINED),
    }),
)  # fmt: skip
@virtual
async def test_any_other_log_is_left_as_it_is_when_its_workflow_is_deleted(
    world: World, state: WorkflowStatus
) -> None:
    await world.begin()
    world.note(state)
    await pass_by(6)
    found = copy.deepcopy(world.logs.maps)
    del world.present[KEY]
    world.recorder.find_deleted(UID)
    world.recorder.find_deleted("unheard of")
    await pass_by(100)
    assert world.logs.maps == found


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


@pytest.mark.parametrize("phase", ["Running", "Succeeded"])
@virtual
async def test_a_namespace_that_is_to_be_left_alone_is_left_alone(world: World, phase: str) -> None:
    world.present = {KEY: stored(status(phase))}
    world.attempts = Facts(namespace_excluded=True)
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
async def test_one_status_that_is_a_bug_to_look_at_ends_no_process(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = world.recorder._note

    def note(fact: WorkflowFact, snapshot: Any, *, told: bool) -> None:
        assert fact.key != KEY
        real(fact, snapshot, told=told)

    monkeypatch.setattr(world.recorder, "_note", note)
    world.present = {KEY: stored(status()), OTHER: stored(status(), key=OTHER, uid="2")}
    await world.begin()
    await pass_by(10)
    assert world.writes == 1
    assert "this is a bug" in caplog.text


@virtual
async def test_the_list_is_insisted_on(world: World) -> None:
    world.present = {KEY: stored(status())}
    world.logs.trouble["marks"] = [LOST, LOST]
    await world.begin()
    await pass_by(10)
    assert world.logs.count("marks") == 3
    assert world.writes == 1


@virtual
async def test_without_the_right_to_list_live_runs_are_taken_up_the_rest_once_it_is_granted(
    world: World,
) -> None:
    before = errors("forbidden")
    world.present = {KEY: stored(status()), OTHER: stored(status("Running"), key=OTHER, uid="2")}
    world.logs.trouble["marks"] = [FORBIDDEN] * 12
    await world.begin()
    await pass_by(1700)
    assert list(world.logs.maps) == ["other-log"]
    assert errors("forbidden") == before + 12, "once, it could have been before the first scrape"
    await pass_by(301)
    assert "run 1 · Succeeded" in world.logs.text
    assert world.logs.count("marks") == 13
    assert errors("forbidden") == before + 12


@virtual
async def test_a_right_that_comes_late_writes_nothing_anew(world: World) -> None:
    world.present = {KEY: stored(status("Running"))}
    world.logs.trouble["marks"] = [FORBIDDEN] * 12
    await world.begin()
    await pass_by(30)
    world.present = {KEY: stored(status())}
    world.note(status())
    await pass_by(30)
    writes = world.writes
    await pass_by(3600)
    assert world.logs.count("marks") == 13
    assert world.writes == writes


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


@virtual
async def test_an_end_that_a_paused_leader_recorded_is_told_all_the_same(world: World) -> None:
    await world.begin()
    world.note(status("Running"))
    await pass_by(10)
    found = world.present[KEY]
    world.recorder.find_over(found, valid(), status())
    await pass_by(10)
    assert "run 1 · Succeeded" in world.logs.text
    world.logs.calls.clear()
    world.recorder.find_over(found, valid(), status())
    await pass_by(10)
    assert world.logs.calls == [], "what is known is nothing new"


@virtual
async def test_an_end_that_was_told_before_this_process_led_is_nothing_new(world: World) -> None:
    await world.begin()
    world.recorder.find_over(world.present[KEY], valid(), status())
    world.note(status("Running", run=2, nodes={"a": node("Running", run=2)}))
    world.recorder.find_over(world.present[KEY], valid(), status())
    await pass_by(10)
    assert "run 2 · Running" in world.logs.text
    assert world.writes == 1


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


@virtual
async def test_a_tail_that_can_not_be_read_is_not_asked_for_without_pause_at_the_end(
    world: World,
) -> None:
    world.logs.trouble["tail"] = [LOST] * 1000
    await world.begin()
    world.note(status())
    begun = now()
    await world.recorder.finish(6)
    assert now() - begun < 1
    assert world.logs.count("tail") == 1
