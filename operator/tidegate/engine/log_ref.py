"""Where the log of a Workflow is: told by its status, so that people needn't guess."""

from tidegate.api.identity import WorkflowKey, log_name
from tidegate.api.status import LIVE_PHASES, LogRef, WorkflowStatus


def with_log(
    key: WorkflowKey, uid: str, recorded: WorkflowStatus, status: WorkflowStatus, *, retain: bool
) -> WorkflowStatus:
    """``status`` with the name of the log, once there is something to log.

    A Workflow that had ended before there were logs is left as it is.
    """
    ended = status.is_over
    was_ended = recorded.is_over
    begins = recorded.run != status.run or not was_ended
    if status.phase in LIVE_PHASES or (ended and (begins or recorded.log is not None)):
        ref = LogRef(config_map=log_name(key.name, uid, retain=retain))
        return status if status.log == ref else status.model_copy(update={"log": ref})
    return status
