"""The one kind of error this command ends with: words for a person, not a traceback."""

from __future__ import annotations

from pathlib import Path


class ClusterError(Exception):
    """Something a person must know or do before the cluster can be had.

    Args:
        message: what went wrong, in one sentence.
        log: the file that holds the whole story, where there is one.
        remedy: what usually helps.
    """

    def __init__(self, message: str, *, log: Path | None = None, remedy: str = "") -> None:
        super().__init__(message)
        self.log = log
        self.remedy = remedy

    def explain(self, lines: int = 15) -> str:
        """Return the message, the last lines of the log, where it is, and what helps."""
        parts = [str(self)]
        if self.log is not None and self.log.exists():
            tail = self.log.read_text(errors="replace").splitlines()[-lines:]
            parts += [f"  | {line}" for line in tail]
            parts.append(f"  the whole log: {self.log}")
        if self.remedy:
            parts.append(f"  what helps: {self.remedy}")
        return "\n".join(parts)
