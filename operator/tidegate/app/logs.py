"""One line for each thing that happened: JSON for collectors, short text at a terminal.

``extra={"workflow": …, "node": …, "attempt": …}`` puts fields beside the message.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Literal

import orjson

_FIELDS = ("workflow", "node", "attempt", "reason", "resource")
_QUIET = {"kopf": "WARNING", "kopf.objects": "WARNING", "asyncio": "WARNING", "aiohttp": "WARNING"}


def _fields(record: logging.LogRecord) -> dict[str, str]:
    return {name: str(getattr(record, name)) for name in _FIELDS if hasattr(record, name)}


class JsonFormatter(logging.Formatter):
    """A JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


class TextFormatter(logging.Formatter):
    """For people at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as ``time LEVEL message  (field=value …)``."""
        at = datetime.fromtimestamp(record.created).astimezone()
        fields = "  ".join(f"{name}={value}" for name, value in _fields(record).items())
        line = f"{at:%H:%M:%S}.{int(record.msecs):03d} {record.levelname:<7} {record.getMessage()}"
        line += f"  ({fields})" if fields else ""
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure(style: Literal["auto", "json", "text"], level: str) -> None:
    """Send the process's log to standard error."""
    readable = style == "text" or (style == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if readable else JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(least)
