"""When a Workflow that has ended is deleted: ``ttlSecondsAfterFinished``."""

from datetime import datetime, timedelta

from tidegate.api.status import WorkflowStatus


def time_to_live(
    seconds: int | None, status: WorkflowStatus, now: datetime
) -> tuple[datetime | None, bool]:
    """When to look again, and whether the time is over."""
    ended = status.is_over
    if seconds is None or status.finished_at is None or not ended:
        return None, False
    at = status.finished_at + timedelta(seconds=seconds)
    return (None, True) if now >= at else (at, False)
