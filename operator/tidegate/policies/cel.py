"""Pieces of CEL that several rules share, so that each stands once."""

from typing import Final

from tidegate import constants as c

VOTE: Final = c.ANNOTATION_VOTE
SEEN_DIGEST: Final = 13
"""Characters before the key in an entry of ``status.nodes[].seen``: a digest and a space."""
SEEN_TEXT: Final = 200
"""Characters of a vote's text that such an entry holds."""

ME: Final = "request.userInfo.username"
BEFORE: Final = """
    request.operation == 'CREATE' ? {} : oldObject.metadata.?annotations.orValue({})"""
AFTER: Final = "object.metadata.?annotations.orValue({})"
WHERE: Final = "'twf ' + request.namespace + '/' + object.metadata.?name.orValue('(new)')"


def ballots(keys: str, annotations: str) -> str:
    """CEL: what the votes of ``keys`` in a map of annotations say.

    The first line is read up to the first ``: ``; what follows the first `` by `` there is the
    user. A user whose name holds ``: `` can't be told from a comment and can't vote.
    """
    return f"""
        {keys}.map(k, {{
          'key': k.substring({len(VOTE)}),
          'node': k.substring({len(VOTE)}).split('.', 2)[0],
          'text': string({annotations}[k]),
          'said': string({annotations}[k]).split('\\n', 2)[0].split(': ', 2)[0]
        }}).map(v, {{
          'key': v.key,
          'node': v.node,
          'text': v.text,
          'decision': v.said.split(' by ', 2)[0],
          'by': v.said.contains(' by ') ? v.said.substring(v.said.indexOf(' by ') + 4) : ''
        }})"""


def looked_at(vote: str, state: str) -> str:
    """CEL: whether status tells of this key and the beginning of this text as looked at."""
    return f"""{state}[{vote}.node].?seen.orValue([]).exists(one,
            one.size() > {SEEN_DIGEST} && one.substring({SEEN_DIGEST}) == {vote}.key + '=' +
              ({vote}.text.size() > {SEEN_TEXT} ? {vote}.text.substring(0, {SEEN_TEXT})
                : {vote}.text))"""


def judged(vote: str, state: str) -> str:
    """CEL: whether status tells of this very text of this key, as counted or as looked at."""
    return f"""(
          {state}[{vote}.node].?votes.orValue([]).exists(c,
            c.key == {vote}.key && c.text == {vote}.text) ||
          {looked_at(vote, state)})"""
