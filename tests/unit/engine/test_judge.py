from dataclasses import replace

import pytest

from tests.unit.engine.builders import (
    DEADLINE,
    at,
    failed_pod,
    gone,
    job,
    job_end,
    pod,
    present,
    ref,
    rows,
    running_pod,
    succeeded_pod,
)
from tidegate.engine.judge import Live, Unproven, Verdict, ended_by_itself, is_stopped, judge
from tidegate.facts.model import UNPROVEN, AttemptFact, Existence, PodFact

QUOTA = 'pods "p" is forbidden: exceeded quota: team-a'
FOREIGN_POD = pod(name="pod-2", uid="pod-uid-2", created_at=at(3))
DONE = job_end("CompletionsReached", succeeded=True)
COUNTED = job_end("DeadlineExceeded", succeeded=True)
EXITED = job_end("PodFailurePolicy", "Container main for pod data/p failed with exit code 42 m")


def verdict(fact: AttemptFact, ending: str | None = None) -> Verdict:
    judged = judge(fact, ref(ending))
    assert isinstance(judged, Verdict), judged
    return judged


@pytest.mark.parametrize(
    "fact",
    rows(
        {
            "a pod runs": present(job(), running_pod()),
            "a pod waits for its node": present(job(), pod()),
            "a Job has no pod yet": present(job()),
            "a Job is suspended": present(job(suspended=True, started_at=None)),
            "a pod terminates": present(job(), running_pod(deletion_at=at(30))),
            "a Job is decided to fail (FailureTarget) but its pod runs": present(
                job(end=replace(DEADLINE, stopped=False)), running_pod()
            ),
            "FailureTarget alone is only decided, not stopped": present(
                job(end=replace(DEADLINE, stopped=False))
            ),
            "one pod failed, another one lives": present(job(), failed_pod(), FOREIGN_POD),
            "one pod succeeded, another one lives": present(job(), succeeded_pod(), FOREIGN_POD),
            "a pod that succeeded with a deletionTimestamp isn't judged alone": present(
                job(), succeeded_pod(deletion_at=at(30))
            ),
            "a pod of a suspended Job isn't judged alone": present(
                job(suspended=True), succeeded_pod()
            ),
            "a pod with DisruptionTarget isn't judged alone": present(
                job(), failed_pod(disruption="evicted")
            ),
            "an orphaned pod runs on": present(None, running_pod(), job_gone=True),
        }
    ),
)
def test_an_attempt_lives_while(fact: AttemptFact) -> None:
    assert isinstance(judge(fact, ref()), Live)
    assert not is_stopped(fact)


@pytest.mark.parametrize(
    "fact",
    rows(
        {
            "nothing is seen": UNPROVEN,
            "its Job is Complete and of its pods none was seen": present(
                job(end=DONE), pods_listed=False
            ),
            "its Job is Failed and of its pods none was seen": present(
                job(end=DEADLINE), pods_listed=False
            ),
            "its Job is Complete and only a pod of before it was suspended was seen": present(
                job(end=DONE, started_at=at(60)),
                pods_listed=False,
                last_pod=succeeded_pod(deletion_at=at(9)),
            ),
            "only a killed pod is seen": present(None, failed_pod(deletion_at=at(9))),
            "even if its last pod had succeeded: the Job may have made another": AttemptFact(
                Existence.UNPROVEN, last_pod=succeeded_pod()
            ),
        }
    ),
)
def test_nothing_is_concluded_when(fact: AttemptFact) -> None:
    assert isinstance(judge(fact, ref()), Unproven)


@pytest.mark.parametrize(
    "fact",
    rows(
        {
            "its pod succeeded by itself": present(job(), succeeded_pod()),
            "its Job is Complete and the pod is no longer seen": present(job(end=DONE)),
            "status.succeeded is 1 although the Job is Failed": present(job(end=COUNTED)),
            "its pod succeeded, the Job Failed later": present(job(end=COUNTED), succeeded_pod()),
            "its pod ended in the second in which the Job was decided to fail": present(
                job(end=replace(DEADLINE, at=at(5))), succeeded_pod(finished=5)
            ),
            "one of two pods succeeded": present(job(), failed_pod(), succeeded_pod(uid="2")),
            "it exited 0 when killed by others, as Kubernetes counts": present(
                job(end=DONE), succeeded_pod(deletion_at=at(9))
            ),
            "all is gone, its pod had succeeded": gone(last_pod=succeeded_pod()),
            "its pod had succeeded before it went": present(job(), last_pod=succeeded_pod()),
            "an orphan succeeded by itself": present(None, succeeded_pod(), job_gone=True),
        }
    ),
)
def test_an_attempt_succeeded_when(fact: AttemptFact) -> None:
    assert verdict(fact).succeeded
    assert verdict(fact).exit_code == 0


@pytest.mark.parametrize(
    "fact",
    rows(
        {
            "killed": present(job(end=DEADLINE), failed_pod(143, deletion_at=at(9))),
            "exited 0 on TERM": present(job(end=DEADLINE), succeeded_pod(deletion_at=at(9))),
            "exited 0 on TERM, and the Job counted it": present(
                job(end=replace(DEADLINE, succeeded=True)), succeeded_pod(deletion_at=at(9))
            ),
            "only a Job is left that counted what was killed": present(
                job(end=replace(DEADLINE, succeeded=True))
            ),
            "failed by itself before": present(job(), failed_pod(3)),
            "only the Job is left": present(job(end=DEADLINE)),
            "deleted before it ever started": gone(),
            "evicted meanwhile": gone(disrupted=True),
            "its pod ended after the Job had been decided to fail": present(
                job(end=replace(DEADLINE, at=at(4))), succeeded_pod(finished=5)
            ),
        }
    ),
)
def test_the_recorded_reason_of_an_ended_attempt_stands_when_it(fact: AttemptFact) -> None:
    judged = verdict(fact, ending="Cancelled")
    assert (judged.succeeded, judged.reason) == (False, "Cancelled")


@pytest.mark.parametrize(
    "fact",
    rows(
        {
            "is still seen": present(job(end_reason="Cancelled"), succeeded_pod()),
            "was followed by the deadline": present(job(end=DEADLINE), succeeded_pod(finished=5)),
            "went meanwhile": present(job(end=DEADLINE), last_pod=succeeded_pod()),
            "made the Job Complete before the deadline could fail it": present(job(end=DONE)),
        }
    ),
)
def test_an_attempt_to_be_ended_succeeded_if_its_natural_success(fact: AttemptFact) -> None:
    assert verdict(fact, ending="Cancelled").succeeded


def test_the_end_of_an_attempt_is_its_pods_own_end() -> None:
    assert verdict(present(job(end=DONE), succeeded_pod(finished=5))).finished_at == at(5)
    assert verdict(present(job(), failed_pod(finished=7))).finished_at == at(7)
    assert verdict(present(job(end=EXITED))).finished_at == at(10)
    assert verdict(gone()).finished_at is None


@pytest.mark.parametrize(
    ("its_pod", "its_job", "expected"),
    rows(
        {
            "it ended and nobody had a hand in it": (succeeded_pod(), job(), True),
            "an orphan likewise": (succeeded_pod(), None, True),
            "it runs": (running_pod(), job(), False),
            "it was being deleted": (succeeded_pod(deletion_at=at(1)), job(), False),
            "it was disrupted": (failed_pod(disruption=""), job(), False),
            "its Job is suspended": (succeeded_pod(), job(suspended=True), False),
            "its Job had failed before": (failed_pod(finished=12), job(end=DEADLINE), False),
            "its Job failed after": (failed_pod(finished=9), job(end=DEADLINE), True),
            "its Job had completed": (failed_pod(finished=12), job(end=DONE), True),
        }
    ),
)
def test_a_pod_ended_by_itself(its_pod: PodFact, its_job: object, expected: bool) -> None:
    assert ended_by_itself(its_pod, its_job) is expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fact", "expected"),
    rows(
        {
            "gone": (gone(), True),
            "its Job is Failed": (present(job(end=DEADLINE)), True),
            "its pod failed by itself": (present(job(), failed_pod()), True),
            "a pod outlives its Job": (present(job(end=DEADLINE), running_pod()), False),
            "the Job may retry": (present(job(), failed_pod(deletion_at=at(9))), False),
            "the Job is being deleted after its pod failed by itself": (
                present(job(deleting=True), last_pod=failed_pod()),
                True,
            ),
            "the Job would make another pod once it is resumed": (
                present(job(suspended=True), failed_pod(deletion_at=at(9))),
                False,
            ),
        }
    ),
)
def test_an_attempt_is_stopped(fact: AttemptFact, expected: bool) -> None:
    assert is_stopped(fact) is expected


@pytest.mark.parametrize(
    ("fact", "expected"),
    rows(
        {
            "from the Job's start": (present(job()), at(0)),
            "not before its controller saw it": (present(job(started_at=None)), None),
            "it stands while it is suspended": (present(job(suspended=True)), None),
            "anew after a suspension": (present(job(started_at=at(60)), pod()), at(60)),
            "from its pod, if a quota held that up": (
                present(job(), pod(created_at=at(900))),
                at(900),
            ),
        }
    ),
)
def test_the_clock_of_start_timeout(fact: AttemptFact, expected: object) -> None:
    judged = judge(fact, ref())
    assert isinstance(judged, Live)
    assert judged.clock_from == expected


def test_a_recorded_attempt_without_uid_is_judged_by_its_name_alone() -> None:
    assert isinstance(judge(present(job(uid="other")), ref(uid="")), Live)


KILLED = pod(phase="Failed", main_started_at=at(1), finished_at=at(700), deletion_at=at(700))


@pytest.mark.parametrize(
    ("fact", "started"),
    rows(
        {
            "its pod was killed and the Job doesn't say so yet": (present(job(), KILLED), True),
            "its killed pod is gone already": (present(job(), last_pod=KILLED), True),
            "it was resumed, and the pod is of the start before": (
                present(job(started_at=at(800)), last_pod=KILLED),
                False,
            ),
            "it is suspended": (present(job(suspended=True), KILLED), False),
        }
    ),
)
def test_an_attempt_that_waits_for_its_jobs_word_has_started_unless(
    fact: AttemptFact, started: bool
) -> None:
    judged = judge(fact, ref())
    assert isinstance(judged, Live)
    assert judged.started is started
    assert not (judged.started and judged.clock_from)
