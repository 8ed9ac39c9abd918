"""Who wrote a Workflow: the annotation ``tidegate.dev/author``, remembered for good.

Where a checkpoint forbids authors to vote, an admission policy sees to it that the annotation is
the writer's own name, and that it goes over to another writer only once the former one is recorded
here. So a name that finds no room (64 names, 256 characters each) is never lost: the annotation
then stays with it, and its bearer counts as an author all the same.

Where none does, anybody may be named there, so nobody is recorded. Whoever forbids it later has to
sign that change, and is the first author.
"""

from collections.abc import Mapping
from typing import Any, Final

from tidegate.api.checks import objects
from tidegate.api.status import WorkflowStatus
from tidegate.constants import ANNOTATION_AUTHOR
from tidegate.facts.model import WorkflowFact

MAX_AUTHORS: Final = 64
MAX_NAME: Final = 256


def with_author(status: WorkflowStatus, fact: WorkflowFact) -> WorkflowStatus:
    """``status`` with the present author among its authors, where the spec forbids them to vote."""
    author = fact.annotations.get(ANNOTATION_AUTHOR, "")
    if not author or len(author) > MAX_NAME or author in status.authors:
        return status
    if not forbids_authors(fact.spec):
        return status
    if len(status.authors) >= MAX_AUTHORS:
        return status
    return status.model_copy(update={"authors": (*status.authors, author)})


def all_authors(status: WorkflowStatus, fact: WorkflowFact) -> frozenset[str]:
    """Who counts as an author: whoever is recorded, and whoever the annotation names now."""
    return frozenset((*status.authors, fact.annotations.get(ANNOTATION_AUTHOR, "")))


def forbids_authors(spec: Mapping[str, Any]) -> bool:
    """Whether a checkpoint of the spec, valid or not, forbids authors: as the policy reads it."""
    return any(
        isinstance(checkpoint := node.get("checkpoint"), Mapping)
        and checkpoint.get("forbidAuthors") is True
        for _, node in objects(spec.get("nodes"))
    )
