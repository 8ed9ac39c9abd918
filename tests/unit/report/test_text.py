"""Words from outside in markdown: prose where nothing could come of it, code elsewhere."""

import pytest
from hypothesis import given
from markdown_it import MarkdownIt

from tests.unit.engine.builders import rows
from tests.unit.report.hostile import texts
from tidegate.api.plain import one_line
from tidegate.report.text import cell, code, fenced, is_plain, name, names, opening, words

MARKDOWN = MarkdownIt("commonmark")


@pytest.mark.parametrize(
    ("text", "expected"),
    rows({
        "plain words are prose": ("it didn't start in time", "it didn't start in time"),
        "names of things in words are code": (
            "image registry.example/x:v7 can't be pulled: not found",
            "image `registry.example/x:v7` can't be pulled: not found"),
        "punctuation stays outside of code": ("see a_b, then c_d.", "see `a_b`, then `c_d`."),
        "several in a row are one piece of code": ("a <b> <c> d", "a `<b> <c>` d"),
        "times and numbers are prose": (
            "1.4 s until 14:32, 50% of 3/7", "1.4 s until 14:32, 50% of 3/7"),
        "links are code": ("at www.x.example or http://y", "at `www.x.example` or `http://y`"),
        "names of people are code": ("ask @bob or b@x", "ask `@bob` or `b@x`"),
        "issues are code": ("see #1, GH-2, gh-3, ABC-4", "see `#1, GH-2, gh-3, ABC-4`"),
        "commits are code": ("at deadbeef and 1234567", "at `deadbeef` and `1234567`"),
        "names of nodes with numbers are prose": ("shard-1 runs", "shard-1 runs"),
        "quotes in words are kept": ('"Publish 1200 rows?"', '"Publish 1200 rows?"'),
        "a command is one piece of code": (
            "answer with: kubectl annotate twf x a='b c'; or wait",
            "answer with: `kubectl annotate twf x a='b c'` ; or wait"),
        "backticks are shown": ("run `x` now", "run `` `x` `` now"),
        "nothing is nothing": ("", ""),
    }),
)  # fmt: skip
def test_words(text: str, expected: str) -> None:
    assert words(text) == expected


@pytest.mark.parametrize("text", ["1. one", "1) one", "- one", "+ one", "= one", "--- one"])
def test_a_text_at_the_beginning_of_a_line_begins_no_list(text: str) -> None:
    assert opening(text).startswith("`")


@pytest.mark.parametrize(
    "word",
    ["http://x", "x.y", "a@b", "@a", "#1", "a_b", "*a*", "~a", "<a", "a&b", "a|b", "`a", "a\\",
     "[a", "a]", "!a[", "$a", ":a:", "GH-1", "gh-12", "ABC-1", "deadbeef", "{a}", "a^b", "a" * 99],
)  # fmt: skip
def test_words_that_could_mean_something_are_not_plain(word: str) -> None:
    assert not is_plain(word)


@given(texts)
def test_code_shows_the_text_itself(text: str) -> None:
    shown = one_line(text)
    if not shown or "`" * 9 in shown:
        return
    (paragraph,) = [t for t in MARKDOWN.parse(f"x {code(text, 9999)} y") if t.type == "inline"]
    assert paragraph.children
    before, span, after = paragraph.children
    assert (before.content, span.content, after.content) == ("x ", shown, " y")


@given(texts)
def test_a_fence_shows_the_lines_themselves(text: str) -> None:
    inside = one_line(text)
    if "`" * 9 in inside:
        return
    (fence,) = MARKDOWN.parse("\n".join(fenced([inside, "end"])))
    assert fence.content == f"{inside}\nend\n"


def test_runs_of_backticks_that_parsers_give_up_on_are_shortened() -> None:
    assert code("`" * 300) == f"{'`' * 9} {'`' * 8} {'`' * 9}"
    assert fenced(["`" * 300])[0] == f"{'`' * 9}text"


def test_no_pipe_ends_a_cell() -> None:
    assert cell(code("a | b \\| c")) == "`a ¦ b \\¦ c`"


def test_names_are_prose_or_code_and_many_are_counted() -> None:
    assert (name("extract"), name("gh-1"), name("1."), name("")) == (
        "extract", "`gh-1`", "`1.`", "` `")  # fmt: skip
    assert names(["a", "b"], 3) == "a, b"
    assert names(["a", "b", "c", "d"], 2) == "a, b and 2 more"
