"""What people read: what is going on, why, and what happens next.

Times stand in these texts only where they are fixed, so that a text doesn't change by itself and
nothing is written to status because a clock went on.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from tidegate.api import plain
from tidegate.api.duration import human
from tidegate.api.identity import WorkflowKey
from tidegate.api.status import Failure, NodeStatus
from tidegate.constants import LABEL_NODE, LABEL_WORKFLOW
from tidegate.engine.judge import Verdict
from tidegate.engine.reasons import Reason
from tidegate.engine.retry import Again

MAX_MESSAGE = 1024
_MANY = 3


def clip(text: str, limit: int = MAX_MESSAGE) -> str:
    """``text`` on one line, without what terminals obey or hide; at most ``limit`` characters."""
    return plain.clip(text, limit)


def quoted(text: str, limit: int) -> str:
    """``text`` as it can stand between double quotes: they tell where it ends."""
    return clip(text.replace('"', "'"), limit)


def names(items: Sequence[str]) -> str:
    """A list of names for a sentence: ``a, b and c``, at most a few of them."""
    if len(items) > _MANY:
        shown = ", ".join(items[:_MANY])
        return f"{shown} and {len(items) - _MANY} more"
    return " and ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def clock(at: datetime) -> str:
    """A time of day for people, UTC."""
    return f"{at:%H:%M:%S} UTC"


def annotate(key: WorkflowKey, request: str) -> str:
    """The command with which a person asks for something."""
    return f"kubectl annotate --overwrite -n {key.namespace} twf {key.name} tidegate.dev/{request}"


# --- one node ------------------------------------------------------------------------------------


def waits_for_quota(words: str) -> str:
    """A quota is used up."""
    _, found, rest = words.partition("exceeded quota")
    told = f"exceeded quota{rest}" if found else words
    return clip(f"quota: {told}; waiting, not counted as an attempt")


def waits_for_api(words: str) -> str:
    """The API server can't be reached or has no time."""
    return clip(f"the API server didn't take the Job ({words}); tried again, not counted")


def pod_stuck(pod: str, node: str) -> str:
    """A pod can't be confirmed stopped."""
    where = f" on node {node}" if node else ""
    return (
        f"pod {pod}{where} can't be confirmed stopped; if its machine is gone: "
        f"kubectl delete pod {pod} --force, or taint the node with "
        "node.kubernetes.io/out-of-service"
    )


def did_not_start(why: str) -> str:
    """``startTimeout`` is over."""
    return clip(f"it didn't start in time: {why}" if why else "it didn't start in time")


def helpers_run(helpers: Sequence[str]) -> str:
    """Main has ended but the pod hasn't."""
    return (
        f"main has ended, but {names(helpers)} still runs and holds the pod; helpers should be "
        "native sidecars (initContainers with restartPolicy: Always)"
    )


def block_reason(why: str) -> str:
    """The one word for why a pod can't start, the same while the kubelet tries again and again."""
    word = why.partition(":")[0].strip()
    if word in ("ErrImagePull", "ImagePullBackOff"):
        return "ImagePull"
    return word if word.isalnum() else "PodNotCreated"


def blocked(why: str, deadline: datetime | None) -> str:
    """A pod can't start, for now."""
    until = f" (waiting until {clock(deadline)}, then the attempt fails)" if deadline else ""
    word, _, rest = why.partition(": ")
    if word in ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"):
        return f"the image can't be pulled: {clip(rest or word, 600)}{until}"
    if word == "Unschedulable":
        what = "no room" if "Insufficient" in rest else "can't be scheduled"
        return f"{what}: {clip(rest, 600)}{until}"
    return f"{clip(why, 600)}{until}"


def retries(verdict: Verdict, again: Again, failed_at: datetime, count: tuple[int, int]) -> str:
    """A failed attempt will be repeated; ``count``: number of this retry, and their limit."""
    after = failure_words(str(verdict.reason), verdict.exit_code, verdict.message)
    wait = max(again.at - failed_at, timedelta())
    if not again.counted:
        return clip(f"{after}; tried again in {human(wait)}, not counted")
    number, limit = count
    return clip(f"retry {number} of {limit} in {human(wait)} after {after}")


def not_retried(message: str, why: str) -> str:
    """A failure after which no retry follows although there are some left."""
    told = f"not retried: {why}"
    return f"{message} ({told})" if message else told


def failure_words(reason: str, exit_code: int | None, message: str) -> str:
    """One failure in a few words: ``exit code 137 (OOMKilled)``."""
    if reason == Reason.EXIT_CODE and message:
        return message
    code = f"exit code {exit_code} ({reason})" if exit_code is not None else reason
    return f"{code}: {message}" if message else code


def short_failure(failure: Failure) -> str:
    """As ``failure_words``, without the longer explanations."""
    if failure.exit_code is None:
        return failure.reason
    suffix = "" if failure.reason == Reason.EXIT_CODE else f" ({failure.reason})"
    return f"exit code {failure.exit_code}{suffix}"


def falls_back(node: NodeStatus, standby: str) -> str:
    """The standby takes over."""
    return clip(f"{_history(node)}; {standby} runs in its place")


def logs(key: WorkflowKey, node: str) -> str:
    """The command that shows what the node's attempts wrote."""
    return (
        f"logs: kubectl logs -n {key.namespace} -l "
        f"{LABEL_WORKFLOW}={key.name},{LABEL_NODE}={node} --tail=-1"
    )


def failed_finally(node: NodeStatus) -> str:
    """Nothing more is tried: what happened to the node, and to its fallback."""
    own = [f for f in node.failures if not f.standby]
    others = [f for f in node.failures if f.standby]
    parts = [_attempts(own[-1], own[-1].attempt)] if own else []
    if others:
        tries = others[-1].attempt - own[-1].attempt if own else 0
        parts.append(f"fallback {others[-1].standby}: {_attempts(others[-1], tries)}")
    return clip("; ".join(parts) or "failed")


def _history(node: NodeStatus) -> str:
    own = [f for f in node.failures if not f.standby]
    return _attempts(own[-1], own[-1].attempt) if own else "failed"


def _attempts(last: Failure, tries: int) -> str:
    """The last of so many failures, of which a large status doesn't keep all."""
    words = failure_words(last.reason, last.exit_code, last.message)
    return f"{words} after {tries} attempts" if tries > 1 else words


def former_attempt_runs(names_: Iterable[str]) -> str:
    """A Job of an earlier attempt hasn't stopped yet."""
    return clip(f"waits until {names(list(names_))} has stopped")
