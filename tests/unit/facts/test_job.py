from datetime import datetime
from typing import Any

import pytest

from tests.unit.facts.raws import LABELS, at, condition, raw_job, second
from tidegate.api.identity import AttemptId
from tidegate.facts.job import job_fact
from tidegate.facts.model import JobEnd, JobFact


def fact(*args: Any, **kwargs: Any) -> JobFact:
    found = job_fact(raw_job(*args, **kwargs))
    assert found is not None
    return found


def end(
    succeeded: bool, reason: str = "", message: str = "", when: int | None = 9, **more: Any
) -> JobEnd:
    return JobEnd(succeeded, reason, message, None if when is None else at(when), **more)


def test_a_new_job() -> None:
    assert fact() == JobFact(
        name="demo-extract-x",
        uid="job-uid",
        owner_uid="workflow-uid",
        attempt=AttemptId(2, "extract", 3),
        definition="1:abc",
        created_at=at(0),
    )


def test_a_job_in_full() -> None:
    job = fact(
        {"startTime": second(1)},
        spec={"suspend": True, "activeDeadlineSeconds": 90},
        labels={**LABELS, "tidegate.dev/standby": "cached"},
        annotations={"tidegate.dev/definition": "1:abc", "tidegate.dev/end": "Cancelled"},
        deletionTimestamp=second(5),
    )
    assert job.attempt == AttemptId(2, "extract", 3, "cached")
    assert job.started_at is None
    assert job.suspended
    assert job.deleting
    assert job.deadline == 90
    assert job.end_reason == "Cancelled"


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {}},
        {"labels": None},
        {"labels": {"app": "shop"}},
        {"labels": {**LABELS, "tidegate.dev/run": "0"}},
        {"labels": {**LABELS, "tidegate.dev/run": 1}},
        {"labels": {**LABELS, "tidegate.dev/attempt": "first"}},
        {"uid": None},
        {"name": ""},
        {"creationTimestamp": None},
    ],
)
def test_what_is_not_an_attempt(metadata: dict[str, Any]) -> None:
    assert job_fact(raw_job(**metadata)) is None


@pytest.mark.parametrize(
    ("owner", "uid"),
    [
        (
            {"apiVersion": "tidegate.dev/v2", "kind": "Workflow", "uid": "u", "controller": True},
            "u",
        ),
        (
            {"apiVersion": "tidegate.dev/v1", "kind": "Workflow", "uid": "u", "controller": False},
            "",
        ),
        ({"apiVersion": "argoproj.io/v1", "kind": "Workflow", "uid": "u", "controller": True}, ""),
        ({"apiVersion": "batch/v1", "kind": "CronJob", "uid": "u", "controller": True}, ""),
        ({"kind": "Workflow", "uid": "u", "controller": True}, ""),
    ],
)
def test_only_a_workflow_of_ours_is_an_owner(owner: dict[str, Any], uid: str) -> None:
    assert fact(ownerReferences=[owner]).owner_uid == uid


@pytest.mark.parametrize(
    ("suspend", "conditions", "expected"),
    [
        (False, [], at(1)),
        (False, [condition("Suspended", status="False")], at(1)),
        (True, [], None),
        (True, [condition("Suspended")], None),
        pytest.param(False, [condition("Suspended")], None, id="resumed, its controller lags"),
    ],
)
def test_the_clock_of_a_suspended_job_stands(
    suspend: bool, conditions: list[dict[str, Any]], expected: datetime | None
) -> None:
    status = {"startTime": second(1), "conditions": conditions}
    assert fact(status, spec={"suspend": suspend}).started_at == expected


DEADLINE: dict[str, Any] = {"reason": "DeadlineExceeded", "message": "too long"}
ENDS: dict[str, tuple[dict[str, Any], JobEnd | None]] = {
    "nothing yet": ({"active": 1}, None),
    "false conditions tell nothing": (
        {"conditions": [condition("Failed", status="False"), condition("Suspended")]},
        None,
    ),
    "complete": (
        {
            "succeeded": 1,
            "conditions": [
                condition("SuccessCriteriaMet", when=8, reason="CompletionsReached"),
                condition("Complete", when=9, reason="CompletionsReached"),
            ],
        },
        end(True, "CompletionsReached", when=8, stopped=True),
    ),
    "success is decided, not stopped": (
        {"conditions": [condition("SuccessCriteriaMet")]},
        end(True, stopped=False),
    ),
    "counted, no condition yet": ({"succeeded": 1}, end(True, when=None, stopped=False)),
    "counted, completion time alone": (
        {"succeeded": 1, "completionTime": second(7)},
        end(True, when=7, stopped=False),
    ),
    "failure is decided, not stopped": (
        {"conditions": [condition("FailureTarget", **DEADLINE)]},
        end(False, "DeadlineExceeded", "too long", stopped=False),
    ),
    "failed: the decision's time counts": (
        {
            "conditions": [
                condition("Failed", when=9, **DEADLINE),
                condition("FailureTarget", when=6, **DEADLINE),
            ]
        },
        end(False, "DeadlineExceeded", "too long", when=6, stopped=True),
    ),
    "a success that the deadline hides (k/k#46497)": (
        {"succeeded": 1, "conditions": [condition("Failed", **DEADLINE)]},
        end(True, "DeadlineExceeded", "too long", stopped=True),
    ),
}


@pytest.mark.parametrize(("status", "expected"), ENDS.values(), ids=ENDS.keys())
def test_the_end(status: dict[str, Any], expected: JobEnd | None) -> None:
    assert fact(status).end == expected
