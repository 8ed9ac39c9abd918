import pytest

from tests.unit.cluster.objects import (
    KEY,
    LOST,
    A,
    FakeApi,
    Json,
    StillClock,
    job,
    pod,
    workflow,
)
from tidegate.cluster.refusals import Refusals
from tidegate.cluster.view import View, Wake
from tidegate.errors import from_status

WORDS = 'pods "x" is forbidden: exceeded quota: tight'


def failed(version: int) -> Json:
    condition = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}
    return job(version, status={"conditions": [condition]})


class Rig:
    """The reader of refusals over a view and an API server in memory."""

    def __init__(self) -> None:
        self.api, self.clock, self.view = FakeApi(), StillClock(), View()
        self.woken: list[Wake] = []
        self.refusals = Refusals(self.api, self.view, self.woken.append, self.clock.monotonic)
        self.view.workflow_seen(workflow())
        self.view.job_seen(job())
        self.api.events = [
            {
                "reason": "FailedCreate",
                "message": f"Error creating: {WORDS}",
                "involvedObject": {"uid": "job-1"},
                "lastTimestamp": "2026-11-22T12:00:00Z",
            }
        ]

    async def after(self, seconds: float) -> int:
        self.clock.advance(seconds)
        await self.refusals.ask_where_due()
        return len(self.api.calls)

    @property
    def refusal(self) -> str | None:
        fact = self.view.workflow(KEY)
        assert fact is not None
        return self.view.facts(fact).of(A).refusal


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_a_job_without_a_pod_for_a_second_is_asked_about(rig: Rig) -> None:
    assert await rig.after(0) == 0
    assert await rig.after(0.9) == 0
    assert await rig.after(0.2) == 1
    assert rig.refusal == WORDS
    assert rig.woken == [Wake(KEY, hot=False)]


async def test_again_and_again_but_less_and_less_often(rig: Rig) -> None:
    asked = [await rig.after(1.0) for _ in range(120)]
    assert asked[1] == 1
    assert asked[-1] == 6


async def test_a_job_that_got_its_pod_is_left_alone(rig: Rig) -> None:
    await rig.after(0)
    rig.view.pod_seen(pod())
    assert await rig.after(5) == 0


async def test_no_answer_means_nothing(rig: Rig) -> None:
    rig.api.trouble["list_job_events"] = [LOST]
    await rig.after(0)
    assert await rig.after(2) == 1
    assert rig.refusal is None
    assert rig.woken == []
    await rig.after(2)
    assert rig.refusal == WORDS


@pytest.mark.parametrize("refused", [False, True])
async def test_that_nothing_is_there_is_an_answer(rig: Rig, *, refused: bool) -> None:
    rig.api.events = []
    if refused:
        rig.api.trouble["list_job_events"] = [from_status(403, "Forbidden", "no RBAC")]
    await rig.after(0)
    await rig.after(2)
    assert rig.refusal == ""
    assert rig.woken == [Wake(KEY, hot=False)]
    await rig.after(9)
    assert len(rig.woken) == 1


async def test_what_was_told_holds_when_the_events_have_expired(rig: Rig) -> None:
    await rig.after(0)
    await rig.after(2)
    rig.api.events = []
    await rig.after(9)
    assert rig.refusal == WORDS


async def test_a_job_that_ended_without_a_pod_is_asked_about_once(rig: Rig) -> None:
    rig.view.workflow_seen(workflow(4, status={"phase": "Running", "run": 1}))
    rig.view.job_seen(failed(5))
    await rig.after(0)
    assert await rig.after(2) == 1
    assert rig.refusal == WORDS
    assert rig.woken == [Wake(KEY, hot=False)]
    assert await rig.after(60) == 1


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
async def test_nobody_asks_why_of_a_run_that_is_over(rig: Rig, phase: str) -> None:
    rig.view.workflow_seen(workflow(4, status={"phase": phase, "run": 1}))
    rig.view.job_seen(failed(5))
    await rig.after(0)
    assert await rig.after(2) == 0


async def test_a_job_that_ended_with_its_pod_needs_no_explanation(rig: Rig) -> None:
    rig.view.workflow_seen(workflow(4, status={"phase": "Running", "run": 1}))
    rig.view.pod_seen(pod(5, "Failed"))
    rig.view.pod_gone(pod(6, "Failed"))
    rig.view.job_seen(failed(7))
    await rig.after(0)
    assert await rig.after(2) == 0
