"""Workflows and facts for the tables, each with the least that a test has to say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidegate.api.identity import AttemptId, WorkflowKey, job_name
from tidegate.api.status import JobRef, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow, validate
from tidegate.engine.context import Context
from tidegate.engine.run_begin import begin
from tidegate.facts.model import (
    AttemptFact,
    ContainerEnd,
    Existence,
    Facts,
    JobEnd,
    JobFact,
    PodFact,
    WorkflowFact,
)

Json = dict[str, Any]

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
UID = "6f1c1b1e-3c0a-4f5e-9a58-0d3f4a1c2b3d"
KEY = WorkflowKey("data", "flow")
A1 = AttemptId(1, "a", 1)
JOB_UID = "job-1"

PATIENT = {"limit": 2, "backoff": {"base": "10s", "factor": 2, "cap": "1m", "jitter": "None"}}
"""A retry whose waits are 10 s, 20 s."""


def rows(table: dict[str, Any]) -> list[Any]:
    """The rows of a table for ``parametrize``, by the sentence that each one is."""
    return [
        pytest.param(*(values if isinstance(values, tuple) else (values,)), id=sentence)
        for sentence, values in table.items()
    ]


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


# --- workflows -----------------------------------------------------------------------------------


def node(name: str, after: str = "", **fields: Any) -> Json:
    """A node that depends on the names in ``after``; fields as users write them."""
    needs: Json = {"dependsOn": after.split()} if after else {}
    return {"name": name, **needs, **fields}


def spec(*nodes: Json, standbys: str = "", **fields: Any) -> Json:
    """A spec with standbys of the names in ``standbys``, besides those in ``extra``."""
    plain = [{"name": name} for name in standbys.split()]
    extra = fields.pop("extra", [])
    more: Json = {"standbys": [*plain, *extra]} if plain or extra else {}
    return {"defaults": {"image": "busybox:1.36"}, "nodes": list(nodes), **more, **fields}


def workflow_fact(
    given: Json,
    *,
    generation: int = 1,
    annotations: dict[str, str] | None = None,
    restored: bool = False,
) -> WorkflowFact:
    return WorkflowFact(
        key=KEY,
        uid=UID,
        generation=generation,
        resource_version="1",
        created_at=NOON,
        deleting=False,
        annotations=annotations or {},
        restored=restored,
        spec=given,
        status={},
    )


def workflow(*nodes: Json, standbys: str = "", **fields: Any) -> ValidatedWorkflow:
    return validate(workflow_fact(spec(*nodes, standbys=standbys, **fields)))


def context(
    of: ValidatedWorkflow, attempts: dict[AttemptId, AttemptFact] | None = None, **fields: Any
) -> Context:
    """A pass over a Workflow whose first run has just begun."""
    begun = begin(of, WorkflowStatus(), NOON)
    recorded = fields.pop("recorded", begun)
    fact = replace(workflow_fact({}), **fields.pop("fact", {}))
    return Context(of, fact, recorded, Facts(attempts or {}), fields.pop("now", NOON))


# --- Jobs and pods -------------------------------------------------------------------------------


def job(attempt: AttemptId = A1, **fields: Any) -> JobFact:
    """A Job that its controller has started at noon."""
    known: Json = {
        "name": job_name(KEY.name, UID, attempt),
        "uid": JOB_UID,
        "owner_uid": UID,
        "attempt": attempt,
        "definition": "1:any",
        "created_at": NOON,
        "started_at": NOON,
    }
    return JobFact(**known | fields)


def pod(attempt: AttemptId = A1, **fields: Any) -> PodFact:
    """A pod that waits for its node."""
    known: Json = {
        "name": "pod-1",
        "uid": "pod-uid-1",
        "job_uid": JOB_UID,
        "attempt": attempt,
        "created_at": NOON,
        "phase": "Pending",
    }
    return PodFact(**known | fields)


def running_pod(**fields: Any) -> PodFact:
    known: Json = {"phase": "Running", "main_started_at": at(1), "any_started": True}
    return pod(**known | fields)


def succeeded_pod(finished: float = 5, **fields: Any) -> PodFact:
    end = container_end(exit_code=0, reason="Completed", finished=finished)
    known: Json = {"phase": "Succeeded", "main": end, "finished_at": at(finished)}
    return running_pod(**known | fields)


def failed_pod(
    exit_code: int = 1, finished: float = 5, *, reason: str = "Error", **fields: Any
) -> PodFact:
    end = container_end(exit_code=exit_code, reason=reason, finished=finished)
    known: Json = {"phase": "Failed", "main": end, "failed": end, "finished_at": at(finished)}
    return running_pod(**known | fields)


def container_end(
    *,
    name: str = "main",
    exit_code: int = 1,
    reason: str = "Error",
    message: str = "",
    finished: float = 5,
) -> ContainerEnd:
    return ContainerEnd(name, exit_code, reason, message, at(1), at(finished))


def job_end(reason: str = "BackoffLimitExceeded", message: str = "", **fields: Any) -> JobEnd:
    """A Job that has failed, ten seconds after noon."""
    known: Json = {"succeeded": False, "at": at(10), "stopped": True}
    return JobEnd(reason=reason, message=message, **known | fields)


DEADLINE = job_end("DeadlineExceeded", "Job was active longer than specified deadline")


def present(its_job: JobFact | None = None, *pods: PodFact, **fields: Any) -> AttemptFact:
    """All that there is of an attempt: no pod besides ``pods`` is unseen."""
    known: Json = {"pods_listed": its_job is not None and its_job.end is not None}
    return AttemptFact(Existence.PRESENT, job=its_job, pods=pods, **known | fields)


def gone(**fields: Any) -> AttemptFact:
    return AttemptFact(Existence.GONE, **{"job_gone": True} | fields)


def ref(ending: str | None = None, **fields: Any) -> JobRef:
    return JobRef(**{"name": job().name, "uid": JOB_UID, "ending": ending} | fields)
