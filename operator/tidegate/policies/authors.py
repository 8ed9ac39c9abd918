"""Who may make Workflows run: a Workflow runs pods, so it is no way around RBAC.

Where a checkpoint forbids authors, whoever writes a Workflow also has to say so.
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
    """
    !variables.asks || !(variables.forbids || variables.forbade) ||
      variables.author == variables.me""",
    f"""
    variables.where + ' forbids its authors to vote, so ' + variables.me + ', who creates it,' +
      ' changes its spec or asks for a rerun, must say so in the same request: annotation' +
      ' {c.ANNOTATION_AUTHOR}=' + variables.me""",
    f"where a checkpoint forbids authors, the annotation {c.ANNOTATION_AUTHOR} must be the writer"
    " whenever the Workflow is created, its spec changed or a rerun asked",
)
_KEPT: Final = Rule(
    """
    request.operation == 'CREATE' || variables.author == variables.former || (variables.forbade
      ? variables.asks && variables.author == variables.me && (variables.former == '' ||
          variables.former in oldObject.?status.?authors.orValue([]))
      : variables.author in ['', variables.me])""",
    f"""
    variables.me + ' can not change the annotation {c.ANNOTATION_AUTHOR} of ' + variables.where +
      (!variables.forbade ? ' to somebody else: it names whoever writes it' : variables.asks ?
        ' now: the operator has not recorded ' + variables.former + ' as an author yet; try' +
        ' again in a moment (if it lasts, 64 authors are recorded, which is all there is room' +
        ' for: create it anew)' :
        ' by itself: it changes together with spec or a rerun, to their writer')""",
    f"the annotation {c.ANNOTATION_AUTHOR} changes only together with spec or a rerun, once the"
    " former author is recorded",
)

AUTHORS: Final = Policy(
    name="tidegate-authors",
    resources=((c.GROUP, c.PLURAL),),
    operations=("CREATE", "UPDATE"),
    variables=_VARIABLES,
    rules=(_MAY_RUN, _SIGNED, _KEPT),
)
