"""Everything that can go wrong, sorted by what the reconcile loop must do about it.

    TidegateError
    ├── UserError            a person must act; the message says what, where and how
    │   ├── InvalidSpec      the Workflow can't be run as written; carries every fault
    │   └── SettingsError    the operator is set up wrongly; it ends with this message
    ├── TryAgain             the world must change; repeated with backoff, nothing is lost
    │   ├── Conflict         the object changed since it was read
    │   ├── Throttled        the API server asked for patience (429), maybe for how long
    │   ├── Unreachable      no answer: it is unknown whether the request was carried out
    │   └── ServerFault      the API server answered 5xx
    └── Refused              the API server said no, and will say no again; carries its words
        ├── NotFound
        ├── AlreadyExists
        ├── Forbidden
        └── Invalid          400 or 422
Anything else that is raised is a bug: it is logged with its traceback, counted, and the key waits.
"""

from dataclasses import dataclass


class TidegateError(Exception):
    """The root of all errors that this package raises on purpose."""


class UserError(TidegateError):
    """Only a person can mend this; the text is written for them."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a spec."""

    path: str
    """Where, as a field path: ``spec.nodes[extract].dependsOn``."""
    message: str
    """What is wrong and what would be right, in words for the author."""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidSpec(UserError):
    """The Workflow can't be run as it is written."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__("; ".join(map(str, faults)))


class SettingsError(UserError):
    """The operator's own settings are wrong."""


class ApiError(TidegateError):
    """An answer of the API server, or its absence."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        self.status = status
        """HTTP status; 0 when there was no answer."""
        self.reason = reason
        """``metav1.Status.reason``, for example ``AlreadyExists``."""
        self.message = message
        """``metav1.Status.message``: the server's own words."""
        super().__init__(message)


class TryAgain(ApiError):
    """The same request may succeed later."""


class Conflict(TryAgain):
    """The object changed since it was read (409 Conflict)."""


class Throttled(TryAgain):
    """The API server asked for patience (429)."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        """Seconds, from the header ``Retry-After``."""
        super().__init__(message, status=429, reason="TooManyRequests")


class Unreachable(TryAgain):
    """No answer came: whether the request was carried out is unknown."""


class ServerFault(TryAgain):
    """The API server answered 5xx."""


class Refused(ApiError):
    """The API server said no and will say so again."""


class NotFound(Refused):
    """404."""


class AlreadyExists(Refused):
    """409 with reason AlreadyExists."""


class Forbidden(Refused):
    """403: RBAC, a quota, or an admission policy."""


class Invalid(Refused):
    """400 or 422: the object is malformed."""


def from_status(
    status: int, reason: str, message: str, *, retry_after: float | None = None
) -> ApiError:
    """The error for an HTTP answer ``status`` >= 400 with its ``metav1.Status``."""
    if status == 429:  # noqa: PLR2004 - HTTP's own number
        return Throttled(message, retry_after=retry_after)
    if status == 409:  # noqa: PLR2004
        kind: type[ApiError] = AlreadyExists if reason == "AlreadyExists" else Conflict
    elif status >= 500:  # noqa: PLR2004
        kind = ServerFault
    else:
        kind = {400: Invalid, 422: Invalid, 403: Forbidden, 404: NotFound}.get(status, Refused)
    return kind(message, status=status, reason=reason)


__all__ = [
    "AlreadyExists",
    "ApiError",
    "Conflict",
    "Fault",
    "Forbidden",
    "Invalid",
    "InvalidSpec",
    "NotFound",
    "Refused",
    "ServerFault",
    "SettingsError",
    "Throttled",
    "TidegateError",
    "TryAgain",
    "Unreachable",
    "UserError",
    "from_status",
]
