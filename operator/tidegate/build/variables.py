"""The variables that an author gave a task, and those that a node lends to its fallback.

The fallback's own texts have their values. What it is lent is an extra: a variable without a value,
or too large a one, may be the very reason why it runs, and it goes without.
"""

from collections.abc import Mapping
from typing import Any

from tidegate.api.fields import MAX_ARGUMENT
from tidegate.api.merge import merge_env
from tidegate.api.sizes import MAX_POD_TEXTS, size_of_value
from tidegate.api.task import Task


def env_of(task: Task, values: Mapping[str, str]) -> tuple[Mapping[str, Any], ...]:
    """The variables of ``task``, and of those that it is lent the ones that have values and fit.

    ``values`` are what references to other nodes stand for.
    """
    if not task.lent:
        return task.env
    sizes = {name: size_of_value(value) for name, value in values.items()}
    room = MAX_POD_TEXTS - task.sizes.sent_with(sizes)
    given = []
    for lent in task.lent:
        if lent.measured is not None:
            size = lent.measured.with_values(sizes)
            has_values = all(name in sizes for name in lent.reads)
            if not has_values or lent.name + size.program > MAX_ARGUMENT or size.sent > room:
                continue
            room -= size.sent
        given.append(lent.entry)
    return merge_env(task.env, given)
