from typing import Any

import pytest

from tests.unit.facts.raws import second
from tidegate.facts.event import refusal


def core(
    message: str, when: int, *, reason: str = "FailedCreate", uid: str = "job"
) -> dict[str, Any]:
    return {
        "reason": reason,
        "message": message,
        "involvedObject": {"kind": "Job", "uid": uid},
        "lastTimestamp": second(when),
    }


def modern(note: str, when: int, series: int | None = None) -> dict[str, Any]:
    event = {
        "reason": "FailedCreate",
        "note": note,
        "regarding": {"uid": "job"},
        "eventTime": second(when),
    }
    return event | ({"series": {"lastObservedTime": second(series)}} if series else {})


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], None),
        ([core("x", 1, reason="SuccessfulCreate")], None),
        ([core("x", 1, uid="another")], None),
        ([core('Error creating: pods "p" is forbidden: exceeded quota', 1)],
         'pods "p" is forbidden: exceeded quota'),
        ([core("later", 5), core("earlier", 2)], "later"),
        ([modern("once", 3), modern("again and again", 1, series=8)], "again and again"),
        ([core("", 1)], ""),
        ([{"reason": "FailedCreate", "involvedObject": []}], None),
    ],
)  # fmt: skip
def test_the_latest_words(events: list[dict[str, Any]], expected: str | None) -> None:
    assert refusal(events, "job") == expected
