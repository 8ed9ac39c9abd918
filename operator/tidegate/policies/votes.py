"""Who may vote: the annotations ``checkpoint.tidegate.dev/…`` of a Workflow.

Votes that stand there at the creation pass, up to a size: they never count, and restores must work.
"""

from typing import Final

from tidegate import constants as c
from tidegate.policies.cel import (
    AFTER,
    BEFORE,
    ME,
    SEEN_TEXT,
    VOTE,
    WHERE,
    ballots,
    judged,
    looked_at,
)
from tidegate.policies.model import Policy, Rule

MAX_VOTE_BYTES: Final = 1024
MAX_OTHER_BYTES: Final = 128 * 1024
"""Of annotations that are no votes, where there are checkpoints: half of what Kubernetes takes."""
MAX_CREATED_BYTES: Final = 64 * 1024
"""Of votes that a Workflow is created with: a quarter, so that a quarter is left for those cast."""


def _size(keys: str, annotations: str) -> str:
    """CEL: the bytes of these annotations, as Kubernetes counts them."""
    return f"{keys}.map(k, bytes(k).size() + bytes(string({annotations}[k])).size()).sum()"


_VARIABLES: Final = {
    "me": ME,
    "where": WHERE,
    "before": BEFORE,
    "after": AFTER,
    "changed": f"""
        request.operation == 'CREATE' ? [] : variables.after.filter(k, k.startsWith('{VOTE}') &&
          !(k in variables.before && variables.before[k] == variables.after[k]))""",
    "removed": f"""
        variables.before.filter(k, k.startsWith('{VOTE}') && !(k in variables.after))""",
    "touched": "variables.changed + variables.removed",
    "votes": ballots("variables.changed", "variables.after"),
    "replaced": ballots("variables.touched.filter(k, k in variables.before)", "variables.before"),
    "voteKeys": f"variables.after.filter(k, k.startsWith('{VOTE}'))",
    "standing": ballots("variables.voteKeys", "variables.after"),
    "gates": "object.spec.nodes.filter(n, has(n.checkpoint) && n.checkpoint != null)",
    "state": "oldObject.?status.?nodes.orValue({})",
    "open": """
        variables.gates.filter(g, g.name in variables.state &&
          variables.state[g.name].?phase.orValue('') == 'Waiting' &&
          variables.state[g.name].?code.orValue('') != '')""",
    "asked": "variables.open.map(g, string(g.name))",
    "authors": f"""
        oldObject.?status.?authors.orValue([]) +
          [variables.before[?'{c.ANNOTATION_AUTHOR}'].orValue('')]""",
    "others": f"variables.after.filter(k, !k.startsWith('{VOTE}'))",
    "othersBefore": f"variables.before.filter(k, !k.startsWith('{VOTE}'))",
}

_NAMES: Final = "variables.votes.map(v, v.node).join(', ')"
_CODED: Final = """variables.votes.map(v, v.decision.split('@')[0] + '@' +
        (v.node in variables.asked ? string(variables.state[v.node].code) : '')).join(', ')"""

_MAY_APPROVE: Final = Rule(
    f"""
    variables.touched.size() == 0 ||
      authorizer.group('{c.GROUP}').resource('{c.PLURAL}').namespace(request.namespace)
        .name(request.name).check('approve').allowed()""",
    f"""
    variables.me + ' may not vote on ' + variables.where +
      ', nor change or remove a vote there: that takes the verb approve on {c.PLURAL}.{c.GROUP}' +
      ' (the chart brings a ClusterRole with it); ask an administrator of the namespace'""",
    "voting takes the verb approve on this Workflow; ask an administrator of the namespace",
)
_ALONE: Final = Rule(
    "variables.touched.size() == 0 || object.spec == oldObject.spec",
    """
    variables.me + ' changes spec and votes of ' + variables.where +
      ' in one request: vote in a request of its own, so that it answers what was asked'""",
    "a vote can't come together with a change of spec; vote in a request of its own",
)
_WAITS: Final = Rule(
    "variables.votes.all(v, v.node in variables.asked)",
    """
    'no checkpoint ' + variables.votes.filter(v, !(v.node in variables.asked))[0].node + ' of ' +
      variables.where + ' is open, so the vote of ' + variables.me + ' answers nothing;' +
      ' open now: ' + (variables.asked.size() > 0 ? variables.asked.join(', ')
        : 'none, vote again when its phase is Waiting')""",
    "no checkpoint of this name is open; vote when it waits for an answer",
)
_KEYED: Final = Rule(
    "variables.votes.all(v, v.key.matches('^[a-z0-9-]+([.][a-z0-9-]{1,20})?$'))",
    f"""
    variables.me + ' can not vote on ' + variables.where + ' under the key ' +
      variables.votes.map(v, v.key).join(', ') + ': expected {VOTE}<node> or <node>.<tag>, with a' +
      ' tag of at most 20 of a-z, 0-9 and -'""",
    f"the key of a vote is {VOTE}<node> or <node>.<tag>",
)
_SHORT: Final = Rule(
    f"variables.votes.all(v, bytes(v.text).size() <= {MAX_VOTE_BYTES})",
    f"""
    'the vote of ' + variables.me + ' on ' + {_NAMES} + ' of ' + variables.where +
      ' is longer than {MAX_VOTE_BYTES} bytes: shorten its comment'""",
    f"a vote has at most {MAX_VOTE_BYTES} bytes; shorten its comment",
)
_READABLE: Final = Rule(
    r"""
    variables.votes.all(v, v.decision.matches('^[a-z][a-z0-9-]*(@[a-z0-9]+)?$') && v.by != '')""",
    f"""
    'the vote of ' + variables.me + ' on ' + {_NAMES} + ' of ' + variables.where +
      ' can not be read: expected <decision> by <user> or <decision> by <user>: <comment>, like' +
      ' approved by ' + variables.me + ': why'""",
    "expected <decision> by <user> or <decision> by <user>: <comment>",
)
_OWN_NAME: Final = Rule(
    "variables.votes.all(v, v.by == variables.me)",
    f"""
    variables.me.contains(': ') || variables.me.contains('\\n') ?
      'the user name ' + variables.me + ' can not be told from a comment, so it can not vote on ' +
        variables.where + ': vote with another identity' :
      variables.me + ' can not vote on ' + {_NAMES} + ' of ' + variables.where +
        ' in the name of somebody else: the vote must read <decision> by ' + variables.me +
        ', exactly, and then nothing or a colon, a space and a comment'""",
    "the user that a vote names must be the one who writes it, exactly",
)
_CODE: Final = Rule(
    """
    variables.votes.all(v, !(v.node in variables.asked) || (v.decision.contains('@')
      ? v.decision.split('@')[1] == variables.state[v.node].code
      : !variables.open.exists(g,
          g.name == v.node && g.checkpoint.?requireCode.orValue(false))))""",
    f"""
    'the vote of ' + variables.me + ' on ' + {_NAMES} + ' of ' + variables.where +
      ' must carry the code of this opening: ' + {_CODED} +
      '; see first that the question is still the one that you mean to answer'""",
    "the vote must carry the code of this opening, which the message of the Workflow tells",
)
_NEW: Final = Rule(
    f"""
    variables.votes.all(v, !(v.node in variables.asked) || v.text.size() >= {SEEN_TEXT} ||
      !{looked_at("v", "variables.state")})""",
    f"""
    'the vote of ' + variables.me + ' on ' + {_NAMES} + ' of ' + variables.where +
      ' would not count: this very text stood there before, and the operator has not seen yet' +
      ' that it was taken away; try again in a moment, or write ' + {_CODED}""",
    "this very text stood there before, and the operator has not seen yet that it was taken away;"
    " try again in a moment, or write another",
)
_LISTED: Final = Rule(
    """
    variables.votes.all(v, variables.open.all(g, g.name != v.node || !has(g.checkpoint.approvers) ||
      variables.me in g.checkpoint.approvers.?users.orValue([]) ||
      request.userInfo.?groups.orValue([]).exists(x,
        x in g.checkpoint.approvers.?groups.orValue([]))))""",
    f"""
    variables.me + ' is not among the approvers of ' + {_NAMES} + ' of ' + variables.where +
      ', neither as a user nor by a group: ask somebody who is'""",
    "the writer is not among the approvers of this checkpoint",
)
_NO_MACHINE: Final = Rule(
    """
    !variables.me.startsWith('system:serviceaccount:') || variables.votes.all(v,
      variables.open.all(g, g.name != v.node ||
        variables.me in g.checkpoint.?approvers.?users.orValue([])))""",
    f"""
    'the service account ' + variables.me + ' can not vote on ' + {_NAMES} + ' of ' +
      variables.where + ': approvers.users of the checkpoint would have to name it'""",
    "a service account votes only where approvers.users of the checkpoint names it",
)
_NO_AUTHOR: Final = Rule(
    """
    variables.votes.all(v, !(variables.me in variables.authors) || variables.open.all(g,
      g.name != v.node || !g.checkpoint.?forbidAuthors.orValue(false)))""",
    f"""
    variables.me + ' wrote or changed ' + variables.where + ' or asked for a rerun, so can not' +
      ' vote on ' + {_NAMES} + ', which forbids authors: ask somebody else'""",
    "this checkpoint forbids authors to vote; ask somebody else",
)
_UNTOUCHED: Final = Rule(
    f"""
    variables.replaced.all(v, v.by == variables.me || !(v.node in variables.asked) ||
      {judged("v", "variables.state")})""",
    """
    variables.me + ' can not alter or remove the vote ' + variables.replaced.filter(v,
      v.by != variables.me)[0].key + ' of ' + variables.where + ', which somebody else cast and' +
      ' the operator has not judged yet: add a tag to the key of yours (<node>.<tag>)'""",
    "another's vote that isn't judged yet can't be altered or removed; add a tag to your key",
)
_ONE_EACH: Final = Rule(
    f"""
    variables.touched.size() == 0 || variables.votes.all(v, variables.standing.filter(s,
      s.node == v.node && s.by == variables.me && s.node in variables.asked &&
      !{judged("s", "variables.state")}).size() <= 1)""",
    f"""
    variables.me + ' has already voted on ' + {_NAMES} + ' of ' + variables.where +
      ' under another key: overwrite or remove that vote'""",
    "a user has one vote on a checkpoint; overwrite or remove the other",
)
_ROOM: Final = Rule(
    f"""
    variables.gates.size() == 0 ||
      {_size("variables.others", "variables.after")} <= {MAX_OTHER_BYTES} ||
      (request.operation == 'UPDATE' && oldObject.spec.nodes.exists(n, has(n.checkpoint)) &&
        {_size("variables.others", "variables.after")}
        <= {_size("variables.othersBefore", "variables.before")})""",
    f"""
    'the annotations of ' + variables.where + ' that ' + variables.me + ' writes, votes aside,' +
      ' are larger than {MAX_OTHER_BYTES // 1024} KiB, which would leave no room for votes: make' +
      ' them smaller (kubectl apply stores the manifest there, with --server-side it does not)'""",
    f"annotations other than votes have at most {MAX_OTHER_BYTES // 1024} KiB where there are"
    " checkpoints",
)
_CREATED: Final = Rule(
    f"""
    request.operation != 'CREATE' ||
      {_size("variables.voteKeys", "variables.after")} <= {MAX_CREATED_BYTES}""",
    f"""
    'the votes that ' + variables.me + ' creates ' + variables.where + ' with are larger than' +
      ' {MAX_CREATED_BYTES // 1024} KiB, which would leave no room for those that people cast:' +
      ' leave these annotations out, as none of them counts'""",
    f"a Workflow is created with votes of at most {MAX_CREATED_BYTES // 1024} KiB; leave them out,"
    " as none of them counts",
)

VOTES: Final = Policy(
    name="tidegate-votes",
    resources=((c.GROUP, c.PLURAL),),
    operations=("CREATE", "UPDATE"),
    variables=_VARIABLES,
    rules=(
        _MAY_APPROVE,
        _ALONE,
        _WAITS,
        _KEYED,
        _SHORT,
        _READABLE,
        _OWN_NAME,
        _CODE,
        _NEW,
        _LISTED,
        _NO_MACHINE,
        _NO_AUTHOR,
        _UNTOUCHED,
        _ONE_EACH,
        _ROOM,
        _CREATED,
    ),
    audit={
        "uid": "variables.touched.size() == 0 ? '' : string(object.metadata.uid)",
        "key": "variables.touched.join(' ')",
        "vote": """
            (variables.changed.map(k, string(variables.after[k])) +
              variables.removed.map(k, 'removed: ' + string(variables.before[k]))).join('\\n')""",
    },
)
