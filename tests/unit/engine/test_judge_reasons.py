"""The reason of an attempt that failed, in one word and in words for people."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.engine.builders import (
    DEADLINE,
    at,
    container_end,
    failed_pod,
    gone,
    job,
    job_end,
    pod,
    present,
    ref,
    rows,
    running_pod,
)
from tidegate.engine.judge import Verdict, judge
from tidegate.engine.reasons import NOT_COUNTED
from tidegate.facts.model import AttemptFact, ContainerEnd, PodFact

QUOTA = 'pods "p" is forbidden: exceeded quota: team-a'
EXITED = job_end("PodFailurePolicy", "Container main for pod data/p failed with exit code 42 m")


def verdict(fact: AttemptFact) -> Verdict:
    judged = judge(fact, ref())
    assert isinstance(judged, Verdict), judged
    return judged


def blocked(why: str) -> PodFact:
    return failed_pod(
        137, reason="Error", blocked=why, main_started_at=None, failed=None, main=None
    )


def failure_of(container: ContainerEnd, **fields: Any) -> PodFact:
    return replace(failed_pod(), failed=container, **fields)


@pytest.mark.parametrize(
    ("fact", "reason", "exit_code", "words"),
    rows(
        {
            "main fails": (present(job(), failed_pod(3)), "ExitCode", 3, "exit code 3"),
            "another container fails first, and is named": (
                present(job(), failure_of(container_end(name="fetch", exit_code=9))),
                "ExitCode",
                9,
                "exit code 9 in container fetch",
            ),
            "main fails and others run on": (
                present(job(), failed_pod(3, helpers_running=("proxy",))),
                "ExitCode",
                3,
                "exit code 3; still running then: proxy",
            ),
            "main can't be executed": (
                present(job(), failure_of(container_end(exit_code=128, reason="StartError"))),
                "ExitCode",
                128,
                "exit code 128 (StartError)",
            ),
            "main is killed for its memory": (
                present(job(), failed_pod(137, reason="OOMKilled")),
                "OOMKilled",
                137,
                "",
            ),
            "a kill from inside is an exit code": (
                present(job(), failed_pod(137)),
                "ExitCode",
                137,
                "exit code 137",
            ),
            "the kubelet ends it at its timeout, before the exit code is looked at": (
                present(job(), replace(failed_pod(137), reason="DeadlineExceeded")),
                "Timeout",
                None,
                "its timeout was over",
            ),
            "main exits 0 on TERM at its timeout": (
                present(job(), replace(failed_pod(0), reason="DeadlineExceeded", failed=None)),
                "Timeout",
                None,
                "its timeout was over",
            ),
            "its timeout is over before main started": (
                present(job(), replace(blocked("ImagePullBackOff: x"), reason="DeadlineExceeded")),
                "StartTimeout",
                None,
                "its timeout was over before it ran (ImagePullBackOff: x)",
            ),
            "the kubelet rejects the pod before any container ran": (
                present(
                    job(),
                    pod(
                        phase="Failed", reason="OutOfcpu", message="node is full", finished_at=at(2)
                    ),
                ),
                "Disrupted",
                None,
                "OutOfcpu: node is full",
            ),
            "the pod is evicted": (
                present(
                    job(end=job_end("PodFailurePolicy", "Pod d/p has condition DisruptionTarget")),
                    failed_pod(143, disruption="node drained", deletion_at=at(9)),
                ),
                "Disrupted",
                None,
                "node drained",
            ),
            "only the Job tells of the eviction": (
                present(
                    job(end=job_end("PodFailurePolicy", "Pod d/p has condition DisruptionTarget m"))
                ),
                "Disrupted",
                None,
                "its pod was evicted",
            ),
            "the node rebooted": (
                present(
                    job(), failure_of(container_end(exit_code=137, reason="ContainerStatusUnknown"))
                ),
                "Disrupted",
                None,
                "its node lost track of the container",
            ),
            "all is gone, a disruption had been seen": (
                gone(disrupted=True),
                "Disrupted",
                None,
                "its pod was evicted",
            ),
            "all is gone without a verdict": (
                gone(),
                "Lost",
                None,
                "its Job or pod was deleted by somebody",
            ),
            "its pod ran when it went": (
                gone(last_pod=running_pod()),
                "Lost",
                None,
                "its Job or pod was deleted by somebody",
            ),
            "all is gone, its pod had failed by itself": (
                gone(last_pod=failed_pod(4)),
                "ExitCode",
                4,
                "exit code 4",
            ),
            "a Job of its name with another uid stands there": (
                present(job(uid="another")),
                "Lost",
                None,
                "its Job or pod was deleted by somebody",
            ),
            "somebody deleted the pod": (
                present(
                    job(end=job_end("BackoffLimitExceeded")), failed_pod(143, deletion_at=at(9))
                ),
                "Lost",
                None,
                "its pod was deleted before it told how it ended",
            ),
            "only the Job tells of the exit code": (
                present(job(end=EXITED)),
                "ExitCode",
                42,
                "exit code 42",
            ),
            "the program failed when its pod was deleted": (
                present(job(end=EXITED), failed_pod(42, deletion_at=at(9))),
                "ExitCode",
                42,
                "exit code 42 after its pod was deleted",
            ),
            "the Job's backstop strikes after main started": (
                present(job(end=DEADLINE), last_pod=running_pod()),
                "Timeout",
                None,
                "its timeout was over",
            ),
            "the Job's backstop strikes before main started": (
                present(
                    job(end=DEADLINE),
                    pod(phase="Failed", deletion_at=at(9), blocked="Unschedulable: no nodes"),
                ),
                "StartTimeout",
                None,
                "it didn't start in time (Unschedulable: no nodes)",
            ),
            "the Job's backstop strikes a Job that quota left without a pod": (
                present(job(end=DEADLINE), refusal=QUOTA),
                NOT_COUNTED,
                None,
                QUOTA,
            ),
            "the pod tells nothing": (
                present(job(), pod(phase="Failed", any_started=True, finished_at=at(5))),
                "Unknown",
                None,
                "the pod failed without telling why",
            ),
            "the Job tells of something new": (
                present(job(end=job_end("Odd", "words"))),
                "Unknown",
                None,
                "Odd: words",
            ),
        }
    ),
)
def test_the_reason_of_an_attempt(
    fact: AttemptFact, reason: str, exit_code: int | None, words: str
) -> None:
    judged = verdict(fact)
    assert (judged.succeeded, judged.reason, judged.exit_code) == (False, reason, exit_code)
    assert judged.message == words


def test_the_exit_code_of_a_helper_is_not_mains() -> None:
    judged = verdict(present(job(), failure_of(container_end(name="fetch", exit_code=9))))
    assert judged.container == "fetch"
