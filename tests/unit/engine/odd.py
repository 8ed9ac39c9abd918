"""Strategies for statuses and facts that are valid, but that no history needs to lead to."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from tests.unit.engine.builders import (
    DEADLINE,
    at,
    failed_pod,
    job,
    job_end,
    node,
    pod,
    running_pod,
    spec,
    succeeded_pod,
)
from tidegate.api.identity import AttemptId
from tidegate.api.status import (
    Ending,
    Failure,
    JobRef,
    NodePhase,
    NodeStatus,
    Outcome,
    Phase,
    WorkflowStatus,
)
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.run_begin import begin
from tidegate.facts.model import Answer, AnswerKind, AttemptFact, Existence, JobFact, PodFact

RETRY = {"limit": 2, "maxDuration": "2m", "backoff": {"base": "5s", "jitter": "Equal"}}
NAMES = ("a", "b", "c", "d", "x", "y")
SPECS = [
    spec(
        node("a", retry=RETRY, fallback="s"),
        node("b", timeout="1m", allowFailure=True),
        node("c", "a b"),
        node("d", "a", trigger="DependenciesEnded", retry={}),
        standbys="s x y",
        onError=["x"],
        onExit=["y"],
        timeout="2m",
        execution=execution,
        failurePolicy=policy,
        parallelism=2,
        suspend=suspend,
        jobRetention=retention,
    )
    for execution, policy, suspend, retention in (
        ("Waves", "FinishWave", False, "Always"),
        ("Waves", "FailFast", False, "Never"),
        ("Eager", "Continue", False, "OnFailure"),
        ("Eager", "FailFast", True, "Always"),
    )
]
UIDS = ("u1", "u2")
REASONS = ("ExitCode", "Disrupted", "Stopping", "NodeLost", "QuotaExceeded", "Fallback", "Odd")

seconds = st.integers(0, 300)
moments: st.SearchStrategy[datetime] = seconds.map(at)
maybe_moments = st.none() | moments


@st.composite
def attempts(draw: st.DrawFn, name: str | None = None) -> AttemptId:
    node_name = name or draw(st.sampled_from(NAMES))
    standby = draw(st.sampled_from(["", "", "s"])) if node_name == "a" else ""
    return AttemptId(draw(st.integers(1, 3)), node_name, draw(st.integers(1, 4)), standby)


@st.composite
def job_facts(draw: st.DrawFn, attempt: AttemptId) -> JobFact:
    ends = (None, None, DEADLINE, job_end("Complete", succeeded=True), job_end(),
            job_end("FailureTarget", stopped=False), job_end("PodFailurePolicy"))  # fmt: skip
    return job(
        attempt,
        uid=draw(st.sampled_from(UIDS)),
        name=f"job-{draw(st.sampled_from(UIDS))}",
        suspended=draw(st.booleans()),
        deleting=draw(st.booleans()),
        started_at=draw(maybe_moments),
        end_reason=draw(st.sampled_from([None, "Cancelled"])),
        end=draw(st.sampled_from(ends)),
    )


@st.composite
def pod_facts(draw: st.DrawFn, attempt: AttemptId) -> PodFact:
    make: Callable[..., PodFact] = draw(
        st.sampled_from([pod, running_pod, succeeded_pod, failed_pod])
    )
    fields: dict[str, Any] = {
        "attempt": attempt,
        "uid": draw(st.sampled_from(["p1", "p2"])),
        "job_uid": draw(st.sampled_from(UIDS)),
        "deletion_at": draw(maybe_moments),
        "disruption": draw(st.sampled_from([None, None, "evicted"])),
    }
    if make is pod:
        words = (None, "Unschedulable: no", "InvalidImageName: x", "ErrImagePull", "")
        fields["blocked"] = draw(st.sampled_from(words))
    return make(**fields)


@st.composite
def attempt_facts(draw: st.DrawFn, attempt: AttemptId) -> AttemptFact:
    its_job = draw(st.none() | job_facts(attempt))
    pods = tuple(draw(st.lists(pod_facts(attempt), max_size=2)))
    absent = draw(st.sampled_from([Existence.GONE, Existence.UNPROVEN]))
    refusals = (None, "exceeded quota: q", "violates PodSecurity", "webhook down")
    return AttemptFact(
        Existence.PRESENT if its_job or pods else absent,
        job=its_job,
        pods=pods,
        refusal=draw(st.sampled_from(refusals)),
        disrupted=draw(st.booleans()),
        job_gone=its_job is None and draw(st.booleans()),
        last_pod=draw(st.none() | pod_facts(attempt)),
    )


@st.composite
def all_facts(draw: st.DrawFn) -> dict[AttemptId, AttemptFact]:
    found = draw(st.lists(attempts(), max_size=4, unique=True))
    return {attempt: draw(attempt_facts(attempt)) for attempt in found}


@st.composite
def node_statuses(draw: st.DrawFn, name: str, before: NodeStatus) -> NodeStatus:
    """A pending node has had no attempt, one that runs has; a retry has its time."""
    phase = draw(st.sampled_from([phase for phase in NodePhase if phase is not NodePhase.WAITING]))
    if phase is NodePhase.PENDING:
        reason = draw(st.sampled_from([None, "QuotaExceeded", "Stopping"]))
        return before.model_copy(update={"reason": reason})
    number = draw(st.integers(1, 4))
    standby = draw(st.sampled_from([None, None, "s"])) if name == "a" else None
    falls_back = phase is NodePhase.RETRYING and standby is not None and draw(st.booleans())
    ref = JobRef(
        name="job-u1",
        uid=draw(st.sampled_from(["", *UIDS])),
        run=draw(st.integers(1, 3)) if phase.has_ended else 1,
        standby=None if falls_back else standby,
        ending=draw(st.sampled_from([None, None, "Cancelled", "StartTimeout"])),
    )
    failures = [Failure(attempt=n, reason="ExitCode", exit_code=1) for n in range(1, number)]
    waits = phase is NodePhase.RETRYING and not falls_back
    return before.model_copy(
        update={
            "phase": phase,
            "reason": draw(st.sampled_from([None, *REASONS])),
            "message": draw(st.sampled_from([None, "words"])),
            "attempt": number,
            "job": ref,
            "standby": standby,
            "retries": 0 if falls_back else draw(st.integers(1, 3)),
            "disruptions": draw(st.integers(0, 11)),
            "started_at": draw(maybe_moments),
            "serving_since": draw(maybe_moments),
            "finished_at": draw(maybe_moments),
            "retry_at": draw(moments) if waits else None,
            "failures": tuple(failures) if draw(st.booleans()) else (),
        }
    )


@st.composite
def statuses(
    draw: st.DrawFn, workflow: ValidatedWorkflow, *, final: bool = False
) -> WorkflowStatus:
    begun = begin(workflow, WorkflowStatus(), at(0))
    causes = ("Failure", "DeadlineExceeded", "CancelGraceful", "CancelNow")
    ends = st.builds(Ending, cause=st.sampled_from(causes), node=st.sampled_from([None, "a"]),
                     wave=st.sampled_from([None, 1]), at=moments)  # fmt: skip
    finals = st.sampled_from([Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED])
    outcomes = st.builds(Outcome, phase=finals, reason=st.just("r"), at=moments)
    living = st.sampled_from([Phase.RUNNING, Phase.RUNNING, Phase.SUSPENDED])
    phase = draw(finals if final else living | finals)
    return begun.model_copy(
        update={
            "phase": phase,
            "nodes": {n: draw(node_statuses(n, s)) for n, s in begun.nodes.items()},
            "ending": draw(st.none() | ends),
            "outcome": draw(st.none() | outcomes),
            "finished_at": draw(maybe_moments),
        }
    )


@st.composite
def answers(draw: st.DrawFn, attempt: AttemptId) -> Answer:
    kind = draw(st.sampled_from(AnswerKind))
    positive = kind in (AnswerKind.CREATED, AnswerKind.ADOPTED)
    return Answer(
        kind,
        draw(moments),
        draw(st.sampled_from(["", "exceeded quota"])),
        job=draw(job_facts(attempt)) if positive else None,
    )


annotations = st.fixed_dictionaries(
    {},
    optional={
        "tidegate.dev/cancel": st.sampled_from(["now", "graceful", "x", "now@2"]),
        "tidegate.dev/rerun": st.sampled_from(["all", "failed", "from=a", "from=q", "", "all@2"]),
    },
)
