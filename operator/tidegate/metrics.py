"""Every metric of the operator, and the functions that record them.

No names of Workflows or nodes are labels: they would grow without bound. What plans observe comes
as ``(name, value, labels)`` and is recorded by the function ``record_<name>``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, get_args

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]

_QUICK: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LAG: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_LONG: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 12 * 3600.0, 24 * 3600.0)
_BYTES: Final = tuple(2.0**power for power in range(9, 20))
_HUMAN: Final = (
    10.0,
    60.0,
    300.0,
    900.0,
    3600.0,
    4 * 3600.0,
    12 * 3600.0,
    24 * 3600.0,
    72 * 3600.0,
)

Decision = Literal["approved", "rejected", "timeout_approved", "timeout_rejected"]
LogTrouble = Literal["forbidden", "foreign", "too_large", "conflict", "unavailable", "tail"]
"""Why the log isn't as it should be: the API server refuses it for want of rights or quota
(forbidden), a ConfigMap of its name isn't ours (foreign), it is too large, somebody else wrote it
meanwhile (conflict), the API server didn't answer (unavailable), or the end of a pod's log could
not be read (tail)."""

_STARTED = Counter("tidegate_workflows_started_total", "Runs that began.", ("namespace",))
_FINISHED = Counter(
    "tidegate_workflows_finished_total", "Runs that ended.", ("namespace", "result")
)
_DURATION = Histogram(
    "tidegate_workflow_duration_seconds", "How long runs took.", ("result",), buckets=_LONG
)
_ATTEMPTS = Counter("tidegate_node_attempts_total", "Attempts that ended.", ("result", "reason"))
_RETRIES = Counter("tidegate_node_retries_total", "Attempts after a node's first.")
_FALLBACKS = Counter(
    "tidegate_node_fallbacks_total", "Nodes that a fallback ran for, by how it ended.", ("result",)
)
_NODE_DURATION = Histogram(
    "tidegate_node_duration_seconds", "How long nodes took.", ("result",), buckets=_LONG
)
_WAVES = Counter("tidegate_waves_total", "Waves that ended.")
_DECISIONS = Counter(
    "tidegate_checkpoint_decisions_total", "Checkpoints that were decided.", ("decision",)
)
_CHECKPOINT_WAIT = Histogram(
    "tidegate_checkpoint_wait_seconds",
    "From a checkpoint's opening to its decision.",
    buckets=_HUMAN,
)
_START_LAG = Histogram(
    "tidegate_job_start_lag_seconds", "From a Job's creation to its pod running.", buckets=_LAG
)
_FINISH_LAG = Histogram(
    "tidegate_job_finish_lag_seconds", "From a pod's end to its Job's condition.", buckets=_LAG
)
_HANDOFF = Histogram(
    "tidegate_handoff_seconds",
    "From the end of a wave's last pod to the creation of the next wave's first Job.",
    buckets=_QUICK,
)
_RECONCILE = Histogram(
    "tidegate_reconcile_duration_seconds", "How long a pass over a Workflow took.", buckets=_QUICK
)
_RECONCILE_ERRORS = Counter(
    "tidegate_reconcile_errors_total", "Passes that failed, by what must happen next.", ("kind",)
)
_QUEUE_WAIT = Histogram(
    "tidegate_queue_wait_seconds", "How long Workflows waited.", ("lane",), buckets=_QUICK
)
_STATUS_BYTES = Histogram(
    "tidegate_status_bytes", "Size of a status when it was written.", buckets=_BYTES
)
_API_REQUESTS = Counter(
    "tidegate_api_requests_total", "Requests to the API server.", ("verb", "resource", "code")
)
_API_DURATION = Histogram(
    "tidegate_api_request_duration_seconds",
    "How long requests to the API server took, watches aside.",
    ("verb", "resource"),
    buckets=_QUICK,
)
_WATCH_RESTARTS = Counter(
    "tidegate_watch_restarts_total", "Watches that ended and were opened again.", ("resource",)
)
_LOG_ERRORS = Counter(
    "tidegate_log_write_errors_total",
    "Times that a Workflow's log could not be written whole, by the trouble.",
    ("kind",),
)
_EVENT_ERRORS = Counter("tidegate_event_write_errors_total", "Events that were not written.")
_WEBHOOK = Counter(
    "tidegate_webhook_requests_total", "Requests to the validating webhook.", ("result",)
)
_LEADER = Gauge("tidegate_leader", "Whether this replica leads (1) or stands by (0).")
_BUILD = Gauge("tidegate_build_info", "Always 1; the labels tell the version.", ("version",))


class Namespaces:
    """The first ``limit`` namespaces that are heard of are told apart; what comes later is one."""

    def __init__(self, limit: int = 200) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def label(self, namespace: str) -> str:
        """What stands for ``namespace`` in metrics."""
        if namespace not in self._known and len(self._known) >= self._limit:
            return "(other)"
        self._known.add(namespace)
        return namespace


_NAMESPACES: Final = Namespaces()
_RESULTS: Final = ("Succeeded", "Failed", "Cancelled")

# A counter that begins to exist at 1 has grown for nobody: what can be is there from the start.
for _decision in get_args(Decision):
    _DECISIONS.labels(_decision)
for _kind in get_args(LogTrouble):
    _LOG_ERRORS.labels(_kind)
for _kind in ("again", "refused", "user", "bug"):
    _RECONCILE_ERRORS.labels(_kind)


def record_workflow_started(value: float, namespace: str) -> None:
    """``value`` runs began in ``namespace``."""
    _STARTED.labels(_NAMESPACES.label(namespace)).inc(value)
    expect_runs(namespace)


def expect_runs(namespace: str) -> None:
    """Runs will end in ``namespace``; from now on their ends are told, none so far."""
    label = _NAMESPACES.label(namespace)
    for result in _RESULTS:
        _FINISHED.labels(label, result)


def record_workflow_finished(value: float, result: str, namespace: str) -> None:
    """A run ended as ``result`` after ``value`` seconds."""
    _FINISHED.labels(_NAMESPACES.label(namespace), result).inc()
    _DURATION.labels(result).observe(value)


def record_node_attempt_ended(value: float, result: str, reason: str) -> None:
    """``value`` attempts ended as ``result`` for ``reason``."""
    _ATTEMPTS.labels(result, reason).inc(value)


def record_node_retried(value: float) -> None:
    """``value`` attempts after a first one began."""
    _RETRIES.inc(value)


def record_fallback_finished(value: float, result: str) -> None:
    """``value`` fallbacks ended as ``result``."""
    _FALLBACKS.labels(result).inc(value)


def record_node_finished(value: float, result: str) -> None:
    """A node ended as ``result`` after ``value`` seconds."""
    _NODE_DURATION.labels(result).observe(value)


def record_wave_finished(value: float) -> None:
    """``value`` waves ended."""
    _WAVES.inc(value)


def record_checkpoint_decided(value: float, decision: Decision) -> None:
    """A checkpoint was decided ``value`` seconds after it had opened."""
    _DECISIONS.labels(decision).inc()
    _CHECKPOINT_WAIT.observe(value)


def record_job_start_lag(value: float) -> None:
    """A pod ran ``value`` seconds after its Job had been created."""
    _START_LAG.observe(value)


def record_job_finish_lag(value: float) -> None:
    """A Job told its end ``value`` seconds after its pod had ended."""
    _FINISH_LAG.observe(value)


def record_handoff(value: float) -> None:
    """A wave's first Job was created ``value`` seconds after the former wave's last pod ended."""
    _HANDOFF.observe(value)


def record_reconcile(seconds: float) -> None:
    """A pass over a Workflow took ``seconds``."""
    _RECONCILE.observe(seconds)


def record_reconcile_error(kind: str) -> None:
    """A pass failed: ``again`` (the world must change), ``refused``, ``user`` or ``bug``."""
    _RECONCILE_ERRORS.labels(kind).inc()


def record_queue_wait(lane: str, seconds: float) -> None:
    """A Workflow waited for ``seconds`` in ``lane``."""
    _QUEUE_WAIT.labels(lane).observe(seconds)


def record_status_bytes(size: int) -> None:
    """A status of ``size`` bytes was written."""
    _STATUS_BYTES.observe(size)


def record_api_request(verb: str, resource: str, code: str, seconds: float | None) -> None:
    """A request was answered with HTTP status ``code`` (``none``: no answer came)."""
    _API_REQUESTS.labels(verb, resource, code).inc()
    if seconds is not None:
        _API_DURATION.labels(verb, resource).observe(seconds)


def expect_watch(resource: str) -> None:
    """A watch of ``resource`` will be opened; from now on its restarts are told, none so far."""
    _WATCH_RESTARTS.labels(resource)


def record_watch_restart(resource: str) -> None:
    """A watch of ``resource`` is opened again."""
    _WATCH_RESTARTS.labels(resource).inc()


def record_log_write_error(kind: LogTrouble) -> None:
    """A Workflow's log, or a part of it, could not be written; a try more is one more."""
    _LOG_ERRORS.labels(kind).inc()


def record_event_error() -> None:
    """An Event could not be written, or had no place in the queue."""
    _EVENT_ERRORS.inc()


def record_webhook(result: str) -> None:
    """The webhook was asked.

    ``result`` is accepted, refused, passed (nothing to look at), malformed, overload or bug.
    """
    _WEBHOOK.labels(result).inc()


def record_leader(leads: bool) -> None:  # noqa: FBT001 - it is what is recorded
    """This replica leads, or stands by."""
    _LEADER.set(leads)


def record_build(version: str) -> None:
    """The operator that runs is of ``version``."""
    _BUILD.labels(version).set(1)


_OBSERVERS: Final[Mapping[str, Callable[..., None]]] = {
    "workflow_started": record_workflow_started,
    "workflow_finished": record_workflow_finished,
    "node_attempt_ended": record_node_attempt_ended,
    "node_retried": record_node_retried,
    "fallback_finished": record_fallback_finished,
    "node_finished": record_node_finished,
    "wave_finished": record_wave_finished,
    "checkpoint_decided": record_checkpoint_decided,
}
_BY_NAMESPACE: Final = frozenset({"workflow_started", "workflow_finished"})


def record(name: str, value: float, labels: Sequence[str], namespace: str) -> None:
    """Record what a plan for a Workflow in ``namespace`` observed.

    Raises:
        KeyError: there is no metric of that name; a bug.
    """
    _OBSERVERS[name](value, *labels, *((namespace,) if name in _BY_NAMESPACE else ()))
