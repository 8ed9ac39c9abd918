"""The last lines of attempts that have ended: which the log still lacks, and reading them."""

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tidegate.api.identity import AttemptId
from tidegate.api.log_spec import DEFAULT_TAIL_LINES
from tidegate.api.status import NodePhase, NodeStatus, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.cluster.log_store import LogStore
from tidegate.constants import MAIN_CONTAINER
from tidegate.errors import Forbidden, Invalid, NotFound, Refused
from tidegate.facts.model import AttemptFact, Facts, PodFact
from tidegate.report.model import Tail, attempt_key
from tidegate.report.volume import TAIL_LIMIT, tail_of

GONE: Final = "its pod was gone before its log could be read"
REMOVED: Final = "its node no longer has its log"
_LIMIT: Final = 4 * TAIL_LIMIT
"""Bytes asked for at once: where lines are that long, fewer are asked for."""
_NO_LOG: Final = b"unable to retrieve container logs for "
"""The kubelet's words, as if a program had printed them, where its files are gone."""
_WITHOUT_POD: Final = frozenset(
    {"PodRefused", "JobRefused", "InvalidPodTemplate", "NameConflict", "StartTimeout"}
)
"""Reasons of attempts that may never have had a container."""


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt of the present run that has ended, or is being ended."""

    key: str
    at: datetime | None
    lines: int
    """How many of its last lines are wanted."""
    pod: PodFact | None
    """The pod that ran it, if it can still be asked."""
    ran: bool
    """Whether a container of it ever ran, as far as known."""


def ended(
    workflow: ValidatedWorkflow | None, status: WorkflowStatus, facts: Facts
) -> Iterator[Ended]:
    """The attempts of the present run whose end is recorded."""
    yield from _chosen(workflow, status, facts, _recorded_ends)


def ending(
    workflow: ValidatedWorkflow | None, status: WorkflowStatus, facts: Facts
) -> Iterator[Ended]:
    """Attempts that the operator is about to stop: their pods go with all that they printed."""
    for one in _chosen(workflow, status, facts, _decided_ends):
        if one.pod is not None:
            yield one


def owed(found: Iterator[Ended], kept: Container[str], room: datetime | None) -> list[Ended]:
    """Those whose tail is wanted and isn't in ``kept``; none that had no ``room`` before."""
    return [
        one
        for one in found
        if one.lines
        and one.ran
        and one.key not in kept
        and (room is None or one.at is None or one.at > room)
    ]


def lines_of(workflow: ValidatedWorkflow | None, attempt: AttemptId) -> int:
    """How many of an attempt's last lines are wanted."""
    return _Lines(workflow).of(attempt.node, attempt.standby)


async def read(store: LogStore, namespace: str, pod: PodFact, lines: int) -> Tail:
    """The last lines of ``main``, and of the container that failed first where that is another.

    Raises:
        TryAgain: it can't be read now.
    """
    names = [MAIN_CONTAINER] if pod.main_started_at is not None else []
    if pod.failed is not None and pod.failed.name not in names:
        names.append(pod.failed.name)
    tails = [await _read_one(store, namespace, (pod.name, name), lines) for name in names]
    if len(tails) == 1 and names == [MAIN_CONTAINER]:
        return tails[0]
    texts = [
        f"==> {name} <==\n{tail.text or tail.lost}" for name, tail in zip(names, tails, strict=True)
    ]
    return Tail("\n".join(texts), any(tail.cut for tail in tails))


async def _read_one(
    store: LogStore, namespace: str, container: tuple[str, str], lines: int
) -> Tail:
    wanted = lines + 1  # one more tells whether there was more
    while True:
        try:
            data = await store.tail(namespace, *container, wanted, _LIMIT)
        except NotFound:
            return Tail("", lost=GONE)
        except Invalid as error:
            return Tail("", lost=error.message[:200] or REMOVED)
        except Forbidden:
            return Tail("", lost="the operator has no right to read the logs of pods")
        except Refused as error:
            return Tail("", lost=error.message[:200])
        if data.startswith(_NO_LOG):
            return Tail("", lost=REMOVED)
        if len(data) < _LIMIT or wanted == 1:
            # What was cut for its length lacks its end, not its beginning.
            text = data[:_LIMIT].decode(errors="replace")
            return tail_of(text, lines, cut=wanted <= lines)
        wanted = max(1, wanted // 4)


def _chosen(
    workflow: ValidatedWorkflow | None, status: WorkflowStatus, facts: Facts, chosen: "_Chosen"
) -> Iterator[Ended]:
    lines = _Lines(workflow)
    known = {
        (attempt.node, attempt.number): fact
        for attempt, fact in facts.attempts.items()
        if attempt.run == status.run
    }
    for name, node in status.nodes.items():
        if node.job is not None and node.job.run == status.run:
            for number, standby, at, reason in chosen(node):
                fact = known.get((name, number))
                yield Ended(
                    attempt_key(status.run, name, number),
                    at,
                    lines.of(name, standby),
                    _pod(fact),
                    _ran(fact, reason),
                )


_End = tuple[int, str, datetime | None, str]
"""Number, standby, when, why."""
_Chosen = Callable[[NodeStatus], Iterator[_End]]


def _recorded_ends(node: NodeStatus) -> Iterator[_End]:
    last = 0
    for failure in node.failures:
        last = failure.attempt
        yield last, failure.standby or "", failure.finished_at, failure.reason
    over = node.phase.has_ended or node.phase is NodePhase.RETRYING
    if over and node.attempt > last and node.job is not None:
        yield node.attempt, node.job.standby or "", node.finished_at, node.reason or ""


def _decided_ends(node: NodeStatus) -> Iterator[_End]:
    if node.phase is NodePhase.RUNNING and node.job is not None and node.job.ending:
        yield node.attempt, node.job.standby or "", None, node.job.ending


def _pod(fact: AttemptFact | None) -> PodFact | None:
    pods = [pod for pod in fact.pods if pod.any_started] if fact is not None else []
    return pods[-1] if pods else None


def _ran(fact: AttemptFact | None, reason: str) -> bool:
    """Whether a container of the attempt ever ran, as far as known."""
    pods = () if fact is None else (*fact.pods, *((fact.last_pod,) if fact.last_pod else ()))
    if pods:
        return any(pod.any_started for pod in pods)
    end = fact.job.end if fact is not None and fact.job is not None else None
    if fact is not None and fact.job is not None:
        had_pod = end is not None and (end.succeeded or fact.job.failed > 0)
        return had_pod and reason not in _WITHOUT_POD
    return reason not in _WITHOUT_POD


class _Lines:
    """How many lines of which node are wanted."""

    def __init__(self, workflow: ValidatedWorkflow | None) -> None:
        spec = workflow.spec if workflow is not None else None
        self._default = spec.log.tail_lines if spec else DEFAULT_TAIL_LINES
        tasks = (*spec.nodes, *spec.standbys) if spec else ()
        self._own: Mapping[str, int] = {
            task.name: task.tail_lines for task in tasks if task.tail_lines is not None
        }

    def of(self, node: str, standby: str) -> int:
        return self._own.get(standby or node, self._default)
