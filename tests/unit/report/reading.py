"""Reading a log as a Git host does, with links found in plain text, and complaining.

``complaints`` of a text is everything that must not be in a log, whatever users wrote: what is not
said by the renderer itself must stand in code, where no host looks for anything.
"""

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.unit.report.mermaid import parse_mermaid

READER = MarkdownIt("gfm-like", {"linkify": True, "html": True})
TITLES = {
    "What is wrong with the spec",
    "What went wrong",
    "What was cut short",
    "Going on",
    "Checkpoints",
    "Nodes",
    "Went wrong, and was made good",
    "Timeline",
    "Graph",
    "Images",
    "Look deeper",
}
ALLOWED = {
    "heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "fence",
    "bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close",
    "table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close",
    "tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close",
    "text", "code_inline", "strong_open", "strong_close", "softbreak",
}  # fmt: skip
COLUMNS = 6
MEANT = re.compile(
    r"""
      [`*_~<>\[\]|\\$&^{}]              # markdown, HTML, mathematics
    | @ | \#                            # names and issues
    | :// | \bwww\b\. | \w\.[a-zA-Z]    # links
    | :(?![0-9]{2}:)[\w+-]+:            # pictures by name
    | \b[A-Z][A-Z0-9]*-\d | (?i:\bgh-\d) | \b[0-9a-fA-F]{7,}\b   # issues and commits
    """,
    re.VERBOSE,
)


def complaints(markdown: str) -> list[str]:
    """All that is wrong with a log, in words."""
    tokens = READER.parse(markdown)
    return [
        *(f"control {ch!r}" for ch in set(markdown) if not (ch.isprintable() or ch == "\n")),
        *([] if markdown.endswith("\n") and not markdown.endswith("\n\n") else ["its end"]),
        *_structure(tokens),
        *_fences(markdown, tokens),
        *_tables(markdown, tokens),
    ]


def _structure(tokens: list[Token]) -> Iterator[str]:
    titles = [
        tokens[i + 1].content for i, t in enumerate(tokens) if t.tag == "h2" and t.nesting == 1
    ]
    if set(titles) - TITLES or len(set(titles)) != len(titles):
        yield f"headings {titles}"
    if [t.tag for t in tokens if t.type == "heading_open"].count("h1") != 1:
        yield "not one title"
    for token in _flat(tokens):
        if token.type not in ALLOWED:
            yield f"{token.type} {token.content!r}"
        if token.type == "text" and MEANT.search(token.content):
            yield f"plain text {token.content!r}"
    depth = max((t.level for t in tokens if t.type == "list_item_open"), default=1)
    if depth > 1:
        yield "a list in a list"


def _flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from token.children or ()


def _fences(markdown: str, tokens: list[Token]) -> Iterator[str]:
    lines = markdown.split("\n")
    for token in tokens:
        if token.type != "fence":
            continue
        assert token.map is not None
        if lines[token.map[1] - 1] != token.markup:
            yield f"a fence that isn't closed: {token.content[:80]!r}"
        if token.info == "mermaid":
            try:
                parse_mermaid(token.content)
            except ValueError as error:
                yield f"mermaid: {error}"
        elif token.info not in ("text", "sh"):
            yield f"a fence of {token.info!r}"


def _tables(markdown: str, tokens: list[Token]) -> Iterator[str]:
    lines = markdown.split("\n")
    for token in tokens:
        if token.type == "table_open":
            assert token.map is not None
            for line in lines[token.map[0] : token.map[1]]:
                if line.count("|") != COLUMNS + 1:
                    yield f"a row of a table: {line}"
