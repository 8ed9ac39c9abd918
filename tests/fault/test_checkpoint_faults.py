"""Writes that open a checkpoint, count its votes and decide it fail; what was voted stays true."""

import itertools
from functools import partial
from typing import Any

import pytest

from tests.fault.harness import Cluster
from tests.fault.test_faults import FAULTS, trouble
from tidegate.api.identity import AttemptId
from tidegate.api.status import NodePhase, NodeStatus, Phase
from tidegate.engine.checkpoint import is_open
from tidegate.engine.model import NoteKind

GATED = {
    "nodes": [
        {"name": "ok", "checkpoint": {"message": "Go on?", "minApprovals": 2}},
        {"name": "b", "image": "busybox", "command": ["true"], "dependsOn": ["ok"]},
    ]
}
TIMED: dict[str, Any] = {
    "nodes": [
        {"name": "ok", "checkpoint": {"message": "?", "timeout": "10s", "onTimeout": "Approve"}}
    ]
}
TROUBLES = list(itertools.product(("patch_status", "get_workflow"), FAULTS, range(6)))
BEHIND = [AttemptId(1, "b", 1)]


def gate(cluster: Cluster) -> NodeStatus:
    """The checkpoint as the API server has it."""
    return cluster.status.nodes.get("ok", NodeStatus())


async def opened(spec: Any = GATED) -> Cluster:
    cluster = Cluster(spec=spec)
    await cluster.run(until=lambda: is_open(gate(cluster)))
    return cluster


def has_votes(cluster: Cluster, count: int) -> bool:
    return len(gate(cluster).votes) >= count


def told_once(cluster: Cluster, kind: NoteKind) -> bool:
    """At most once: an operator that doesn't know whether it recorded something tells nothing."""
    return [note.kind for note in cluster.quiet.notes].count(kind) <= 1


@pytest.mark.parametrize(("verb", "fault", "step"), TROUBLES)
async def test_what_is_asked_and_answered_decides_once(verb: str, fault: str, step: int) -> None:
    cluster = Cluster(spec=GATED)
    trouble(cluster, verb, fault, step)
    await cluster.run(until=lambda: is_open(gate(cluster)))
    code = gate(cluster).code
    cluster.vote("ok.1", "approve by alice")
    await cluster.run(until=lambda: bool(gate(cluster).votes))
    cluster.vote("ok.2", f"approve@{code} by bob")
    await cluster.run()
    assert cluster.status.phase is Phase.SUCCEEDED
    assert (gate(cluster).reason, gate(cluster).code) == ("Approved", code)
    assert [vote.by for vote in gate(cluster).votes] == ["alice", "bob"]
    assert cluster.created == BEHIND
    assert told_once(cluster, NoteKind.CHECKPOINT_WAITING)
    assert told_once(cluster, NoteKind.CHECKPOINT_APPROVED)


@pytest.mark.parametrize("passes", range(5))
@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_vote_counts_just_if_the_opening_was_recorded_before_it(
    fault: str, step: int, passes: int
) -> None:
    cluster = Cluster(spec=GATED)
    trouble(cluster, "patch_status", fault, step)
    for _ in range(passes):
        await cluster.one_pass()
        cluster.clock.advance(1)
    was_open = is_open(gate(cluster))
    cluster.vote("ok", "reject by alice")
    left = itertools.count(20, -1)
    await cluster.run(until=lambda: next(left) == 0)
    assert gate(cluster).reason == ("Rejected" if was_open else "WaitingForApproval")
    assert cluster.created == []


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("writes", [1, 3])
async def test_a_rejection_is_recorded_whatever_becomes_of_the_first_writes(
    fault: str, writes: int
) -> None:
    cluster = await opened()
    cluster.api.trouble["patch_status"] = [FAULTS[fault]] * writes
    cluster.vote("ok", "reject by alice: no")
    await cluster.run()
    assert (cluster.status.phase, gate(cluster).reason) == (Phase.FAILED, "Rejected")
    assert [vote.text for vote in gate(cluster).votes] == ["reject by alice: no"]
    assert cluster.created == []
    assert told_once(cluster, NoteKind.CHECKPOINT_REJECTED)


@pytest.mark.parametrize("dies", ["in the opening", "in the count", "in the decision"])
@pytest.mark.parametrize("how", ["hang", "answer lost"])
async def test_another_process_goes_on_where_one_was_killed_in_a_write(dies: str, how: str) -> None:
    cluster = Cluster(spec=GATED)
    killed = {"hang": "hang", "answer lost": FAULTS["answer lost"]}[how]
    if dies == "in the opening":
        cluster.api.trouble["patch_status"] = [None, killed]  # the first one begins the run
        while cluster.api.trouble["patch_status"]:
            await cluster.die_in_a_pass()
    await cluster.run(until=lambda: is_open(gate(cluster)))
    for number, voter in enumerate(("alice", "bob")):
        cluster.vote(f"ok.{number}", f"approve by {voter}")
        if dies == ("in the count", "in the decision")[number]:
            cluster.api.trouble["patch_status"] = [killed]
            await cluster.die_in_a_pass()
        await cluster.run(until=partial(has_votes, cluster, number + 1))
    await cluster.run()
    assert cluster.status.phase is Phase.SUCCEEDED
    assert [vote.by for vote in gate(cluster).votes] == ["alice", "bob"]
    assert cluster.created == BEHIND


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_vote_that_came_in_time_counts_though_the_clock_has_struck_since(
    fault: str,
) -> None:
    cluster = await opened(TIMED)
    cluster.api.trouble["patch_status"] = [FAULTS[fault]] * 3
    cluster.vote("ok", "reject by alice")
    cluster.clock.advance(60)
    await cluster.run()
    assert gate(cluster).phase is NodePhase.FAILED
    assert gate(cluster).reason == "Rejected"
