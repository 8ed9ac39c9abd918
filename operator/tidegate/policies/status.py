"""Who may write the status of a Workflow: votes are recorded there, so only operators."""

from typing import Final

from tidegate import constants as c
from tidegate.policies.cel import ME
from tidegate.policies.model import OPERATORS, Policy, Rule

_BY_OPERATORS: Final = Rule(
    f"{ME} in variables.{OPERATORS}",
    f"""
    {ME} + ' may not write the status of twf ' + request.namespace + '/' + request.name +
      ': only an operator does that (' + variables.{OPERATORS}.join(', ') +
      '); for a rerun or to cancel, annotate the Workflow; the account of another operator' +
      ' belongs into policies.operators of the release that installed the policies'""",
    "only an operator's account writes the status of Workflows",
)

STATUS: Final = Policy(
    name="tidegate-status",
    resources=((c.GROUP, f"{c.PLURAL}/status"),),
    operations=("UPDATE",),
    variables={},
    rules=(_BY_OPERATORS,),
    names_operators=True,
)
