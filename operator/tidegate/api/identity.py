"""Who an attempt is: its identity, and the names and labels that follow from it.

Names are derived, never generated, so that two operators, or one that was restarted, reach for the
same Job and the API server itself stops the second (409).
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Self

from tidegate import constants as c

_NAME_WORKFLOW = 28
_NAME_NODE = 16
_NAME_DIGEST = 10


@dataclass(frozen=True, slots=True)
class WorkflowKey:
    """Namespace and name of a Workflow: what queues, views and logs go by."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class AttemptId:
    """One attempt of one node in one run of a Workflow."""

    run: int
    node: str
    """The node, or the handler, in ``status.nodes`` that this attempt serves."""
    number: int
    """From 1; goes on through the fallback."""
    standby: str = ""
    """The standby that runs in the node's place; empty for the node's own attempts."""

    def __str__(self) -> str:
        who = f"{self.node} by {self.standby}" if self.standby else self.node
        return f"{who}, attempt {self.number} of run {self.run}"

    def labels(self, workflow: str) -> dict[str, str]:
        """The labels of this attempt's Job and pods."""
        labels = {
            c.LABEL_WORKFLOW: workflow,
            c.LABEL_NODE: self.node,
            c.LABEL_RUN: str(self.run),
            c.LABEL_ATTEMPT: str(self.number),
        }
        return labels | ({c.LABEL_STANDBY: self.standby} if self.standby else {})

    @classmethod
    def from_labels(cls, labels: dict[str, str]) -> Self | None:
        """The attempt that ``labels`` tell of; None where they tell of none."""
        run, number = labels.get(c.LABEL_RUN, ""), labels.get(c.LABEL_ATTEMPT, "")
        node = labels.get(c.LABEL_NODE, "")
        if not (node and _is_count(run) and _is_count(number)):
            return None
        return cls(int(run), node, int(number), labels.get(c.LABEL_STANDBY, ""))


def _is_count(text: str) -> bool:
    return re.fullmatch(r"[1-9][0-9]{0,8}", text) is not None


def digest(*parts: object) -> bytes:
    """SHA-256 over ``parts``, unambiguous: each is preceded by its length."""
    hasher = hashlib.sha256()
    for part in parts:
        data = str(part).encode()
        hasher.update(len(data).to_bytes(4, "big") + data)
    return hasher.digest()


def job_name(workflow: str, uid: str, attempt: AttemptId) -> str:
    """The name of the attempt's Job: at most 56 characters, a DNS label, never the same twice."""
    raw = digest(uid, *_parts(attempt))
    suffix = base64.b32encode(raw).decode().lower()[:_NAME_DIGEST]
    return "-".join(
        (workflow[:_NAME_WORKFLOW].rstrip("-"), attempt.node[:_NAME_NODE].rstrip("-"), suffix)
    )


def log_name(workflow: str, uid: str, *, retain: bool) -> str:
    """The name of the ConfigMap that a Workflow's log is written to.

    One that outlives its Workflow tells it from another of the same name.
    """
    return f"{workflow}-log-{uid[:5]}" if retain else f"{workflow}-log"


def chance(uid: str, attempt: AttemptId) -> float:
    """A number in [0, 1) that is the same for every replica and after every restart."""
    return int.from_bytes(digest("chance", uid, *_parts(attempt))[:8], "big") / 2.0**64


def _parts(attempt: AttemptId) -> tuple[object, ...]:
    return (attempt.run, attempt.node, attempt.standby, attempt.number)
