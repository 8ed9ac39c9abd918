"""Real time."""

from datetime import UTC, datetime


class SystemClock:
    """The port ``Clock`` over the machine's clock."""

    def now(self) -> datetime:
        """The present time, UTC."""
        return datetime.now(UTC)
