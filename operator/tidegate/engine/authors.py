"""Who wrote a Workflow: the annotation ``tidegate.dev/author``, remembered for good.

Where a checkpoint forbids authors to vote, an admission policy sees to it that the annotation is
the writer's own name, and that it goes over to another writer only once the former one is recorded
here. So a name that finds no room (64 names, 256 characters each) is never lost: the annotation
then stays with it, and its bearer counts as an author all the same.
"""

from typing import Final

from tidegate.api.status import WorkflowStatus
from tidegate.constants import ANNOTATION_AUTHOR
from tidegate.facts.model import WorkflowFact

MAX_AUTHORS: Final = 64
MAX_NAME: Final = 256


def with_author(status: WorkflowStatus, fact: WorkflowFact) -> WorkflowStatus:
    """``status`` with the present author among its authors."""
    author = fact.annotations.get(ANNOTATION_AUTHOR, "")
    if not author or len(author) > MAX_NAME or author in status.authors:
        return status
    if len(status.authors) >= MAX_AUTHORS:
        return status
    return status.model_copy(update={"authors": (*status.authors, author)})
