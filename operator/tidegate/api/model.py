"""What all models of the resource share: camelCase on the wire, frozen, strict on input."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """A frozen part of the Workflow resource; unknown fields are errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


class StatusModel(Model):
    """A frozen part of the status; unknown fields are dropped, as a newer operator may add some."""

    model_config = ConfigDict(extra="ignore")


def format_time(at: datetime) -> str:
    """RFC 3339 in UTC; fractions of a second only where there are any."""
    at = at.astimezone(UTC)
    detail = "milliseconds" if at.microsecond >= 1000 else "seconds"  # noqa: PLR2004
    return at.isoformat(timespec=detail).replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """The time that the Kubernetes API wrote as ``text`` (metav1.Time or MicroTime)."""
    return datetime.fromisoformat(text)


Time = Annotated[
    datetime,
    PlainSerializer(format_time, return_type=str, when_used="always"),
]
"""A time in status, RFC 3339 UTC with at most milliseconds."""
