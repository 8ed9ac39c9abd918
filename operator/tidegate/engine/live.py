"""An attempt that has a Job and hasn't ended: what it waits for, and when waiting is over."""

import re
from datetime import datetime

from tidegate.api.status import NodePhase, NodeStatus
from tidegate.api.task import Task
from tidegate.engine import messages
from tidegate.engine.cause import may_heal
from tidegate.engine.context import Context
from tidegate.engine.judge import NODE_LOST_AFTER, Live
from tidegate.engine.node import ending, update
from tidegate.engine.reasons import Reason
from tidegate.engine.step import NodeStep, Role

_PERMANENT_BLOCKS = ("InvalidImageName",)
_NOT_LOOKED_YET = re.compile("failed to sync (secret|configmap) cache")
"""The kubelet's words before it knows whether a Secret or ConfigMap is there; it looks again."""
_REFUSALS = (
    "violates PodSecurity",
    "violates Pod Security",
    "denied the request",
    "denied request",
)


def step_live(node: NodeStatus, role: Role, context: Context, live: Live) -> NodeStep:
    """The step of a node whose latest attempt may still run."""
    stuck_at = _stuck_at(live)
    if stuck_at is not None and context.now >= stuck_at:
        return _step_stuck(node, role, context, live)
    if node.job is not None and node.job.ending is not None:
        return NodeStep(node, live=True, wake_at=stuck_at)
    deadline = _start_deadline(role.server(node), live)
    verdict = _cannot_start(live, deadline, context.now)
    if verdict is not None:
        hopeless = not may_heal(live.blocked or live.refusal or "")
        return NodeStep(ending(node, *verdict, hopeless=hopeless), live=True, wake_at=stuck_at)
    reason, message = _waits(live, deadline)
    if node.reason != reason:
        node = update(node, reason=reason, message=message)
    return NodeStep(node, live=True, wake_at=_next(context.now, stuck_at, deadline))


def _stuck_at(live: Live) -> datetime | None:
    if live.stuck is None or live.stuck.deletion_at is None:
        return None
    return live.stuck.deletion_at + NODE_LOST_AFTER


def _step_stuck(node: NodeStatus, role: Role, context: Context, live: Live) -> NodeStep:
    pod = live.stuck
    if pod is None:
        return NodeStep(node, live=True)
    message = messages.pod_stuck(pod.name, pod.node_name)
    if role.abandons_lost_pods:
        return NodeStep(
            update(
                node,
                phase=NodePhase.CANCELLED,
                reason=Reason.NODE_LOST,
                message=message,
                finished_at=context.now,
            )
        )
    if node.reason != Reason.NODE_LOST:
        node = update(node, reason=Reason.NODE_LOST, message=message)
    return NodeStep(node, live=True)


def _start_deadline(task: Task, live: Live) -> datetime | None:
    if live.started or live.clock_from is None:
        return None
    return live.clock_from + task.start_timeout


def _cannot_start(
    live: Live, deadline: datetime | None, now: datetime
) -> tuple[Reason, str] | None:
    """Why the attempt is to be ended, because it can't start; None while it may."""
    if live.refusal and any(words in live.refusal for words in _REFUSALS):
        return Reason.POD_REFUSED, messages.clip(live.refusal)
    if live.started or (live.podless and live.refusal is None):
        return None  # without a pod, the Job's events tell why; they are being asked
    why = live.blocked or live.refusal or ""
    permanent = why.startswith(_PERMANENT_BLOCKS)
    if permanent or (deadline is not None and now >= deadline):
        if live.refusal and "exceeded quota" in live.refusal:
            return None
        return Reason.START_TIMEOUT, messages.did_not_start(why)
    return None


def _waits(live: Live, deadline: datetime | None) -> tuple[str | None, str | None]:
    """Reason and message of an attempt that hasn't started; nothing to tell once it has."""
    if live.started:
        if live.helpers:
            return "HelpersRun", messages.helpers_run(live.helpers)
        return None, None
    if live.suspended:
        return Reason.QUEUED, "its Job is suspended, by Kueue or by hand; no clock runs"
    if live.refusal and "exceeded quota" in live.refusal:
        return Reason.QUOTA_EXCEEDED, messages.waits_for_quota(live.refusal)
    why = live.blocked or live.refusal
    if why and _NOT_LOOKED_YET.search(why) is None:
        return messages.block_reason(why), messages.blocked(why, deadline)
    return None, None


def _next(now: datetime, *times: datetime | None) -> datetime | None:
    return min((at for at in times if at is not None and at > now), default=None)
