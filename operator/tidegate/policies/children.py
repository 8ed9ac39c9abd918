"""Who may make Jobs and pods that look like a Workflow's, or make those look otherwise.

An object has *marks*: labels ``tidegate.dev/…`` (for a Job also in its template, which the Job
controller copies to pods) and owner references to Workflows. What has none is of no concern.
"""

from typing import Final

from tidegate import constants as c
from tidegate.policies.cel import ME
from tidegate.policies.model import OPERATORS, Policy, Rule

_LABEL: Final = f"{c.GROUP}/"
CONTROLLERS: Final = (
    "system:serviceaccount:kube-system:job-controller",
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:kube-controller-manager",
)
"""Kubernetes' own accounts that make and tidy up what Jobs need; the last where its controllers
have no accounts of their own."""
JOB_CONTROLLERS: Final = (CONTROLLERS[0], CONTROLLERS[2])


def _is_marked(where: str) -> str:
    """CEL: whether an object has marks."""
    labels = f".?labels.orValue({{}}).exists(k, k.startsWith('{_LABEL}'))"
    return f"""
        {where}.metadata{labels} ||
        {where}.spec.?template.?metadata{labels} ||
        {where}.metadata.?ownerReferences.orValue([]).exists(o,
          o.kind == '{c.KIND}' && o.apiVersion.startsWith('{_LABEL}'))""".strip()


def _texts(where: str, field: str, title: str) -> str:
    """CEL: a map's entries that are Tidegate's or tell of the Job, as texts."""
    return f"""
        {where}.metadata.?{field}.orValue({{}}).filter(k,
          k.startsWith('{_LABEL}') || k == '{c.LABEL_JOB_UID}').map(k,
          '{title} ' + k + '=' + string({where}.metadata.{field}[k]))""".strip()


def _marks(where: str) -> str:
    """CEL: all that ties the object to its Workflow and says what became of it, as texts."""
    template = _texts(f"{where}.spec.template", "labels", "template")
    return f"""
        {_texts(where, "labels", "label")} +
        {_texts(where, "annotations", "annotation")} +
        (has({where}.spec.template) && has({where}.spec.template.metadata) ?
        {template} : []) +
        {where}.metadata.?ownerReferences.orValue([]).map(o,
          'owner ' + string(o.kind) + ' ' + string(o.uid))"""


_CREATE: Final = Rule(
    f"""
    request.operation != 'CREATE' || {ME} in variables.{OPERATORS} ||
      (request.resource.resource == 'pods' && {ME} in {list(JOB_CONTROLLERS)})""",
    f"""
    {ME} + ' may not create the ' + variables.what +
      ', which has a label {_LABEL}… or a Workflow as its owner: only Tidegate and the Job' +
      ' controller make those; leave these labels and this owner out'""",
    f"labels {_LABEL}… and Workflows as owners are only for what Tidegate creates; leave them out",
)
_UPDATE: Final = Rule(
    f"""
    request.operation != 'UPDATE' || {ME} in variables.{OPERATORS} || {ME} in {list(CONTROLLERS)} ||
      sets.equivalent(variables.marks, variables.marksBefore)""",
    f"""
    {ME} + ' may not change what ties the ' + variables.what +
      ' to its Workflow: its labels and annotations {_LABEL}…, the uid of its Job and its owners' +
      ' are Tidegate\\'s; anything else may change'""",
    f"labels and annotations {_LABEL}…, the Job's uid and the owners of a Workflow's Jobs and pods"
    " can't be changed",
)

CHILDREN: Final = Policy(
    name="tidegate-children",
    resources=(("batch", "jobs"), ("", "pods")),
    operations=("CREATE", "UPDATE"),
    concerns={
        "marked": f"""
        {_is_marked("object")} ||
        (request.operation == 'UPDATE' && (
        {_is_marked("oldObject")}))""",
    },
    variables={
        "what": """
            (request.resource.resource == 'jobs' ? 'Job ' : 'pod ') + request.namespace + '/' +
              object.metadata.?name.orValue(object.metadata.?generateName.orValue(''))""",
        "marks": _marks("object"),
        "marksBefore": _marks("oldObject"),
    },
    rules=(_CREATE, _UPDATE),
    names_operators=True,
)
