"""What the kubelet makes of ``$`` in command, args and env.

After ``Expand`` in k8s.io/kubernetes/third_party/forked/golang/expansion.
"""

from collections.abc import Mapping


def expand(text: str, variables: Mapping[str, str]) -> str:
    """``text`` as a container gets it."""
    out, cursor = [], 0
    while cursor < len(text):
        if text[cursor] != "$" or cursor + 1 == len(text):
            out.append(text[cursor])
            cursor += 1
            continue
        following = text[cursor + 1]
        close = text.find(")", cursor)
        if following == "$":
            out.append("$")
            cursor += 2
        elif following == "(" and close >= 0:
            name = text[cursor + 2 : close]
            out.append(variables.get(name, f"$({name})"))
            cursor = close + 1
        else:
            out.append(text[cursor : cursor + 2])
            cursor += 2
    return "".join(out)
