"""Why attempts, nodes and runs ended or wait, in one word each."""

from enum import StrEnum


class Reason(StrEnum):
    """Reasons of attempts and nodes."""

    EXIT_CODE = "ExitCode"
    OOM_KILLED = "OOMKilled"
    TIMEOUT = "Timeout"
    START_TIMEOUT = "StartTimeout"
    DISRUPTED = "Disrupted"
    LOST = "Lost"
    POD_REFUSED = "PodRefused"
    INVALID_POD_TEMPLATE = "InvalidPodTemplate"
    JOB_REFUSED = "JobRefused"
    NAME_CONFLICT = "NameConflict"
    MISSING_OUTPUT = "MissingOutput"
    INVALID_OUTPUT = "InvalidOutput"
    OUTPUT_TOO_LARGE = "OutputTooLarge"
    CONDITION_ERROR = "ConditionError"
    CANCELLED = "Cancelled"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    UNKNOWN = "Unknown"

    # why a node that never ran won't
    CONDITION_FALSE = "ConditionFalse"
    DEPENDENCY_FAILED = "DependencyFailed"
    RUN_ENDED = "RunEnded"
    NOT_NEEDED = "NotNeeded"

    # why a node waits
    QUOTA_EXCEEDED = "QuotaExceeded"
    API_UNAVAILABLE = "ApiUnavailable"
    FALLBACK = "Fallback"
    NODE_LOST = "NodeLost"
    QUEUED = "Queued"
    STOPPING = "Stopping"
    WAITING_FOR_APPROVAL = "WaitingForApproval"
    POLICY_MISSING = "PolicyMissing"
    TOO_MANY_VOTES = "TooManyVotes"

    # how a checkpoint was decided
    APPROVED = "Approved"
    APPROVED_BY_TIMEOUT = "ApprovedByTimeout"
    REJECTED = "Rejected"
    REJECTED_BY_TIMEOUT = "RejectedByTimeout"


class RunReason(StrEnum):
    """Reasons of a Workflow's phase."""

    NAMESPACE_EXCLUDED = "NamespaceExcluded"
    SUSPENDED = "Suspended"
    RESTORED = "Restored"
    INVALID_SPEC = "InvalidSpec"
    STATUS_TOO_LARGE = "StatusTooLarge"
    NODES_RUN = "NodesRun"
    WAITING_FOR_APPROVAL = "WaitingForApproval"
    ENDING = "Ending"
    HANDLERS_RUN = "HandlersRun"
    NODES_SUCCEEDED = "NodesSucceeded"
    NODE_FAILED = "NodeFailed"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    CANCEL_REQUESTED = "CancelRequested"
    EXIT_HANDLER_FAILED = "ExitHandlerFailed"
    WORKFLOW_DELETED = "WorkflowDeleted"


NOT_COUNTED = "QuotaLeftNoPod"
"""Marks a Job that a quota left without a pod until its deadline: nothing ran, nothing counts."""
