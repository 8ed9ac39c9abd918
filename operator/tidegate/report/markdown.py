"""A run's log as markdown."""

from tidegate.report.model import Report
from tidegate.report.text import name

MAX_BYTES = 384 * 1024
"""What a run's log may take where the caller says nothing."""


def render(report: Report, budget: int = MAX_BYTES) -> str:
    """The log of the present run as markdown, in at most ``budget`` bytes of UTF-8."""
    status = report.status
    return f"# {name(report.key.name)} · run {status.run} · {status.phase or 'Pending'}\n"[:budget]
