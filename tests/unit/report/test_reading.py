"""The readers that judge logs are not blind."""

import pytest

from tests.golden.stories import succeeded
from tests.unit.engine.builders import rows
from tests.unit.report.mermaid import parse_mermaid
from tests.unit.report.reading import complaints
from tidegate.report.markdown import render

COLOURS = "fill:#000000,stroke:#000000,color:#000000"
GRAPH = f'flowchart LR\n  n1["✓ a"]:::Succeeded\n{{}}\n  classDef Succeeded {COLOURS}\n'


@pytest.mark.parametrize(
    "line",
    rows({
        "links": "see [x](http://x.example)",
        "bare links": "see http://x.example",
        "links without a scheme": "see www.x.example",
        "mail": "see a@x.example",
        "images": "![x](y)",
        "HTML": "a <b>c</b>",
        "HTML as a block": "<details>",
        "comments": "<!-- x -->",
        "names": "hello @bob",
        "issues": "as in #12",
        "issues by prefix": "as in GH-12",
        "commits": "as of 1234567",
        "pictures by name": "fine :smile:",
        "mathematics": "fine $x$",
        "headings of others": "## Mine",
        "second titles": "# Mine",
        "quotes": "> x",
        "lists with numbers": "1. x",
        "lists in lists": "- - x",
        "indented code": "    x",
        "rules": "---",
        "emphasis": "*x*",
        "spans that aren't closed": "a `b",
        "fences that aren't closed": "```text\nx",
        "fences of a kind": "```python\nx\n```",
        "escapes": "a \x1b[31mb",
        "bidi controls": "a \u202eb",
        "line separators": "a\u2028b",
        "rows with too many cells": "| a | b |\n|---|---|\n| c | d | e |",
        "graphs that aren't ours": "```mermaid\nflowchart LR\n  click a href\n```",
    }),
)  # fmt: skip
def test_a_log_with_one_more_line_is_complained_of(line: str) -> None:
    log = render(succeeded())
    assert complaints(log) == []
    assert complaints(f"{log}\n{line}\n") != []


@pytest.mark.parametrize(
    "line",
    rows({
        "a quote in a label": '  n2["✓ a"b"]:::Succeeded',
        "HTML in a label": '  n2["✓ <b>"]:::Succeeded',
        "another state than its class": '  n2["✗ b"]:::Succeeded',
        "a class without colours": '  n2["✗ b"]:::Failed',
        "a second box of the same id": '  n1["✓ a"]:::Succeeded',
        "an edge to nowhere": "  n1 --> n2",
        "a link": '  click n1 "http://x.example"',
        "a directive": "  %%{init: {}}%%",
    }),
)  # fmt: skip
def test_a_graph_with_one_more_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_mermaid(GRAPH.format(line))


def test_the_graph_itself_is_read() -> None:
    assert parse_mermaid(GRAPH.replace("{}\n", "")).boxes == {"n1": ("a", "Succeeded")}
