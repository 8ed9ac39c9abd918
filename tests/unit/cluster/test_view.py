import pytest

from tests.unit.cluster.objects import (
    KEY,
    UID,
    A,
    complete,
    job,
    pod,
    workflow,
)
from tidegate.api.identity import AttemptId, WorkflowKey
from tidegate.cluster.view import Listing, View, Wake
from tidegate.facts.model import AttemptFact, Existence, PolicyFact

CALM, HOT = [Wake(KEY, hot=False)], [Wake(KEY, hot=True)]

DELETING = {"deletionTimestamp": "2026-11-22T12:02:00Z"}


@pytest.fixture
def view() -> View:
    view = View(excluded=("kube-system",))
    view.workflow_seen(workflow())
    return view


def attempts(view: View) -> dict[AttemptId, AttemptFact]:
    fact = view.workflow(KEY)
    assert fact is not None
    return dict(view.facts(fact).attempts)


def fact_of(view: View, attempt: AttemptId = A) -> AttemptFact:
    return attempts(view)[attempt]


def test_a_new_workflow_is_looked_at() -> None:
    view = View()
    assert view.workflow_seen(workflow()) == CALM
    assert list(view.keys()) == [KEY]


def test_an_event_without_news_wakes_nobody(view: View) -> None:
    assert view.workflow_seen(workflow(2)) == []
    view.job_seen(job(3))
    assert view.job_seen(job(4, metadata={"managedFields": ["noise"]})) == []


def test_annotations_are_urgent(view: View) -> None:
    assert view.workflow_seen(workflow(2, annotations={"tidegate.dev/cancel": "Now"})) == HOT


def test_votes_are_urgent(view: View) -> None:
    vote = {"checkpoint.tidegate.dev/ok.2": "approved by alice"}
    assert view.workflow_seen(workflow(2, annotations=vote)) == HOT


def test_annotations_of_others_are_no_news(view: View) -> None:
    assert view.workflow_seen(workflow(2, annotations={"example.com/x": "y"})) == []


def test_older_versions_do_not_overwrite(view: View) -> None:
    view.workflow_seen(workflow(20, status={"phase": "Running"}))
    assert view.workflow_seen(workflow(9)) == []
    fact = view.workflow(KEY)
    assert fact is not None
    assert fact.status == {"phase": "Running"}
    view.pod_seen(pod(30, "Succeeded"))
    view.pod_seen(pod(9, "Running"))
    view.job_seen(job(31))
    assert [one.phase for one in fact_of(view).pods] == ["Succeeded"]


def test_pods_may_come_before_their_job(view: View) -> None:
    assert view.pod_seen(pod()) == []
    assert attempts(view) == {}
    view.job_seen(job())
    assert len(fact_of(view).pods) == 1


def test_jobs_may_come_before_their_workflow() -> None:
    view = View()
    assert view.job_seen(job()) == []
    assert view.workflow_seen(workflow()) == CALM
    assert fact_of(view).existence is Existence.PRESENT


def test_ends_are_urgent(view: View) -> None:
    assert view.job_seen(job()) == CALM
    assert view.pod_seen(pod(3, "Running")) == CALM
    assert view.pod_seen(pod(4, "Succeeded")) == HOT
    assert view.job_seen(complete(5)) == HOT


@pytest.mark.parametrize(
    "raw",
    [
        job(metadata={"name": "somebody-elses"}),
        job(metadata={"ownerReferences": []}),
        job(owner="another-uid"),
        job(key=WorkflowKey("elsewhere", "demo")),
    ],
)
def test_jobs_that_do_not_belong_are_not_facts(view: View, raw: dict[str, object]) -> None:
    view.job_seen(raw)
    view.pod_seen(pod())
    assert attempts(view) == {}


def test_pods_whose_attempt_is_not_their_jobs_are_not_facts(view: View) -> None:
    view.job_seen(job())
    view.pod_seen(pod(attempt=AttemptId(1, "b", 1)))
    assert fact_of(view).pods == ()


def test_a_job_whose_owner_reference_went_is_ours_no_more(view: View) -> None:
    view.job_seen(job())
    assert view.job_seen(job(9, metadata={"ownerReferences": []})) == CALM
    assert attempts(view) == {}


def test_a_deleted_job_is_known_to_be_gone_but_its_pods_are_not(view: View) -> None:
    view.job_seen(job())
    view.pod_seen(pod())
    assert set(view.job_gone(job(9, metadata=DELETING))) == set(CALM)
    fact = fact_of(view)
    assert (fact.existence, fact.job, fact.job_gone) == (Existence.PRESENT, None, True)
    assert len(fact.pods) == 1


def test_a_job_that_only_left_the_watch_is_not_proven_to_be_gone(view: View) -> None:
    """Who takes the labels from a Job makes the watch tell of its deletion."""
    view.job_seen(job())
    assert view.job_gone(job(9)) == CALM
    assert attempts(view) == {}
    view.job_seen(job(8))
    assert attempts(view) == {}
    view.job_seen(job(10))
    assert fact_of(view).job is not None


def test_a_pod_that_is_left_after_its_job_still_counts_when_it_shows_up_late(view: View) -> None:
    view.job_seen(job())
    view.job_gone(job(9))
    view.pod_seen(pod())
    assert fact_of(view).existence is Existence.PRESENT


def test_a_pod_whose_job_stands_in_status_is_ours_after_a_restart(view: View) -> None:
    view.pod_seen(pod())
    nodes = {"a": {"attempt": 1, "job": {"name": "x", "uid": "job-1", "run": 1}}}
    view.workflow_seen(workflow(5, status={"nodes": nodes}))
    assert len(fact_of(view).pods) == 1


def test_what_a_pod_told_by_itself_outlives_it(view: View) -> None:
    view.job_seen(job())
    view.pod_seen(pod(4, "Succeeded"))
    view.pod_gone(pod(5, "Succeeded", deletionTimestamp="2026-11-22T12:02:00Z"))
    last = fact_of(view).last_pod
    assert last is not None
    assert (last.phase, last.deletion_at) == ("Succeeded", None)


def test_a_killed_pod_is_remembered_as_killed(view: View) -> None:
    view.job_seen(job())
    view.pod_seen(pod(4, "Running"))
    view.pod_gone(pod(5, "Succeeded", deletionTimestamp="2026-11-22T12:02:00Z"))
    last = fact_of(view).last_pod
    assert last is not None
    assert last.deletion_at is not None


def test_what_is_deleted_never_comes_back(view: View) -> None:
    view.job_seen(job())
    view.pod_seen(pod())
    view.pod_gone(pod(8))
    view.job_gone(job(9, metadata=DELETING))
    assert view.job_seen(job(10)) == []
    assert view.pod_seen(pod(11)) == []
    fact = fact_of(view)
    assert (fact.job, fact.pods) == (None, ())


def test_the_view_alone_never_proves_absence(view: View) -> None:
    view.job_seen(job())
    view.job_gone(job(9, metadata=DELETING))
    assert fact_of(view).existence is Existence.UNPROVEN


def test_a_proof_holds_until_something_shows_up_again(view: View) -> None:
    view.job_seen(job())
    view.job_gone(job(9))
    view.learn_gone(UID, A, view.job_uids(UID, A), view.token())
    assert fact_of(view).existence is Existence.GONE
    view.job_seen(job(12, uid="job-2"))
    fact = fact_of(view)
    assert (fact.existence, fact.job_gone) == (Existence.PRESENT, False)


def test_a_proof_of_what_was_never_seen(view: View) -> None:
    view.learn_gone(UID, A, frozenset(), view.token())
    assert fact_of(view).existence is Existence.GONE


def test_a_proof_that_is_overtaken_proves_nothing(view: View) -> None:
    token, uids = view.token(), view.job_uids(UID, A)
    view.job_seen(job())
    view.learn_gone(UID, A, uids, token)
    assert fact_of(view).existence is Existence.PRESENT
    token, uids = view.token(), view.job_uids(UID, A)
    view.job_seen(job(7))
    view.learn_gone(UID, A, uids, token)
    assert fact_of(view).existence is Existence.PRESENT


def test_a_job_that_is_proven_gone_leaves_its_listed_pods(view: View) -> None:
    view.job_seen(job())
    token, uids = view.token(), view.job_uids(UID, A)
    view.learn_pod(pod())
    view.learn_gone(UID, A, uids, token)
    fact = fact_of(view)
    assert (fact.existence, fact.job, fact.job_gone) == (Existence.PRESENT, None, True)


def test_a_list_makes_up_for_missed_deletions_without_proving_them(view: View) -> None:
    view.job_seen(job())
    view.pod_seen(pod())
    assert view.pods_settled(Listing(view.token())) == CALM
    assert view.jobs_settled(Listing(view.token())) == CALM
    fact = fact_of(view)
    assert (fact.existence, fact.job_gone) == (Existence.UNPROVEN, False)
    assert fact.last_pod is not None


def test_a_list_does_not_remove_what_was_learned_after_it_began(view: View) -> None:
    token = view.token()
    view.learn_job(job())
    view.learn_pod(pod())
    view.jobs_settled(Listing(token))
    view.pods_settled(Listing(token))
    fact = fact_of(view)
    assert fact.job is not None
    assert len(fact.pods) == 1


def test_what_was_learned_and_deleted_while_a_slow_list_was_made_is_gone(view: View) -> None:
    token = view.token()
    view.learn_job(job())
    view.learn_pod(pod())
    view.jobs_settled(Listing(token, version=1_000_000))
    view.pods_settled(Listing(token, version=1_000_000))
    fact = fact_of(view)
    assert (fact.job, fact.pods) == (None, ())


def test_a_list_speaks_only_of_its_namespace(view: View) -> None:
    view.job_seen(job())
    view.pod_seen(pod())
    view.jobs_settled(Listing(view.token(), namespace="elsewhere"))
    view.pods_settled(Listing(view.token(), namespace="elsewhere"))
    view.workflows_settled(Listing(view.token(), namespace="elsewhere"))
    assert fact_of(view).job is not None
    assert len(fact_of(view).pods) == 1


def test_what_a_list_missed_by_mistake_comes_back(view: View) -> None:
    view.job_seen(job())
    view.jobs_settled(Listing(view.token()))
    view.job_seen(job())
    assert fact_of(view).job is not None


def test_workflows_that_are_listed_replace_those_that_are_known(view: View) -> None:
    other = WorkflowKey("shop", "other")
    raw = workflow(7, uid="wf-2", key=other)
    token = view.token()
    assert view.workflow_seen(raw) == [Wake(other, hot=False)]
    assert view.workflows_settled(Listing(token, {"wf-2"})) == CALM
    assert list(view.keys()) == [other]


def test_a_workflow_of_the_same_name_starts_from_nothing(view: View) -> None:
    view.job_seen(job())
    view.workflow_seen(workflow(9, uid="wf-2"))
    assert attempts(view) == {}
    assert view.workflow_seen(workflow(8)) == []
    fact = view.workflow(KEY)
    assert fact is not None
    assert fact.uid == "wf-2"


def test_nothing_is_left_of_a_workflow_that_is_gone(view: View) -> None:
    view.job_seen(job())
    view.pod_seen(pod())
    assert view.workflow_gone(workflow(9)) == CALM
    view.pod_gone(pod(10))
    view.job_gone(job(11))
    memory = view._memory
    assert (memory.rows, memory.uids, memory.jobs, memory.pods) == ({}, {}, {}, {})
    assert memory.podless == {}
    assert memory._limbo == {}


def test_a_new_run_forgets_jobs_of_former_ones(view: View) -> None:
    view.workflow_seen(workflow(4, status={"run": 1}))
    view.job_seen(job(5))
    view.job_gone(job(6))
    view.workflow_seen(workflow(7, status={"run": 2}))
    assert attempts(view) == {}
    assert view._memory.jobs == {}


def test_a_new_run_remembers_jobs_that_status_still_names(view: View) -> None:
    nodes = {"a": {"attempt": 1, "job": {"name": "x", "uid": "job-1", "run": 1}}}
    view.workflow_seen(workflow(4, status={"run": 1, "nodes": nodes}))
    view.workflow_seen(workflow(7, status={"run": 2, "nodes": nodes}))
    assert view.job_uids(UID, A) == {"job-1"}


def test_finished_workflows_are_kept_small_and_read_whole(view: View) -> None:
    status = {"phase": "Succeeded", "nodes": {"a": {"phase": "Succeeded"}}}
    view.workflow_seen(workflow(5, status=status))
    fact = view.workflow(KEY)
    assert fact is not None
    assert fact.status == status
    assert fact.spec == workflow()["spec"]
    assert view.workflow_seen(workflow(6, status=status)) == []
    assert [row.phase for row in view.rows()] == ["Succeeded"]


def test_an_excluded_namespace_is_told(view: View) -> None:
    raw = workflow(key=WorkflowKey("kube-system", "demo"), uid="wf-3")
    view.workflow_seen(raw)
    fact = view.workflow(WorkflowKey("kube-system", "demo"))
    assert fact is not None
    assert view.facts(fact).namespace_excluded


def test_a_disruption_is_remembered(view: View) -> None:
    view.job_seen(job())
    raw = pod(4, "Failed")
    raw["status"]["conditions"] = [{"type": "DisruptionTarget", "status": "True", "message": "x"}]
    view.pod_seen(raw)
    view.pod_gone(raw)
    assert fact_of(view).disrupted


def test_a_refusal_is_a_fact_until_a_pod_comes(view: View) -> None:
    view.job_seen(job())
    assert view.learn_refusal("job-1", "exceeded quota") == CALM
    assert fact_of(view).refusal == "exceeded quota"
    assert view.job_seen(job(8, metadata={"labels": A.labels("demo") | {"x": "y"}})) == []
    view.pod_seen(pod(9))
    assert fact_of(view).refusal is None
    assert view.learn_refusal("job-1", "too late") == []


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (job(), ["job-1"]),
        (job(spec={"suspend": True}), []),
        (complete(2), []),
        (job(metadata={"deletionTimestamp": "2026-11-22T12:02:00Z"}), []),
    ],
)
def test_jobs_that_are_owed_a_pod(view: View, raw: dict[str, object], expected: list[str]) -> None:
    view.job_seen(raw)
    assert [one.job_uid for one in view.podless()] == expected
    view.pod_seen(pod(4))
    assert list(view.podless()) == []


def test_a_job_that_was_suspended_and_resumed_is_owed_another_pod(view: View) -> None:
    view.job_seen(job(status={"startTime": "2026-11-22T12:00:00Z"}))
    view.pod_seen(pod(4, "Running"))
    view.pod_gone(pod(5, "Running", deletionTimestamp="2026-11-22T12:02:00Z"))
    assert list(view.podless()) == []
    view.job_seen(job(6, status={"startTime": "2026-11-22T12:05:00Z"}))
    assert [one.job_uid for one in view.podless()] == ["job-1"]


@pytest.mark.parametrize(
    ("phase", "kind", "asks"),
    [
        ("Waiting", "checkpoint", True),
        ("Running", "checkpoint", True),
        ("Suspended", "checkpoint", True),
        ("Running", "script", False),
        ("Failed", "checkpoint", False),
        ("", "checkpoint", False),
    ],
)
def test_what_becomes_of_the_policies_concerns_runs_that_ask_or_will(
    view: View, phase: str, kind: str, *, asks: bool
) -> None:
    """Also before a checkpoint is recorded as waiting: its record may be on its way just now."""
    spec = {"nodes": [{"name": "a", kind: "x"}]}
    view.workflow_seen(workflow(5, spec=spec, status={"phase": phase, "nodes": {"a": {}}}))
    assert view.asking() == (CALM if asks else [])


def test_what_is_known_of_the_policies_is_a_fact() -> None:
    told = PolicyFact("f", settled=True)
    view = View(policies=lambda: told)
    view.workflow_seen(workflow())
    fact = view.workflow(KEY)
    assert fact is not None
    assert view.facts(fact).policies is told


def test_a_deleted_object_that_was_never_seen_is_no_trouble(view: View) -> None:
    assert view.job_gone(job(uid="unseen", attempt=AttemptId(1, "z", 1))) != HOT
    assert view.pod_gone(pod(uid="unseen", job_uid="unknown")) == []
    assert view.workflow_gone(workflow(uid="unseen")) == []
