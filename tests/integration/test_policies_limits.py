"""The policies at the limits of what they are asked, what they leave in the audit log, and how
quickly they answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest

from tests.kit import stage as s
from tests.kit.client import Object
from tests.kit.cluster import Cluster
from tests.kit.space import Space
from tests.kit.stage import Person, Row, Stage, denial
from tests.kit.waiting import SOON, until

pytestmark = pytest.mark.integration

GROUPS = tuple(f"group-{i}" for i in range(400))
MEMBER = Person("alice", (*GROUPS, "release-managers-of-all-regions-63"), role="approver")
GATES = [f"gate-{i:03}" for i in range(400)]


@pytest.fixture(scope="module")
def stage(alone: Cluster) -> Iterator[Stage]:
    space = Space.make(alone, "policies-limits")
    made = Stage.set(space)
    s.until_denied(lambda: s.dry(s.created())(made.client(s.WENDY), space.name, "try"))
    s.until_granted(lambda: s.dry(s.created())(made.client(s.ED), space.name, "try"))
    yield made
    space.discard()


def approvers() -> Object:
    """As many as the CRD takes."""
    return {
        "users": [f"user-{i}@a-company-of-some-size.example.com" for i in range(64)],
        "groups": [f"release-managers-of-all-regions-{i}" for i in range(64)],
    }


def large() -> Object:
    """A spec of 500 nodes and nearly 512 KiB; 400 of them are checkpoints, one has approvers."""
    gates: list[Object] = [{"name": name, "checkpoint": {"message": "m" * 900}} for name in GATES]
    gates[-1]["checkpoint"] |= {"approvers": approvers()}
    tasks = [{"name": f"task-{i}", "script": "x" * 900} for i in range(100)]
    return {**deepcopy(s.SPEC), "nodes": [*gates, *tasks]}


def open_gates(*more: str) -> Object:
    """The status of all of them, open."""
    waiting = {"phase": "Waiting", "code": s.CODE}
    return {name: dict(waiting) for name in (*GATES, *more)}


def big(stage: Stage) -> str:
    """A Workflow at all limits at once: its nodes, standing votes, and other annotations."""
    votes = {f"{s.VOTE}{GATES[-1]}.v{i}": f"approved by user-{i}: " + "x" * 900 for i in range(60)}
    notes = {f"note-{i}": "" for i in range(3000)} | {"manifest": "x" * 90_000}
    name = stage.workflow({**votes, **notes}, spec=large())
    written = {"phase": "Succeeded", "run": 1, "observedGeneration": 1, "nodes": open_gates()}
    patch = {"status": {**written, "authors": [f"author-{i}" for i in range(64)]}}
    stage.client(s.OPERATOR).patch("workflows", stage.space.name, name, patch, "status")
    return name


def test_500_nodes_128_approvers_and_60_standing_votes_are_within_budget(stage: Stage) -> None:
    name = big(stage)
    vote = s.vote(f"{GATES[-1]}.alice", f"approved@{s.CODE} by alice: {'y' * 900}")
    vote(stage.client(MEMBER), stage.space.name, name)


@pytest.mark.parametrize(
    "row",
    [
        Row("of another", s.BOB, s.vote(GATES[-1], "approved by alice"), "in the name of somebody"),
        Row("by no approver", s.BOB, s.vote(GATES[-1], "approved by bob"), "not among the app"),
        Row("removing", s.BOB, s.vote(f"{GATES[-1]}.v1", None), "which somebody else cast"),
    ],
    ids=lambda row: row.title,
)
def test_a_denial_at_the_limits_has_its_words(stage: Stage, row: Row) -> None:
    name = big(stage)
    told = denial(lambda: row.act(stage.client(row.who), stage.space.name, name))
    s.check_words(told, row.words, row.who, "tidegate-votes")


def test_an_edit_at_the_limits_is_within_budget(stage: Stage) -> None:
    name = big(stage)
    s.merge({"spec": {"parallelism": 3}})(stage.client(s.ED), stage.space.name, name)


ROOM = 64 * 1024
TOO_MANY = "are larger than 64 KiB, which would leave no room for those that people cast"


def unasked(size: int) -> dict[str, str]:
    """As many votes as go into so many bytes, on nodes that don't exist."""
    return {f"{s.VOTE}{number:04}": "" for number in range(size // (len(s.VOTE) + 4))}


@pytest.mark.parametrize(
    "row",
    [
        Row("of many votes", s.ED, s.created(annotations=unasked(ROOM + 28)), TOO_MANY),
        Row("of all that the server takes", s.ED, s.created(annotations=unasked(261_000)),
            TOO_MANY),
        Row("of large votes", s.ED,
            s.created(annotations={f"{s.VOTE}gate.v{i}": "x" * 1000 for i in range(64)}), TOO_MANY),
        Row("of a vote with many bytes and few characters", s.ED,
            s.created(annotations={s.VOTE + "gate": "\U0001f30a" * (ROOM // 4)}), TOO_MANY),
        Row("of many votes where there is no checkpoint", s.ED,
            s.created(annotations=unasked(ROOM + 28),
                      spec={"suspend": True, "nodes": [{"name": "a", "image": "busybox:1.36"}]}),
            TOO_MANY),
        Row("of as many votes as may be", s.ED, s.created(annotations=unasked(ROOM))),
    ],
    ids=lambda row: row.title,
)  # fmt: skip
def test_a_creation(stage: Stage, row: Row) -> None:
    row.play(stage, "tidegate-votes")


def test_a_rejection_finds_room_whatever_a_workflow_was_created_with(stage: Stage) -> None:
    name = stage.workflow({**unasked(ROOM), "note": "x" * (2 * ROOM - len("note"))})
    text = "rejected by alice: "
    reject = s.vote("gate", text + "x" * (1024 - len(text)))
    reject(stage.client(s.ALICE), stage.space.name, name)


def events(log: Path, offset: int, name: str) -> list[Object]:
    """What people did to a Workflow since ``offset`` of the audit log."""
    with log.open("rb") as lines:
        lines.seek(offset)
        found = [line for line in lines if f'"{name}"'.encode() in line and line.endswith(b"\n")]
    asked = [one for one in map(json.loads, found) if one["verb"] == "patch"]
    return [one for one in asked if "subresource" not in one["objectRef"]]


def test_the_audit_log_tells_of_each_vote(stage: Stage) -> None:
    log = stage.space.cluster.audit_log
    if log is None:
        pytest.skip("only the local cluster keeps an audit log")
    name = stage.workflow({s.VOTE + "closed": "approved by alice"})
    uid = stage.space.client.get("workflows", stage.space.name, name)["metadata"]["uid"]
    offset = log.stat().st_size
    client = stage.client(s.ALICE)
    s.votes({"gate": "approved by alice: yes\nrows: 7", "closed": None})(
        client, stage.space.name, name
    )
    assert denial(lambda: s.vote("listed", "approved by bob")(client, stage.space.name, name))
    s.annotate(cancel="now")(client, stage.space.name, name)
    wanted = f'"{name}"'
    until(lambda: len(events(log, offset, name)) >= 3, f"three requests about {wanted}", SOON)
    voted, denied, other = (one.get("annotations", {}) for one in events(log, offset, name)[:3])
    assert voted["tidegate-votes/uid"] == uid
    assert voted["tidegate-votes/key"] == f"{s.VOTE}gate {s.VOTE}closed"
    vote = "approved by alice: yes\nrows: 7\nremoved: approved by alice"
    assert voted["tidegate-votes/vote"] == vote
    assert denied["tidegate-votes/vote"] == "approved by bob"
    assert not [key for key in other if key.startswith("tidegate-votes")]
