"""Who may make Workflows run: a Workflow runs pods, so it is no way around RBAC.

Where a checkpoint forbids authors, whoever writes a Workflow also has to say so, and nobody
switches that off but who is recorded as an author. What is written while no checkpoint forbids
authors, nobody signs: whoever switches it on answers for the whole spec.
"""

from typing import Final

from tidegate import constants as c
from tidegate.policies.cel import AFTER, BEFORE, ME, WHERE
from tidegate.policies.model import Policy, Rule

_FORBIDS: Final = """
        has(n.checkpoint) && n.checkpoint != null &&
          n.checkpoint.?forbidAuthors.orValue(false) == true"""
"""Null is refused by the operator, so a Workflow with it must get there."""
_VARIABLES: Final = {
    "me": ME,
    "where": WHERE,
    "before": BEFORE,
    "after": AFTER,
    "rerun": f"""
        variables.after[?'{c.ANNOTATION_RERUN}'].orValue('') !=
          variables.before[?'{c.ANNOTATION_RERUN}'].orValue('')""",
    "released": f"""
        request.operation == 'UPDATE' &&
          '{c.LABEL_RESTORED}' in oldObject.metadata.?labels.orValue({{}}) &&
          !('{c.LABEL_RESTORED}' in object.metadata.?labels.orValue({{}}))""",
    "asks": """
        request.operation == 'CREATE' || object.spec != oldObject.spec || variables.rerun ||
          variables.released""",
    "forbids": f"object.spec.nodes.exists(n, {_FORBIDS})",
    "forbade": f"request.operation == 'UPDATE' && oldObject.spec.nodes.exists(n, {_FORBIDS})",
    "author": f"variables.after[?'{c.ANNOTATION_AUTHOR}'].orValue('')",
    "former": f"variables.before[?'{c.ANNOTATION_AUTHOR}'].orValue('')",
    "recorded": """
        request.operation == 'CREATE' ? [] : oldObject.?status.?authors.orValue([])""",
    "unrecorded": """
        variables.forbade && variables.former != '' && !(variables.former in variables.recorded)""",
}

_MAY_RUN: Final = Rule(
    """
    !variables.asks || authorizer.group('batch').resource('jobs').namespace(request.namespace)
      .check('create').allowed()""",
    """
    variables.me + ' may not create ' + variables.where +
      ', change its spec or ask for a rerun: a Workflow runs Jobs, and ' + variables.me +
      ' may not create Jobs in ' + request.namespace +
      '; ask an administrator of the namespace for that right'""",
    "whoever creates a Workflow, changes its spec or asks for a rerun must be allowed to create"
    " Jobs there",
)
_SIGNED: Final = Rule(
    "!variables.asks || !variables.forbids || variables.author == variables.me",
    f"""
    variables.where + ' forbids its authors to vote, so ' + variables.me + ', who creates it,' +
      ' changes its spec or asks for a rerun, must say so in the same request: annotation' +
      ' {c.ANNOTATION_AUTHOR}=' + variables.me""",
    f"where a checkpoint forbids authors, the annotation {c.ANNOTATION_AUTHOR} must be the writer"
    " whenever the Workflow is created, its spec changed or a rerun asked",
)
_SWITCHED_OFF: Final = Rule(
    "!variables.forbade || variables.forbids || variables.me in variables.recorded",
    f"""
    variables.me + ' can not change ' + variables.where + ' so that it no longer forbids its' +
      ' authors to vote: only somebody who is recorded as an author can; set the annotation' +
      ' {c.ANNOTATION_AUTHOR}=' + variables.me + ' first, and try again in a moment'""",
    "forbidAuthors is switched off only by somebody who is recorded as an author; set the"
    f" annotation {c.ANNOTATION_AUTHOR} to your name first",
)
_KEPT: Final = Rule(
    """
    request.operation == 'CREATE' || variables.author == variables.former ||
      (variables.author in ['', variables.me] && !variables.unrecorded)""",
    f"""
    variables.me + ' can not change the annotation {c.ANNOTATION_AUTHOR} of ' + variables.where +
      (variables.author in ['', variables.me] ?
        ' now: the operator has not recorded ' + variables.former + ' as an author yet; try' +
        ' again in a moment (if it lasts, 64 authors are recorded, which is all there is room' +
        ' for: create it anew)' :
        ' to somebody else: it names whoever writes it')""",
    f"the annotation {c.ANNOTATION_AUTHOR} names whoever writes it, and changes once the former"
    " author is recorded",
)

AUTHORS: Final = Policy(
    name="tidegate-authors",
    resources=((c.GROUP, c.PLURAL),),
    operations=("CREATE", "UPDATE"),
    variables=_VARIABLES,
    rules=(_MAY_RUN, _SIGNED, _SWITCHED_OFF, _KEPT),
)
