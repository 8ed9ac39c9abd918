from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.cluster.objects import (
    KEY,
    LOST,
    UID,
    A,
    FakeApi,
    StillClock,
    pod,
    start,
    valid,
    workflow,
)
from tidegate.api.identity import AttemptId, job_name
from tidegate.build.job import job_manifest
from tidegate.cluster.gate import Gate
from tidegate.cluster.hands import Hands
from tidegate.cluster.view import Listing, View, Wake
from tidegate.engine.model import End, EndMode, Remove
from tidegate.errors import ApiError, Conflict, ServerFault, Throttled, TryAgain, from_status
from tidegate.facts.model import AnswerKind, Existence, Facts, WorkflowFact

NAME = job_name(KEY.name, UID, A)


class Rig:
    """Real hands, view and gate over an API server in memory."""

    def __init__(self) -> None:
        self.api = FakeApi()
        self.clock = StillClock()
        self.view = View()
        self.view.workflow_seen(workflow())
        self.gate = Gate(self.view, self.clock)
        self.woken: list[Wake] = []
        self.hands = Hands(self.api, self.view, self.gate, self.clock, self.woken.append)

    @property
    def workflow(self) -> WorkflowFact:
        fact = self.view.workflow(KEY)
        assert fact is not None
        return fact

    @property
    def facts(self) -> Facts:
        return self.view.facts(self.workflow)

    async def start(self) -> Any:
        self.gate.admit(KEY, 1)
        return (await self.hands.start(valid(), [start()]))[A]

    def standing(self, **metadata: Any) -> dict[str, Any]:
        """A Job of this very attempt stands there already."""
        raw: dict[str, Any] = dict(job_manifest(valid(), start()))
        raw["metadata"] |= {
            "uid": "job-1",
            "resourceVersion": "5",
            "creationTimestamp": "2026-11-22T12:00:00Z",
        } | metadata
        self.api.jobs[NAME] = raw
        return raw


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_a_created_job_is_a_fact_at_once(rig: Rig) -> None:
    answer = await rig.start()
    assert answer.kind is AnswerKind.CREATED
    assert answer.job == rig.facts.of(A).job
    assert answer.at == datetime(2026, 11, 22, 12, tzinfo=UTC)


async def test_the_same_attempts_job_is_adopted(rig: Rig) -> None:
    rig.standing()
    answer = await rig.start()
    assert answer.kind is AnswerKind.ADOPTED
    assert rig.facts.of(A).job == answer.job


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"ownerReferences": []}, "belongs to somebody else"),
        ({"labels": {}}, "belongs to somebody else"),
        ({"labels": AttemptId(1, "a", 2).labels("demo")}, "is of a, attempt 2"),
        ({"annotations": {}}, "another definition"),
        ({"deletionTimestamp": "2026-11-22T12:00:01Z"}, "being deleted"),
    ],
)
async def test_other_jobs_are_never_adopted(rig: Rig, metadata: dict[str, Any], words: str) -> None:
    rig.standing(**metadata)
    answer = await rig.start()
    assert answer.kind is AnswerKind.CONFLICT
    assert words in answer.message


async def test_a_job_that_went_between_409_and_get_is_tried_again(rig: Rig) -> None:
    rig.api.trouble["create_job"] = [from_status(409, "AlreadyExists", "exists")]
    answer = await rig.start()
    assert answer.kind is AnswerKind.UNAVAILABLE


@pytest.mark.parametrize(
    ("status", "reason", "message", "kind"),
    [
        (400, "BadRequest", "strict decoding error", AnswerKind.INVALID),
        (422, "Invalid", "spec.template is invalid", AnswerKind.INVALID),
        (403, "Forbidden", "jobs is forbidden: exceeded quota: q", AnswerKind.QUOTA),
        (403, "NamespaceTerminating", "unable to create", AnswerKind.TERMINATING),
        (
            403,
            "Forbidden",
            "unable to create new content in namespace x because it is being terminated",
            AnswerKind.TERMINATING,
        ),
        (403, "Forbidden", "jobs is forbidden: denied by a policy", AnswerKind.REFUSED),
        (
            403,
            "Forbidden",
            'jobs.batch is forbidden: User "tidegate" cannot create resource "jobs" in API group',
            AnswerKind.UNAVAILABLE,
        ),
        (404, "NotFound", 'namespaces "x" not found', AnswerKind.REFUSED),
        (413, "", "request entity too large", AnswerKind.REFUSED),
        (429, "TooManyRequests", "slow down", AnswerKind.UNAVAILABLE),
        (500, "InternalError", "etcd", AnswerKind.UNAVAILABLE),
        (504, "Timeout", "timeout", AnswerKind.UNAVAILABLE),
        (409, "Conflict", "try again", AnswerKind.UNAVAILABLE),
    ],
)
async def test_what_refused_creations_mean(
    rig: Rig, status: int, reason: str, message: str, kind: AnswerKind
) -> None:
    rig.api.trouble["create_job"] = [from_status(status, reason, message)]
    answer = await rig.start()
    assert (answer.kind, answer.message) == (kind, message)
    assert rig.api.count("get_job") == (status in {409, 500, 504})


@pytest.mark.parametrize("error", [LOST, from_status(504, "Timeout", "timeout")])
async def test_after_a_lost_answer_it_is_looked_first(rig: Rig, error: ApiError) -> None:
    rig.api.trouble["create_job"] = [("after", error)]
    answer = await rig.start()
    assert answer.kind is AnswerKind.ADOPTED
    assert rig.api.count("create_job") == 1


async def test_a_lost_request_is_for_later(rig: Rig) -> None:
    rig.api.trouble["create_job"] = [LOST]
    answer = await rig.start()
    assert (answer.kind, answer.message) == (AnswerKind.UNAVAILABLE, "the connection broke")
    assert not answer.may_exist


async def test_where_the_look_is_lost_as_well_nobody_knows(rig: Rig) -> None:
    rig.api.trouble["create_job"] = [("after", LOST)]
    rig.api.trouble["get_job"] = [LOST]
    answer = await rig.start()
    assert (answer.kind, answer.may_exist) == (AnswerKind.UNAVAILABLE, True)


async def test_every_start_gets_an_answer_and_frees_its_place(rig: Rig) -> None:
    rig.api.trouble["create_job"] = [LOST, from_status(422, "Invalid", "no")]
    starts = [start(AttemptId(1, "a", number)) for number in (1, 2, 3)]
    rig.gate.admit(KEY, 3)
    answers = await rig.hands.start(valid(), starts)
    kinds = sorted(answer.kind for answer in answers.values())
    assert kinds == [AnswerKind.CREATED, AnswerKind.INVALID, AnswerKind.UNAVAILABLE]
    assert not rig.gate._flying


def stop(uid: str = "job-1") -> End:
    return End(A, EndMode.STOP_JOB, NAME, uid, "Cancelled")


async def test_an_attempt_is_stopped_by_its_jobs_deadline(rig: Rig) -> None:
    rig.standing()
    await rig.hands.end(rig.workflow, [stop()])
    raw = rig.api.jobs[NAME]
    assert raw["spec"]["activeDeadlineSeconds"] == 1
    assert raw["metadata"]["annotations"]["tidegate.dev/end"] == "Cancelled"
    job = rig.facts.of(A).job
    assert job is not None
    assert (job.deadline, job.end_reason) == (1, "Cancelled")
    assert rig.woken == [Wake(KEY, hot=False)]


async def test_what_has_gone_needs_no_stopping(rig: Rig) -> None:
    rig.view.job_seen(rig.standing())
    rig.api.jobs.clear()
    await rig.hands.end(rig.workflow, [stop()])
    assert rig.facts.of(A).job is None
    assert rig.facts.of(A).job_gone
    assert rig.woken == [Wake(KEY, hot=False)]


async def test_a_job_that_was_replaced_needs_no_stopping(rig: Rig) -> None:
    rig.view.job_seen(rig.standing())
    rig.standing(uid="job-2", resourceVersion="9")
    await rig.hands.end(rig.workflow, [stop()])
    job = rig.facts.of(A).job
    assert job is not None
    assert job.uid == "job-2"


async def test_a_conflict_about_the_same_job_is_raised(rig: Rig) -> None:
    rig.standing()
    rig.api.trouble["patch_job"] = [from_status(409, "Conflict", "try again")]
    with pytest.raises(Conflict):
        await rig.hands.end(rig.workflow, [stop()])


async def test_all_ends_are_sent_before_one_raises(rig: Rig) -> None:
    rig.standing()
    rig.api.pods = [pod()]
    rig.api.trouble["patch_job"] = [ServerFault("etcd", status=500)]
    ends = [
        stop(),
        End(A, EndMode.DELETE_POD, "pod-1", "pod-1", "Cancelled"),
        End(A, EndMode.DELETE_JOB, NAME, "job-1", "Cancelled"),
    ]
    with pytest.raises(ServerFault):
        await rig.hands.end(rig.workflow, ends)
    assert rig.api.jobs == {}
    assert rig.api.pods == []


async def test_jobs_are_removed(rig: Rig) -> None:
    rig.standing()
    await rig.hands.remove(rig.workflow, [Remove(A, NAME, "job-1")])
    assert rig.api.jobs == {}


async def test_nothing_at_all_is_proven_gone(rig: Rig) -> None:
    await rig.hands.prove(rig.workflow, [A])
    assert rig.facts.of(A).existence is Existence.GONE


async def test_a_job_that_is_there_after_all_is_learned(rig: Rig) -> None:
    rig.standing()
    await rig.hands.prove(rig.workflow, [A])
    fact = rig.facts.of(A)
    assert fact.existence is Existence.PRESENT
    assert fact.job is not None


async def test_a_job_that_ended_before_its_pod_was_seen_is_asked_for_it(rig: Rig) -> None:
    done = {"type": "Complete", "status": "True", "lastTransitionTime": "2026-11-22T12:01:00Z"}
    raw = rig.standing()
    raw["status"] = {"succeeded": 1, "conditions": [done]}
    rig.view.job_seen(raw)
    rig.api.pods = [pod(phase="Succeeded")]
    await rig.hands.prove(rig.workflow, [A])
    fact = rig.facts.of(A)
    assert (fact.pods_listed, [one.phase for one in fact.pods]) == (True, ["Succeeded"])


async def test_pods_of_a_job_that_runs_on_are_never_all_known(rig: Rig) -> None:
    rig.view.job_seen(rig.standing())
    await rig.hands.prove(rig.workflow, [A])
    assert not rig.facts.of(A).pods_listed


async def test_another_job_of_the_same_name_proves_the_same(rig: Rig) -> None:
    rig.view.job_seen(rig.standing())
    rig.view.jobs_settled(Listing(rig.view.token()))
    rig.standing(uid="foreign", ownerReferences=[])
    await rig.hands.prove(rig.workflow, [A])
    assert rig.facts.of(A).existence is Existence.GONE


async def test_pods_that_outlived_their_job_are_found(rig: Rig) -> None:
    rig.view.job_seen(rig.standing())
    rig.view.jobs_settled(Listing(rig.view.token()))
    rig.api.jobs.clear()
    rig.api.pods = [pod(job_uid="job-1")]
    await rig.hands.prove(rig.workflow, [A])
    fact = rig.facts.of(A)
    assert (fact.existence, fact.job_gone) == (Existence.PRESENT, True)
    assert len(fact.pods) == 1


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("lost", [{"labels": {}}, {"ownerReferences": []}])
async def test_a_job_that_lost_its_labels_or_owner_is_not_gone(
    rig: Rig, lost: dict[str, Any], *, known: bool
) -> None:
    before = rig.standing()
    if known:
        rig.view.job_seen(before)
        rig.view.job_gone({**before, "metadata": {**before["metadata"], "resourceVersion": "6"}})
    rig.standing(**lost, resourceVersion="6")
    if known or "labels" in lost:
        with pytest.raises(TryAgain, match="has lost labels or its owner"):
            await rig.hands.prove(rig.workflow, [A])
        assert rig.facts.of(A).existence is Existence.UNPROVEN
        assert not rig.facts.of(A).job_gone
    rig.standing(resourceVersion="7")
    await rig.hands.prove(rig.workflow, [A])
    assert rig.facts.of(A).existence is Existence.PRESENT


async def test_a_pod_that_lost_its_labels_is_not_gone(rig: Rig) -> None:
    rig.view.job_seen(rig.standing())
    rig.view.jobs_settled(Listing(rig.view.token()))
    rig.api.jobs.clear()
    rig.api.pods = [pod(labels={"batch.kubernetes.io/controller-uid": "job-1"})]
    with pytest.raises(TryAgain, match="has lost labels"):
        await rig.hands.prove(rig.workflow, [A])
    assert rig.facts.of(A).existence is Existence.UNPROVEN
    rig.api.pods = []
    await rig.hands.prove(rig.workflow, [A])
    assert rig.facts.of(A).existence is Existence.GONE


async def test_no_answer_proves_nothing(rig: Rig) -> None:
    rig.api.trouble["get_job"] = [Throttled("slow down")]
    with pytest.raises(Throttled):
        await rig.hands.prove(rig.workflow, [A])
    assert rig.facts.of(A).existence is Existence.UNPROVEN


async def test_a_workflow_is_deleted_only_as_it_was_seen(rig: Rig) -> None:
    rig.api.workflows[KEY.name] = workflow(9)
    with pytest.raises(Conflict):
        await rig.hands.delete_workflow(rig.workflow)
    assert rig.workflow.resource_version == "9"
    await rig.hands.delete_workflow(rig.workflow)
    assert rig.api.workflows == {}
    await rig.hands.delete_workflow(rig.workflow)
