"""Which tails a log lacks, and how one is read."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.cluster.logs import FakeLogs, facts, later, node, pod, status, valid
from tests.unit.cluster.objects import LOST
from tests.unit.engine.builders import rows
from tidegate.api.identity import AttemptId
from tidegate.api.status import JobRef, NodePhase
from tidegate.cluster import tails
from tidegate.cluster.tails import GONE, REMOVED, ended, ending, lines_of, owed, read
from tidegate.errors import Unreachable, from_status
from tidegate.facts.model import (
    AttemptFact,
    ContainerEnd,
    Existence,
    Facts,
    JobEnd,
    JobFact,
)
from tidegate.report.model import Tail

A1, A2 = AttemptId(1, "a", 1), AttemptId(1, "a", 2)


def keys(state: Any, known: Facts | None = None) -> list[str]:
    found = ended(valid(), state, known or facts(pod()))
    return [one.key for one in owed(found, (), None)]


# --- which


def test_every_attempt_whose_end_is_recorded_has_a_tail() -> None:
    assert keys(status(nodes={"a": node("Succeeded", 3)})) == ["1.a.1", "1.a.2", "1.a.3"]
    assert keys(status("Running", nodes={"a": node("Retrying", 1)})) == ["1.a.1"]
    assert keys(status("Running", nodes={"a": node("Running", 2)})) == ["1.a.1"]
    assert keys(status("Running", nodes={"a": node("Pending", 0, job=None)})) == []


def test_nodes_that_were_kept_were_told_of_with_their_own_run() -> None:
    assert keys(status(run=2, nodes={"a": node(run=1)})) == []


def test_what_is_there_or_had_no_room_or_is_not_wanted_is_not_looked_for() -> None:
    state = status(nodes={"a": node("Succeeded", 3, at=9)})
    found = list(ended(valid(), state, facts(pod())))
    assert [one.key for one in owed(iter(found), {"1.a.1"}, None)] == ["1.a.2", "1.a.3"]
    assert [one.key for one in owed(iter(found), (), later(8))] == ["1.a.3"]
    silent = replace(found[0], lines=0)
    assert owed(iter([silent]), (), None) == []


def job(**fields: Any) -> JobFact:
    return JobFact("job", "job-1", "wf-1", A1, "1:x", later(0), **fields)


FAILED_END = JobEnd(succeeded=False, reason="x", message="", at=later(5), stopped=True)


@pytest.mark.parametrize(
    ("known", "reason", "wanted"),
    rows({
        "its pod ran": (facts(pod()), "ExitCode", True),
        "its pod never ran": (facts(pod(any_started=False)), "StartTimeout", False),
        "its pod ran and has gone": (
            Facts({A1: AttemptFact(Existence.UNPROVEN, last_pod=pod())}), "ExitCode", True),
        "its Job had a pod that nobody saw": (
            Facts({A1: AttemptFact(Existence.PRESENT, job(failed=1, end=FAILED_END))}),
            "ExitCode", True),
        "its Job never had a pod": (
            Facts({A1: AttemptFact(Existence.PRESENT, job(end=FAILED_END))}), "PodRefused", False),
        "nothing is known of it": (Facts(), "ExitCode", True),
        "it never had a Job": (Facts(), "JobRefused", False),
    }),
)  # fmt: skip
def test_an_attempt_without_output_has_no_tail(known: Facts, reason: str, wanted: bool) -> None:
    failed = node("Failed", 1)
    failures = tuple(one.model_copy(update={"reason": reason}) for one in failed.failures)
    state = status("Failed", nodes={"a": failed.model_copy(update={"failures": failures})})
    assert keys(state, known) == (["1.a.1"] if wanted else [])


def test_the_pod_that_ran_last_is_asked() -> None:
    known = facts(pod("first"), pod("second"), pod("third", any_started=False))
    (one,) = ended(valid(), status(), known)
    assert one.pod is not None
    assert one.pod.name == "second"


def test_lines_are_the_nodes_own_or_those_of_the_whole() -> None:
    spec: dict[str, Any] = {
        "log": {"tailLines": 7},
        "defaults": {"image": "busybox"},
        "nodes": [{"name": "a", "fallback": "s"}, {"name": "b", "tailLines": 3}],
        "standbys": [{"name": "s", "tailLines": 0}],
    }
    workflow = valid(spec)
    assert lines_of(workflow, A1) == 7
    assert lines_of(workflow, AttemptId(1, "b", 1)) == 3
    assert lines_of(workflow, AttemptId(1, "a", 2, "s")) == 0
    assert lines_of(None, A1) == 20


def test_what_is_about_to_be_stopped_is_told_apart() -> None:
    stopping = node("Running", 2, job=JobRef(name="x", ending="Cancelled"))
    state = status("Running", nodes={"a": stopping})
    assert [one.key for one in ending(valid(), state, facts(pod(attempt=A2)))] == ["1.a.2"]
    assert list(ending(valid(), state, Facts())) == []
    over = stopping.model_copy(update={"phase": NodePhase.CANCELLED})
    assert list(ending(valid(), status(nodes={"a": over}), facts(pod(attempt=A2)))) == []


# --- reading


@pytest.fixture
def logs() -> FakeLogs:
    return FakeLogs()


async def test_one_line_more_is_asked_for_to_know_whether_there_was_more(logs: FakeLogs) -> None:
    logs.outputs["pod-1/main"] = b"a\nb\nc\n"
    assert await read(logs, "shop", pod(), 2) == Tail("b\nc", cut=True)
    assert await read(logs, "shop", pod(), 3) == Tail("a\nb\nc")
    assert logs.calls[0] == ("tail", "pod-1", "main", "3")


async def test_the_container_that_failed_is_shown_beside_main(logs: FakeLogs) -> None:
    failed = ContainerEnd("proxy", 2, "Error", "", later(1), later(3))
    logs.outputs |= {"pod-1/main": b"main says\n", "pod-1/proxy": b"no route\n"}
    tail = await read(logs, "shop", pod(failed=failed), 5)
    assert tail.text == "==> main <==\nmain says\n==> proxy <==\nno route"
    only = await read(logs, "shop", pod(failed=failed, main_started_at=None, main=None), 5)
    assert only.text == "==> proxy <==\nno route"


async def test_long_lines_are_asked_for_again_in_smaller_numbers(logs: FakeLogs) -> None:
    logs.outputs["pod-1/main"] = b"".join(b"%d" % i * 30_000 + b"\n" for i in range(9))
    tail = await read(logs, "shop", pod(), 20)
    assert tail.cut
    assert tail.text.endswith("8888")
    assert [call[3] for call in logs.calls] == ["21", "5", "1"]


async def test_of_one_endless_line_the_beginning_is_all_there_is(logs: FakeLogs) -> None:
    logs.outputs["pod-1/main"] = b"x" * 10_000_000
    tail = await read(logs, "shop", pod(), 20)
    assert tail.cut
    assert 0 < len(tail.text) <= 16 * 1024


async def test_bytes_that_are_no_text_are_bearable(logs: FakeLogs) -> None:
    logs.outputs["pod-1/main"] = b"\xff\xfe\x00ok\n"
    assert (await read(logs, "shop", pod(), 5)).text.endswith("ok")


@pytest.mark.parametrize(
    ("error", "why"),
    rows({
        "the pod has gone": (from_status(404, "NotFound", "no such pod"), GONE),
        "no such container yet": (from_status(400, "BadRequest", "main is waiting"),
                                  "main is waiting"),
        "no right": (from_status(403, "Forbidden", "pods/log is forbidden"),
                     "the operator has no right to read the logs of pods"),
        "another refusal": (from_status(410, "Gone", "words"), "words"),
    }),
)  # fmt: skip
async def test_what_is_lost_for_good_says_why(logs: FakeLogs, error: Exception, why: str) -> None:
    logs.trouble["tail"] = [error]
    assert await read(logs, "shop", pod(), 5) == Tail("", lost=why)


async def test_the_kubelets_apology_is_not_taken_for_output(logs: FakeLogs) -> None:
    logs.outputs["pod-1/main"] = b"unable to retrieve container logs for containerd://abc"
    assert await read(logs, "shop", pod(), 5) == Tail("", lost=REMOVED)


async def test_what_may_pass_is_raised(logs: FakeLogs) -> None:
    logs.trouble["tail"] = [LOST]
    with pytest.raises(Unreachable):
        await tails.read(logs, "shop", pod(), 5)
