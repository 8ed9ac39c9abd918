"""Whatever text people and programs come up with arrives in containers byte for byte.

Texts are drawn at random; many of them go through one Workflow, as params, outputs and messages,
in arguments and in variables.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.kit.space import Space
from tidegate.engine.messages import MAX_MESSAGE, clip

pytestmark = pytest.mark.e2e

TEXTS = 32
MAX_PAYLOAD = 3500
"""Bytes, so that a termination message isn't cut."""
SPECIAL = [
    *("$", "$$", "$(", ")", "$(params.t0)", "$(nodes.tell.outputs.t0)", "$(HOME)", "${HOME}"),
    *("$(SECRET)", "'", '"', "\\", "\n", "\r\n", "\t", "`", ";", "&", "%", "{{", "-n", " "),
    *("\x01", "\x7f", "\u202e", "\u00e9", "\U0001f30a"),
]
ANY = st.text(st.characters(exclude_characters="\0\ufffd", exclude_categories=["Cs"]), max_size=24)
PIECES = st.lists(st.one_of(st.sampled_from(SPECIAL), ANY), max_size=8).map("".join)
PRINT_HEX = 'for text; do printf %s "$text" | od -An -v -tx1 | tr -d " \\n"; echo; done'
VARIABLES = " ".join(f'"$T{i}"' for i in range(TEXTS))
SECRET = {"name": "SECRET", "value": "expanded"}


def fitting(texts: list[str]) -> list[str]:
    """The first of the texts, as many as fit into one termination message."""
    found: list[str] = []
    for text in texts:
        if len(payload([*found, text]).encode()) > MAX_PAYLOAD:
            break
        found.append(text)
    return found


def payload(texts: list[str]) -> str:
    return json.dumps({f"t{i}": text for i, text in enumerate(texts)}, ensure_ascii=False)


def reader(name: str, reference: str, count: int, **fields: Any) -> dict[str, Any]:
    """A node that prints what it is given as arguments, in hexadecimal digits."""
    references = [f"$({reference}{i})" for i in range(count)]
    command = ["sh", "-c", PRINT_HEX, "sh"]
    return {"name": name, "command": command, "args": references, "env": [SECRET], **fields}


def flow(texts: list[str], told: list[str], message: str) -> dict[str, Any]:
    variables = [{"name": f"T{i}", "value": f"$(params.t{i})"} for i in range(TEXTS)]
    return {
        "params": [
            *({"name": f"t{i}", "value": text} for i, text in enumerate(texts)),
            {"name": "payload", "value": payload(told)},
            {"name": "message", "value": message},
        ],
        "nodes": [
            reader("args", "params.t", TEXTS),
            {
                "name": "env",
                "env": [SECRET, *variables],
                "script": f"set -- {VARIABLES}; {PRINT_HEX}",
            },
            {
                "name": "tell",
                "env": [{"name": "PAYLOAD", "value": "$(params.payload)"}],
                "script": 'printf %s "$PAYLOAD" > "$TIDEGATE_OUTPUT"',
            },
            reader("outputs", "nodes.tell.outputs.t", len(told), dependsOn=["tell"]),
            {
                "name": "fails",
                "fallback": "hears",
                "env": [{"name": "MESSAGE", "value": "$(params.message)"}],
                "script": 'printf %s "$MESSAGE" > "$TIDEGATE_OUTPUT"; exit 3',
            },
        ],
        "standbys": [
            {
                "name": "hears",
                "env": [SECRET],
                "script": f'set -- "$TIDEGATE_PRIMARY_ERROR"; {PRINT_HEX}',
            },
        ],
    }


@settings(
    max_examples=3,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(texts=st.lists(PIECES, min_size=TEXTS, max_size=TEXTS), message=PIECES.filter(str.strip))
def test_any_text_arrives_byte_for_byte(space: Space, texts: list[str], message: str) -> None:
    told = fitting(texts)
    run = space.flow(flow(texts, told, message), f"flow-{len(space.runs)}")
    run.finished("Succeeded")

    def printed(node: str) -> list[str]:
        return [bytes.fromhex(line).decode() for line in run.log(node).split("\n")[:-1]]

    assert printed("args") == texts
    assert printed("env") == texts
    assert printed("outputs") == told
    # A message is made harmless once, when it is recorded; from there on it is text like any other.
    heard = json.loads(printed("fails")[-1])["message"]
    assert heard == run.node("fails")["failures"][0]["message"]
    assert heard == clip(f"exit code 3 ({message})", MAX_MESSAGE)
