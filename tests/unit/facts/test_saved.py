"""What the conversions make of objects that a real cluster told.

The files are saved by ``record.py``; times and uids differ each time, what is asserted here must
not. A moment is what the recorder saw first when it looked, so another one may have passed.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.unit.facts.cases import CASES
from tidegate.facts.event import refusal
from tidegate.facts.job import job_fact
from tidegate.facts.model import JobFact, PodFact
from tidegate.facts.pod import pod_fact

SAVED = Path(__file__).with_name("saved")
MOMENTS = [f"{name}.{moment}" for name, case in CASES.items() for moment, _ in case.steps]


@cache
def raw(moment: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((SAVED / f"{moment}.json").read_text())
    return content


def job(moment: str) -> JobFact:
    found = job_fact(raw(moment)["job"])
    assert found is not None
    return found


def pod(moment: str) -> PodFact:
    (only,) = raw(moment)["pods"]
    found = pod_fact(only)
    assert found is not None
    return found


def test_every_moment_is_saved_and_nothing_else() -> None:
    assert sorted(MOMENTS) == sorted(path.stem for path in SAVED.glob("*.json"))


@pytest.mark.parametrize("moment", MOMENTS)
def test_job_and_pods_are_one_attempt(moment: str) -> None:
    found = job(moment)
    assert found.attempt.node == moment.partition(".")[0]
    assert found.definition.startswith("1:")
    for one in raw(moment)["pods"]:
        fact = pod_fact(one)
        assert fact is not None
        assert (fact.attempt, fact.job_uid) == (found.attempt, found.uid)
        assert fact.created_at >= found.created_at


POLICY = "Container main for pod"
EVICTED = "condition DisruptionTarget matching FailJob rule at index 0"
ENDS = {
    "success.complete": (True, "CompletionsReached", "", True),
    "exit-3.failed": (False, "PodFailurePolicy", "failed with exit code 3 matching", True),
    "oom.failed": (False, "PodFailurePolicy", "failed with exit code 137 matching", True),
    "program-missing.failed": (False, "PodFailurePolicy", "failed with exit code 128", True),
    "init-fails.failed": (False, "BackoffLimitExceeded", "", True),
    "timeout.failed": (False, "PodFailurePolicy", "failed with exit code 137 matching", True),
    "timeout-polite.failed": (False, "BackoffLimitExceeded", "", True),
    "timeout-before-start.failed": (False, "PodFailurePolicy", "failed with exit code 137", True),
    "timeout-unscheduled.target": (False, "DeadlineExceeded", "", False),
    "timeout-unscheduled.failed": (False, "DeadlineExceeded", "", True),
    "ended.terminating": (False, "DeadlineExceeded", "", False),
    "ended.failed": (False, "DeadlineExceeded", "", True),
    "ended-before-start.failed": (False, "DeadlineExceeded", "", True),
    "sidecar.complete": (True, "CompletionsReached", "", True),
    "helper.failed": (False, "PodFailurePolicy", POLICY, True),
    "pod-deleted.complete": (True, "CompletionsReached", "", True),
    "evicted.failed": (False, "PodFailurePolicy", EVICTED, True),
    "evicted-polite.complete": (True, "CompletionsReached", "", True),
    "rejected.failed": (False, "BackoffLimitExceeded", "", True),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_ends_of_jobs(moment: str) -> None:
    end = job(moment).end
    if moment not in ENDS:
        # FailureTarget and Failed may come together, before anybody looks.
        assert end is None or moment == "exit-3.target"
        return
    assert end is not None
    succeeded, reason, words, stopped = ENDS[moment]
    assert (end.succeeded, end.reason, end.stopped) == (succeeded, reason, stopped)
    assert words in end.message
    assert end.at is not None
    assert end.at >= job(moment).created_at


FAILED = {
    "exit-3.failed": ("main", 3, "Error"),
    "oom.failed": ("main", 137, "OOMKilled"),
    "program-missing.failed": ("main", 128, "StartError"),
    "init-fails.pod-ended": ("prepare", 4, "Error"),
    "timeout.pod-ended": ("main", 137, "Error"),
    "timeout-before-start.failed": ("main", 137, "ContainerStatusUnknown"),
    "helper.main-ended": ("main", 1, "Error"),
    "helper.failed": ("main", 1, "Error"),
}


@pytest.mark.parametrize(("moment", "expected"), FAILED.items(), ids=FAILED.keys())
def test_containers_that_failed(moment: str, expected: tuple[str, int, str]) -> None:
    failed = pod(moment).failed
    assert failed is not None
    assert (failed.name, failed.exit_code, failed.reason) == expected


@pytest.mark.parametrize(
    "moment", ["success.complete", "sidecar.complete", "timeout-polite.failed", "rejected.failed"]
)
def test_pods_without_a_failed_container(moment: str) -> None:
    assert pod(moment).failed is None


def test_the_termination_message_is_kept() -> None:
    main = pod("exit-3.failed").main
    assert main is not None
    assert main.message == "no\n"


BLOCKED = {
    "image-missing.pull": "ErrImagePull: failed to pull",
    "image-missing.back-off": "ImagePullBackOff: Back-off pulling image",
    "image-name.waiting": "InvalidImageName: ",
    "image-never.waiting": "ErrImageNeverPull: ",
    "unschedulable.waiting": "Unschedulable: 0/1 nodes are available",
    "gated.waiting": "SchedulingGated: ",
    "secret-missing.waiting": 'CreateContainerConfigError: secret "none" not found',
    "sidecar-crashes.waiting": "CrashLoopBackOff: ",
    "ended-before-start.waiting": "Unschedulable: ",
    "timeout-before-start.pod-ended": "ImagePullBackOff: ",
}
UNTOLD = {"volume-missing.waiting"}
"""The kubelet tells of volumes in the pod's Events only."""


@pytest.mark.parametrize(("moment", "words"), BLOCKED.items(), ids=BLOCKED.keys())
def test_why_pods_cannot_start(moment: str, words: str) -> None:
    found = pod(moment)
    assert (found.blocked or "").startswith(words)
    assert found.main_started_at is None


@pytest.mark.parametrize("moment", [name for name in MOMENTS if name not in BLOCKED])
def test_pods_that_nothing_blocks(moment: str) -> None:
    assert all((fact := pod_fact(one)) and fact.blocked is None for one in raw(moment)["pods"])


NEVER_STARTED = {
    *(set(BLOCKED) - {"sidecar-crashes.waiting"}), *UNTOLD,
    "timeout-before-start.failed", "rejected.pod-ended", "rejected.failed",
    "program-missing.pod-ended", "program-missing.failed",
}  # fmt: skip


@pytest.mark.parametrize("moment", MOMENTS)
def test_whether_anything_started(moment: str) -> None:
    for one in raw(moment)["pods"]:
        fact = pod_fact(one)
        assert fact is not None
        assert fact.any_started is (moment not in NEVER_STARTED)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_pod_has_an_end_exactly_if_it_is_over(moment: str) -> None:
    for one in raw(moment)["pods"]:
        fact = pod_fact(one)
        assert fact is not None
        assert (fact.finished_at is not None) is fact.is_over
        assert fact.finished_at is None or fact.finished_at >= fact.created_at


def test_a_pod_whose_own_deadline_struck_lasted_that_long() -> None:
    found = pod("timeout-before-start.failed")
    assert found.reason == "DeadlineExceeded"
    assert found.finished_at is not None
    assert (found.finished_at - found.created_at).total_seconds() >= 5


@pytest.mark.parametrize(
    "moment",
    ["ended.terminating", "deleted.terminating", "pod-deleted.terminating",
     "suspended-midway.terminating", "evicted.terminating", "evicted-polite.terminating"],
)  # fmt: skip
def test_pods_that_are_being_killed(moment: str) -> None:
    found = pod(moment)
    assert found.deletion_at is not None
    assert not found.is_over
    evicted = moment.startswith("evicted")
    assert found.disruption == ("Eviction API: evicting" if evicted else None)


def test_a_killed_pod_lies() -> None:
    found = pod("deleted.pod-ended")
    assert (found.phase, found.failed, found.disruption) == ("Succeeded", None, None)
    assert found.deletion_at is not None
    assert job("deleted.pod-ended").deleting


def test_the_reason_of_an_end_is_kept_on_the_job() -> None:
    assert job("ended.running").end_reason is None
    assert (job("ended.failed").end_reason, job("ended.failed").deadline) == ("Cancelled", 1)


@pytest.mark.parametrize(
    "moment", ["suspended.suspended", "suspended-midway.terminating", "suspended-midway.suspended"]
)
def test_the_clock_of_a_suspended_job_stands(moment: str) -> None:
    assert job(moment).suspended
    assert job(moment).started_at is None


def test_helpers_and_sidecars() -> None:
    assert pod("helper.main-ended").helpers_running == ("helper",)
    assert pod("sidecar.main-ended").helpers_running == ()


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("quota.refused", "exceeded quota: no-pods"),
        ("pod-security.refused", "violates PodSecurity"),
    ],
)
def test_words_of_a_job_without_a_pod(moment: str, words: str) -> None:
    assert raw(moment)["pods"] == []
    assert job(moment).started_at is not None
    assert words in (refusal(raw(moment)["events"], job(moment).uid) or "")
