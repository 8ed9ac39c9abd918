"""Text from outside, as people get to see it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.engine.builders import rows
from tests.unit.report.hostile import texts
from tidegate.api.plain import clip, lines, one_line


@pytest.mark.parametrize(
    ("text", "expected"),
    rows({
        "plain words stay": ("exit code 1", "exit code 1"),
        "lines become one": ("a\n  b\r\n\tc", "a b c"),
        "colours go": ("\x1b[1;31mred\x1b[0m", "red"),
        "colours of eight bits go": ("\x9b31mred\x9b0m", "red"),
        "links for terminals go, their text stays": (
            "\x1b]8;;http://x.example\x1b\\here\x1b]8;;\x07!", "here!"),
        "titles for terminals go": ("\x1b]0;you are root\x07x", "x"),
        "a sequence that never ends takes no other line with it": ("\x1b]8;;http://x\nb", "b"),
        "a lone escape goes": ("a\x1b", "a"),
        "moves of the cursor go": ("a\x1b[2Kb\x1b[1Ac", "abc"),
        "bidi controls go": ("a\u202eb\u2066c\u200fd", "abcd"),
        "characters without width go": ("a\u200bb\ufeffc\u00add\u2060", "abcd"),
        "characters that look like nothing go": ("a\u115fb\u3164c\ufe0fd\U000e0100", "abcd"),
        "separators of lines and paragraphs are spaces": ("a\u2028b\u2029c\x85d", "a b c d"),
        "other controls are spaces": ("a\x00b\x07c\x7fd", "a b c d"),
        "other spaces are spaces": ("a\u00a0b\u3000c", "a b c"),
        "halves of characters are marked": ("a\ud800b", "a\ufffdb"),
        "other scripts stay": ("日本語 naïve שלום", "日本語 naïve שלום"),
        "marks don't pile up": ("e" + "\u0301" * 9, "e" + "\u0301" * 3),
    }),
)  # fmt: skip
def test_one_line(text: str, expected: str) -> None:
    assert one_line(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    rows({
        "lines stay lines": ("a\nb\r\nc\n", ["a", "b", "c"]),
        "what is indented stays so": ("a:\n  b", ["a:", "  b"]),
        "tabs are spaces, as wide as they look": ("a\tb", ["a       b"]),
        "a progress bar is what it was at last": ("10%\r50%\r100%\nend", ["100%", "end"]),
        "a bar that is wiped keeps what was seen": ("50%\r100%\r", ["100%"]),
        "blank lines stay between others only": ("\n\na\n\nb\n \n", ["a", "", "b"]),
        "colours go": ("\x1b[32mok\x1b[0m\n", ["ok"]),
        "nothing is nothing": ("\n \n", []),
    }),
)  # fmt: skip
def test_lines(text: str, expected: list[str]) -> None:
    assert lines(text) == expected


@given(texts)
def test_whatever_was_written_only_characters_that_are_seen_are_left(text: str) -> None:
    for line in (one_line(text), *lines(text)):
        assert line.isprintable()
        assert not any(unicodedata.category(ch) == "Cf" for ch in line)
        line.encode()


@given(texts, st.integers(1, 20))
def test_clip_says_when_something_is_missing(text: str, limit: int) -> None:
    plain = clip(text, limit)
    assert len(plain) <= limit
    assert plain == one_line(text) or plain.endswith("…")


def test_of_a_megabyte_only_the_beginning_is_looked_at() -> None:
    assert clip(" " * 1_000_000 + "x", 10) == "…"
