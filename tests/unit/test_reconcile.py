"""The order of one pass: what is asked, started, ended and recorded, and when."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.engine.builders import NOON, PATIENT, at, node, spec, workflow_fact
from tests.unit.engine.ports import Ports
from tidegate import reconcile as module
from tidegate.api.status import NodeStatus, Phase, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow, validate
from tidegate.errors import (
    Conflict,
    Invalid,
    InvalidSpec,
    Refused,
    TryAgain,
    Unreachable,
    UserError,
)
from tidegate.facts.model import AnswerKind, AttemptFact, Existence, WorkflowFact

CHAIN = spec(node("a"), node("b", "a"))


async def started(given: dict[str, Any] = CHAIN) -> Ports:
    ports = Ports(given)
    await ports.look()
    return ports


async def test_the_begin_is_recorded_before_the_first_job_and_the_job_after_its_answer() -> None:
    ports = Ports(CHAIN)
    assert await ports.look() == [
        "record Running", "tell WorkflowStarted", "start a1", "record Running", "tell WaveStarted"
    ]  # fmt: skip
    assert ports.status.nodes["a"].phase == "Running"


async def test_a_start_that_rests_on_pods_alone_leaves_before_the_record() -> None:
    ports = await started()
    ports.end_pod("a", "Succeeded", 0, "Completed")
    assert await ports.look() == ["start b1", "record Running", "tell WaveStarted"]


async def test_a_decision_is_recorded_before_it_is_carried_out() -> None:
    ports = await started(spec(node("a"), node("b"), failurePolicy="FailFast"))
    ports.end_pod("a", "Failed", 1, "Error")
    log = await ports.look()
    assert log[:3] == ["record Running", "tell NodeFailed", "end b1"]


async def test_a_retry_is_recorded_before_it_starts() -> None:
    ports = await started(spec(node("a", retry={"backoff": {"base": "1ms", "jitter": "None"}})))
    ports.end_pod("a", "Failed", 1, "Error")
    ports.now = at(60)
    assert await ports.look() == [
        "record Running", "tell NodeRetrying", "start a2", "record Running"]  # fmt: skip


async def test_what_is_not_seen_is_proven_before_anything_is_decided() -> None:
    ports = await started()
    ports.attempts[ports.latest("a")] = AttemptFact(Existence.UNPROVEN)
    log = await ports.look()
    assert log[0] == "prove a1"
    assert ports.status.nodes["a"].reason == "Lost"


async def test_nothing_to_do_does_nothing() -> None:
    ports = await started()
    ports.now = at(1)
    assert await ports.look() == []


async def test_a_finished_workflow_costs_nothing() -> None:
    ports = await started(spec(node("a")))
    ports.end_pod("a", "Succeeded", 0, "Completed")
    await ports.look()
    assert ports.status.phase == "Succeeded"
    for _ in range(3):
        assert await ports.look() == []


@pytest.mark.parametrize("gone", [True, False])
async def test_with_a_deletion_timestamp_nothing_is_planned(gone: bool) -> None:
    ports = await started()
    ports.end_pod("a", "Succeeded", 0, "Completed")
    if gone:
        ports.fact = None
    else:
        ports.change(deleting=True)
    assert await ports.look() == []


async def test_an_object_of_the_same_name_is_another() -> None:
    ports = await started()
    assert ports.fact is not None
    former = ports.fact.uid
    ports.attempts.clear()
    ports.fact = replace(workflow_fact(spec(node("z"))), uid="another", resource_version="1")
    log = await ports.look()
    assert log[:3] == ["record Running", "tell WorkflowStarted", "start z1"]
    assert ports.missed == [former]


# --- the gate, and answers that say no


async def test_what_finds_no_room_in_the_gate_is_not_sent() -> None:
    ports = Ports(spec(*(node(name) for name in "abc")))
    ports.room = 2
    log = await ports.look()
    assert [x for x in log if x.startswith("start")] == ["start a1", "start b1"]
    assert ports.status.nodes["c"].phase == "Pending"
    ports.room = 1
    assert (await ports.look())[0] == "start c1"


async def test_a_quota_is_tried_again_after_growing_rests_only() -> None:
    ports = Ports(spec(node("a")))
    ports.refuse["a"] = AnswerKind.QUOTA
    await ports.look()
    assert min(ports.wakes) == NOON + module._CALM_INTERVAL
    sent = [0.0]
    for second in range(1, 130):
        ports.now = at(second)
        if "start a1" in await ports.look():
            sent.append(second)
        assert ports.wakes, "it is woken when its rest is over"
    assert sent == [0, 5, 15, 35, 65, 95, 125]
    assert ports.status.nodes["a"].reason == "QuotaExceeded"


@pytest.mark.parametrize("kind", [AnswerKind.CONFLICT, AnswerKind.INVALID, AnswerKind.REFUSED])
async def test_a_creation_that_was_refused_is_recorded_at_once_and_not_tried_again(
    kind: AnswerKind,
) -> None:
    ports = Ports(spec(node("a"), node("b")))
    ports.refuse["a"] = kind
    log = await ports.look()
    assert log.count("start a1") == 1
    assert ports.status.nodes["a"].phase == "Failed"


async def test_a_busy_server_is_asked_again_sooner() -> None:
    ports = Ports(spec(node("a")))
    ports.refuse["a"] = AnswerKind.UNAVAILABLE
    await ports.look()
    assert at(1) in ports.wakes
    ports.refuse.clear()
    ports.now = at(1)
    assert (await ports.look())[0] == "start a1"


async def test_an_answer_that_calls_for_another_start_is_followed_up_at_once() -> None:
    ports = Ports(spec(node("a", fallback="s"), standbys="s"))
    ports.refuse["a"] = AnswerKind.INVALID
    log = await ports.look()
    assert [x for x in log if x.startswith("start")] == ["start a1", "start a2"]
    assert ports.status.nodes["a"].phase == "Running"


async def test_a_failure_by_answer_lets_others_start_at_once() -> None:
    ports = Ports(spec(node("a", allowFailure=True), node("b", "a")))
    ports.refuse["a"] = AnswerKind.REFUSED
    log = await ports.look()
    assert [x for x in log if x.startswith("start")] == ["start a1", "start b1"]


# --- records that fail


async def test_a_record_that_fails_is_owed_and_nothing_starts_before_it_is_paid() -> None:
    ports = await started(spec(node("a"), node("b", "a"), node("c", "b")))
    ports.end_pod("a", "Succeeded", 0, "Completed")
    ports.errors = [Unreachable("no answer")]
    with pytest.raises(TryAgain):
        await ports.look()
    assert ports.log == ["start b1", "record Running"]
    ports.end_pod("b", "Succeeded", 0, "Completed")
    log = await ports.look()
    assert log.index("record Running") < log.index("start c1")


async def test_a_conflict_on_the_begin_starts_nothing() -> None:
    ports = Ports(CHAIN)
    ports.errors = [Conflict("changed")]
    with pytest.raises(Conflict):
        await ports.look()
    assert ports.log == ["record Running"]
    assert ports.notes == [], "what isn't recorded isn't told"


@pytest.mark.parametrize(
    "error", [Refused("body too large", status=413), Invalid("etcdserver: request is too large")]
)
async def test_a_status_too_large_ends_the_run_not_in_a_loop(error: Refused) -> None:
    ports = await started()
    ports.end_pod("a", "Succeeded", 0, "Completed")
    ports.errors = [error]
    log = await ports.look()
    assert "record Failed" in log
    assert (ports.status.phase, ports.status.reason) == ("Failed", "StatusTooLarge")
    assert "tell WorkflowFailed" in log
    ports.now = at(5)
    assert "end b1" in log + await ports.look(), "what ran is ended"
    assert await ports.look() == []


async def test_another_refusal_is_raised() -> None:
    ports = Ports(CHAIN)
    ports.errors = [Invalid("status.phase: unsupported value", status=422)]
    with pytest.raises(Refused):
        await ports.look()


# --- pace


async def test_facts_gather_before_they_are_written() -> None:
    ports = await started(spec(node("a"), node("b"), node("c")))
    ports.end_pod("a", "Succeeded", 0, "Completed")
    assert await ports.look() == []
    assert min(ports.wakes) == NOON + module._CALM_INTERVAL
    ports.end_pod("b", "Succeeded", 0, "Completed")
    ports.now = NOON + module._CALM_INTERVAL
    assert await ports.look() == ["record Running"]
    assert ports.status.progress == "2/3"


async def test_a_decision_does_not_wait() -> None:
    ports = await started(spec(node("a", retry=PATIENT), node("b")))
    ports.end_pod("a", "Failed", 1, "Error")
    assert (await ports.look())[0] == "record Running"
    assert ports.wakes[-1] == at(10)


def test_large_statuses_are_written_less_often() -> None:
    small, large = (
        WorkflowStatus(),
        WorkflowStatus(nodes={str(n): NodeStatus() for n in range(500)}),
    )
    assert module._pause(small) == module._CALM_INTERVAL
    assert 0.4 < module._pause(large).total_seconds() < 1


async def test_a_pass_without_end_gives_way_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = Ports(CHAIN)
    monkeypatch.setattr(module, "_MAX_ROUNDS", 1)
    assert await ports.look() == ["record Running", "tell WorkflowStarted"]
    assert ports.wakes == [NOON]


async def test_a_spec_is_validated_once_a_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def counting(fact: WorkflowFact) -> ValidatedWorkflow:
        seen.append(fact.generation)
        return validate(fact)

    monkeypatch.setattr(module, "validate", counting)
    ports = await started()
    await ports.look()
    ports.change(generation=2, spec={**CHAIN, "parallelism": 3})
    await ports.look()
    assert seen == [1, 2]


# --- the rest of what a plan may want


async def test_an_invalid_spec_is_told_and_nothing_starts() -> None:
    ports = Ports(spec(node("a", "b"), node("b", "a")))
    assert await ports.look() == ["record Failed", "tell InvalidSpec"]
    assert await ports.look() == []
    assert ports.fact is not None
    with pytest.raises(InvalidSpec):
        validate(ports.fact)


async def test_removals_come_after_the_record_that_they_rest_on() -> None:
    ports = await started(spec(node("a"), jobRetention="Never"))
    ports.end_pod("a", "Succeeded", 0, "Completed")
    assert await ports.look() == ["record Succeeded", "tell WorkflowSucceeded"]
    ports.now = ports.wakes[-1]
    assert await ports.look() == ["remove a1"]


@pytest.mark.parametrize("kind", [AnswerKind.UNAVAILABLE, AnswerKind.QUOTA])
async def test_while_one_creation_rests_the_next_in_line_starts_and_nothing_spins(
    kind: AnswerKind,
) -> None:
    ports = Ports(spec(node("a"), node("b"), parallelism=1))
    ports.refuse["a"] = kind
    log = await ports.look()
    assert [line for line in log if line.startswith("start")] == ["start a1", "start b1"]
    assert ports.now not in ports.wakes
    assert await ports.look() == []


async def test_without_room_in_the_gate_nobody_takes_the_place() -> None:
    ports = Ports(spec(node("a"), node("b"), parallelism=1))
    ports.room = 0
    log = await ports.look()
    assert [line for line in log if line.startswith("start")] == []
    assert ports.now not in ports.wakes


async def test_what_can_not_be_proven_holds_up_nobody_else() -> None:
    ports = await started(spec(node("a"), node("b"), node("c", "b"), execution="Eager"))
    ports.attempts[ports.latest("a")] = AttemptFact(Existence.UNPROVEN)
    ports.unprovable = TryAgain("it is there but lost its labels")
    ports.end_pod("b", "Succeeded", 0, "Completed")
    assert (await ports.look())[:2] == ["prove a1", "start c1"]
    assert ports.status.nodes["a"].phase == "Running"
    assert at(5) in ports.wakes


async def test_what_can_not_be_ended_does_not_keep_the_record_back() -> None:
    ports = await started(spec(node("a"), node("b"), failurePolicy="FailFast"))
    ports.end_pod("a", "Failed", 1, "Error")
    ports.unwilling = Refused("denied by a policy", status=403)
    with pytest.raises(Refused):
        await ports.look()
    assert ports.status.nodes["a"].phase == "Failed"


async def test_a_status_of_a_newer_version_is_told_and_left_alone() -> None:
    ports = await started()
    ports.change(status={"phase": "Dreaming"})
    with pytest.raises(UserError, match=r"status\.phase can't be read"):
        await ports.look()


async def test_a_workflow_is_deleted_when_its_time_is_over() -> None:
    ports = await started(spec(node("a"), ttlSecondsAfterFinished=60))
    ports.end_pod("a", "Succeeded", 0, "Completed")
    await ports.look()
    assert ports.wakes == [at(60)]
    ports.now = at(60)
    assert await ports.look() == ["delete"]


# --- the log


@pytest.mark.parametrize("gone", [True, False])
async def test_the_log_hears_once_that_the_workflow_of_a_run_is_deleted(gone: bool) -> None:
    ports = await started(spec(node("a")))
    assert ports.fact is not None
    uid = ports.fact.uid
    if gone:
        ports.fact = None
    else:
        ports.change(deleting=True)
    for _ in range(3):
        await ports.look()
    assert ports.missed == [uid]


async def test_the_log_hears_of_an_end_that_somebody_else_recorded() -> None:
    ports = await started(spec(node("a")))
    assert ports.found == []
    over = ports.status.model_copy(update={"phase": Phase.FAILED, "finished_at": at(1)})
    ports.change(status=over.model_dump(mode="json", by_alias=True, exclude_none=True))
    await ports.look()
    assert [status.phase for status in ports.found] == ["Failed"]


async def test_what_was_recorded_is_noted_for_the_log() -> None:
    ports = Ports(spec(node("a")))
    await ports.look()
    assert [status.phase for status in ports.noted] == ["Running", "Running"]
    assert ports.noted[-1] == ports.status


async def test_a_job_is_not_removed_before_the_log_has_its_tail() -> None:
    ports = await started(spec(node("a"), jobRetention="Never"))
    ports.end_pod("a", "Succeeded", 0, "Completed")
    ports.logs_lag = True
    await ports.look()
    ports.now = at(200)
    assert await ports.look() == []
    assert ports.wakes == [at(200) + module._LOG_AGAIN]
    ports.logs_lag = False
    assert await ports.look() == ["remove a1"]


async def test_a_workflow_is_not_deleted_before_its_log_is_written() -> None:
    ports = await started(spec(node("a"), ttlSecondsAfterFinished=10))
    ports.end_pod("a", "Succeeded", 0, "Completed")
    ports.logs_lag = True
    await ports.look()
    ports.now = at(200)
    assert await ports.look() == []
    ports.logs_lag = False
    assert await ports.look() == ["delete"]
