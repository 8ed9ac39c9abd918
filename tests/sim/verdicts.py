"""Reasons are true: what status says of each failed attempt is what really became of it.

Held only against histories in clear weather: with a view that lags for seconds, or an operator that
was away, a reason may rightly tell what could be known.
"""

from collections.abc import Iterator

from tests.sim.kubelet import Process
from tests.sim.scenario import Scenario
from tests.sim.trouble import Trouble
from tests.sim.truth import Made, Truth
from tidegate.api.identity import AttemptId
from tidegate.api.status import Failure, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow

_MARGIN = 2.0


def is_clear(plot: Scenario) -> bool:
    """Whether news travel at once and the operator is always there."""
    troubled = plot.takeovers or plot.slow or plot.relists or plot.faults or plot.queued
    swift = plot.weather.lag <= 0.05 and not plot.weather.slow_kind
    return not troubled and swift and plot.climate.report <= 0.02


def untrue(
    truth: Truth,
    trouble: Trouble,
    uid: str,
    workflow: ValidatedWorkflow,
    status: WorkflowStatus,
) -> Iterator[str]:
    """The reasons in ``status`` that nothing that happened bears out."""
    for name, node in status.nodes.items():
        for failure in node.failures:
            attempt = AttemptId(status.run, name, failure.attempt, failure.standby or "")
            made = [x for x in truth.made(uid, status.run) if x.attempt == attempt]
            ran = [x for x in truth.processes(uid, name, status.run) if x.attempt == attempt]
            if made and not _is_true(failure, made, ran, trouble, workflow):
                told = ", ".join(f"{x.exit_code} {x.reason} from {x.began:.1f}" for x in ran)
                yield f"{attempt} is told to be {failure.reason}, but it was [{told}]: {failure}"


def _is_true(
    failure: Failure,
    made: list[Made],
    ran: list[Process],
    trouble: Trouble,
    workflow: ValidatedWorkflow,
) -> bool:
    jobs = {x.uid for x in made}
    meddled = bool(jobs & (trouble.destroyed | trouble.suspended | trouble.disrupted))
    match failure.reason:
        case "ExitCode":
            return meddled or any(x.exit_code == failure.exit_code != 0 for x in ran)
        case "OOMKilled":
            return any(x.program.oom for x in ran)
        case "Lost":
            return bool(jobs & trouble.destroyed)
        case "Disrupted":
            return bool(jobs & (trouble.disrupted | trouble.destroyed))
        case "Timeout":
            return any(x.reason == "DeadlineExceeded" for x in ran) or bool(ran and meddled)
        case "StartTimeout":
            return not _had_started(failure, made, ran, workflow) or bool(jobs & trouble.suspended)
        case "PodRefused":
            return not ran
        case _:
            return True


def _had_started(
    failure: Failure, made: list[Made], ran: list[Process], workflow: ValidatedWorkflow
) -> bool:
    """Whether a program had been running for a while when the start's time was over."""
    node = made[0].attempt.node
    task = workflow.tasks.get(node) or workflow.standbys[node]
    task = workflow.stand_ins[node] if failure.standby else task
    latest = made[0].at + task.start_timeout.total_seconds() - _MARGIN
    return any(x.began < latest for x in ran)
