"""Raw Events about a Job, trimmed to the words that explain why it has no pod.

Quota, Pod Security and admission policies refuse the pod, not the Job: the Job's status stays empty
and the words stand only in its Event ``FailedCreate``.
"""

from collections.abc import Iterable
from datetime import datetime

from tidegate.facts import raw as read

_REASON = "FailedCreate"
_PREAMBLE = "Error creating: "


def refusal(events: Iterable[read.Raw], job_uid: str) -> str | None:
    """The words of the latest FailedCreate event about the Job with ``job_uid``; None if none.

    Takes Events of core/v1 and of events.k8s.io/v1.
    """
    about = [
        event
        for event in events
        if event.get("reason") == _REASON and _regarding(event).get("uid") == job_uid
    ]
    latest = max(about, key=_seen_at, default=None)
    if latest is None:
        return None
    words = read.text(latest.get("message")) or read.text(latest.get("note"))
    return words.removeprefix(_PREAMBLE).strip()


def _regarding(event: read.Raw) -> read.Raw:
    return read.mapping(event.get("involvedObject")) or read.mapping(event.get("regarding"))


def _seen_at(event: read.Raw) -> datetime:
    """When the event was last seen; a series tells it later than the event itself."""
    times = (
        read.mapping(event.get("series")).get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("deprecatedLastTimestamp"),
        event.get("eventTime"),
        event.get("firstTimestamp"),
        read.mapping(event.get("metadata")).get("creationTimestamp"),
    )
    return max(filter(None, map(read.time, times)), default=read.EPOCH)
