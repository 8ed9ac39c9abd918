"""What users write about the log: the field ``log``, and ``tailLines`` of nodes and standbys."""

from typing import Annotated, Final

from pydantic import Field

from tidegate.api.fields import Count, Flag
from tidegate.api.model import Model

DEFAULT_TAIL_LINES: Final = 20

TailLines = Annotated[Count, Field(ge=0, le=200)]
"""How many of the last lines that an attempt printed are kept."""


class LogSpec(Model):
    """What is kept of a run in its log."""

    tail_lines: TailLines = DEFAULT_TAIL_LINES
    """How many of the last lines that each attempt printed are kept, 0-200; 20 by default."""
    retain: Flag = False
    """Whether the log stays when the Workflow is deleted."""
