"""Verdicts on attempts that nobody watched to their end, and on pods that never came to run."""

import pytest

from tests.unit.engine.builders import at, failed_pod, job, job_end, pod, present, ref, rows
from tidegate.engine.judge import Live, Verdict, judge
from tidegate.engine.reasons import NOT_COUNTED
from tidegate.facts.model import AttemptFact

QUOTA = 'pods "p" is forbidden: exceeded quota: team-a'


def verdict(fact: AttemptFact) -> Verdict:
    judged = judge(fact, ref())
    assert isinstance(judged, Verdict), judged
    return judged


@pytest.mark.parametrize(
    ("fact", "reason"),
    rows(
        {
            "it never had a pod": (
                present(job(end=job_end("DeadlineExceeded"), failed=0)),
                ("StartTimeout", True),
            ),
            "it never had one, for a quota": (
                present(job(end=job_end("DeadlineExceeded")), refusal=QUOTA),
                (NOT_COUNTED, True),
            ),
            "its pod is gone": (
                present(job(end=job_end("DeadlineExceeded"), failed=1)),
                ("Timeout", True),
            ),
            "its image has no valid name": (
                present(
                    job(end=job_end("DeadlineExceeded"), failed=1),
                    pod(phase="Failed", deletion_at=at(1), blocked="InvalidImageName: x"),
                ),
                ("StartTimeout", False),
            ),
        }
    ),
)
def test_the_jobs_own_deadline_struck_while_nobody_watched_and(
    fact: AttemptFact, reason: tuple[str, bool]
) -> None:
    judged = verdict(fact)
    assert (judged.reason, judged.may_heal) == reason


def test_a_pod_with_a_container_that_cannot_start_has_not_started() -> None:
    waiting = pod(phase="Pending", main_started_at=at(1), blocked="ImagePullBackOff: helper")
    judged = judge(present(job(), waiting), ref())
    assert isinstance(judged, Live)
    assert (judged.started, judged.clock_from) == (False, at(0))


def test_a_container_that_a_reboot_took_away_was_disrupted() -> None:
    lost = failed_pod(255, reason="Unknown")
    assert verdict(present(job(), lost)).reason == "Disrupted"
