import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api import duration as d

MS = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("1h30m", 5400),
        ("1h0m5s", 3605),
        ("2h5s", 7205),
        ("8760h", 8760 * 3600),
        ("1s", 1),
    ],
)
def test_reads_go_style(text: str, seconds: float) -> None:
    assert d.parse_duration(text) == timedelta(seconds=seconds)
    assert d.parse_backoff(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("500ms", 500), ("1s500ms", 1500), ("1ms", 1), ("1m5ms", 60005)]
)
def test_backoffs_take_milliseconds(text: str, milliseconds: int) -> None:
    assert d.parse_backoff(text) == milliseconds * MS
    with pytest.raises(ValueError, match="is no duration"):
        d.parse_duration(text)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("5", "5 is no duration; write it like 90s, 10m or 1h30m"),
        ("", "is no duration"),
        ("-5s", "-5s is no duration"),
        ("1.5h", "1.5h is no duration"),
        ("5m1h", "is no duration"),
        ("٣s", "is no duration"),
        ("5s\n", "is no duration"),
        ("1d", "is no duration"),
        (90, "90 is no duration"),
        (None, "None is no duration"),
        ("0s", "0s is out of bounds; from 1s to 8760h"),
        ("8760h1s", "8760h1s is out of bounds"),
        ("1" * 4000 + "s", "1…"),
    ],
)
def test_refuses_with_the_remedy(value: object, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        d.parse_duration(value)
    assert len(str(caught.value)) < 120


@given(st.integers(1, 8760 * 3600))
def test_whole_seconds_survive_writing_and_reading(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert d.parse_duration(d.format_duration(duration)) == duration


@given(st.integers(1, 10**10))
def test_milliseconds_survive_writing_and_reading(milliseconds: int) -> None:
    assert d.parse_backoff(d.format_duration(milliseconds * MS)) == milliseconds * MS


@given(st.text("0123456789hms", max_size=12))
def test_pattern_and_parser_agree(text: str) -> None:
    for pattern, parse in ((d.PATTERN, d.parse_duration), (d.BACKOFF_PATTERN, d.parse_backoff)):
        try:
            parse(text)
            parsed, words = True, ""
        except ValueError as error:
            parsed, words = False, str(error)
        assert bool(re.fullmatch(pattern, text)) == (parsed or "out of bounds" in words)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-3, "0 s"),
        (0.04, "0 s"),
        (1.4, "1.4 s"),
        (8, "8 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (600, "10 min"),
        (876, "14 min 36 s"),
        (5400, "1 h 30 min"),
        (3601, "1 h"),
        (90000, "1 d 1 h"),
    ],
)
def test_is_told_to_people(seconds: float, text: str) -> None:
    assert d.human(seconds) == text
    assert d.human(timedelta(seconds=seconds)) == text


def test_nothing_is_formatted_as_seconds() -> None:
    assert d.format_duration(timedelta()) == "0s"
