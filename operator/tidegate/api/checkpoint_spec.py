"""What users write of a checkpoint: a node that waits for people instead of running a pod.

What isn't described here is kept by the API server and refused by the operator: a misspelt
``approvers`` must never open a gate to everyone.
"""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from tidegate.api.duration import Duration, shorten
from tidegate.api.fields import ATOMIC, SET, WHOLE, Count, Flag, Key, list_map
from tidegate.api.model import Model
from tidegate.api.vote import APPROVALS, REJECTIONS, is_decision

MAX_MESSAGE: Final = 1024
MAX_CHOICES: Final = 16
MAX_INPUTS: Final = 16
MAX_PATTERN: Final = 256
MAX_VALUE: Final = 512
"""Characters of an input's default, or of one of its choices."""
MAX_APPROVERS: Final = 64
MAX_VOTES: Final = 20
"""Users whose votes are counted at one checkpoint, each user's latest."""

KEPT: Final[dict[str, Any]] = {"x-kubernetes-preserve-unknown-fields": True}
"""Of an object whose unknown fields reach the operator, which refuses them."""
TOLD: Final = Field(json_schema_extra={"nullable": True})
"""Of a field whose null reaches the operator, which refuses it: ``approvers:`` with nothing behind
it would be dropped by the API server, and open the gate to everyone."""


class OnTimeout(StrEnum):
    """What the clock decides where nobody did."""

    REJECT = "Reject"
    APPROVE = "Approve"


def _choice(value: str) -> str:
    if not is_decision(value):
        words = "a-z, 0-9 and - only, beginning with a letter"
        raise ValueError(f"{shorten(value)} can't be voted for: {words}")
    if value in APPROVALS or value in REJECTIONS:
        raise ValueError(f"{shorten(value)} can be voted at every checkpoint; leave it out")
    return value


def _is_one_line(value: str) -> str:
    if not all(ch.isprintable() for ch in value):
        raise ValueError("must be one line without control characters, as in a vote")
    return value


Choice = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40),
    AfterValidator(_choice),
    Field(json_schema_extra={"pattern": "^[a-z][a-z0-9-]*$"}),
]
Who = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_is_one_line)]
Value = Annotated[str, StringConstraints(max_length=MAX_VALUE), AfterValidator(_is_one_line)]


class Approvers(Model):
    """Who may vote: whoever is named, or is in a group that is named."""

    model_config = ConfigDict(json_schema_extra={**WHOLE, **KEPT})

    users: Annotated[tuple[Who, ...], Field(max_length=MAX_APPROVERS, json_schema_extra=SET)] = ()
    """Names of users as the API server knows them (kubectl auth whoami), at most 64. Only a service
    account that is named here may vote: system:serviceaccount:<namespace>:<name>."""
    groups: Annotated[tuple[Who, ...], Field(max_length=MAX_APPROVERS, json_schema_extra=SET)] = ()
    """Names of groups as the API server knows them, at most 64."""


class CheckpointInput(Model):
    """A value that voters are asked for, in a line ``<name>: <value>`` of the vote."""

    model_config = ConfigDict(json_schema_extra={**WHOLE, **KEPT})

    name: Key
    """Name of the line and of the output. Letters, digits, _ and -."""
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=MAX_PATTERN)] | None = None
    """A regular expression (RE2) that the whole value matches."""
    choices: Annotated[
        tuple[Value, ...], Field(max_length=MAX_CHOICES, json_schema_extra=ATOMIC)
    ] = ()
    """The values that are possible, at most 16; any by default."""
    default: Value | None = None
    """The value where a vote doesn't give one; without it, every approval must."""


class Checkpoint(Model):
    """What people are asked, who may answer, and what happens if nobody does."""

    model_config = ConfigDict(json_schema_extra={**WHOLE, **KEPT})

    message: Annotated[str, StringConstraints(min_length=1, max_length=MAX_MESSAGE)]
    """The question. The same references as in a node's command are replaced."""
    timeout: Annotated[Duration | None, TOLD] = None
    """How long it waits from its opening, like 24h. For ever by default."""
    on_timeout: OnTimeout = OnTimeout.REJECT
    """What happens then: Reject (default) or Approve, which can't be had together with approvers,
    minApprovals over 1 or forbidAuthors."""
    choices: Annotated[
        tuple[Choice, ...], Field(max_length=MAX_CHOICES, json_schema_extra=ATOMIC)
    ] = ()
    """Further words that approve, at most 16; later nodes read the one that was chosen as output
    decision. Voters must choose the same."""
    min_approvals: Annotated[Count, Field(ge=1, le=MAX_VOTES), TOLD] = 1
    """How many different users must approve, 1-20. One rejection rejects."""
    approvers: Annotated[Approvers | None, TOLD] = None
    """Who may vote; by default whoever has the verb approve on this Workflow."""
    forbid_authors: Annotated[Flag, TOLD] = False
    """Whether those who wrote the Workflow, changed it or asked for a rerun can't vote."""
    require_code: Annotated[Flag, TOLD] = False
    """Whether a vote must name the code of this opening (approved@<code>)."""
    inputs: Annotated[
        tuple[CheckpointInput, ...],
        Field(max_length=MAX_INPUTS, json_schema_extra=list_map("name")),
    ] = ()
    """Values that voters are asked for, at most 16; later nodes read them as outputs."""


__all__ = ["Approvers", "Checkpoint", "CheckpointInput", "OnTimeout"]
