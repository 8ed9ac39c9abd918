import logging
import sys
from collections.abc import Iterator

import orjson
import pytest

from tidegate.app.logs import JsonFormatter, TextFormatter, configure


def record(**extra: object) -> logging.LogRecord:
    try:
        int("odd")
    except ValueError:
        made = logging.LogRecord("x", logging.INFO, "", 0, "%d nodes", (3,), sys.exc_info())
    made.__dict__ |= extra
    return made


def test_a_line_of_json() -> None:
    line = orjson.loads(JsonFormatter().format(record(workflow="ns/w", node="a", attempt=2)))
    assert line["message"] == "3 nodes"
    assert (line["workflow"], line["node"], line["attempt"]) == ("ns/w", "a", "2")
    assert line["level"] == "info"
    assert "ValueError: invalid" in line["error"]
    assert line["time"].endswith("+00:00")


def test_a_line_for_people() -> None:
    text = TextFormatter().format(record(workflow="ns/w"))
    first, *rest = text.splitlines()
    assert first.endswith("INFO    3 nodes  (workflow=ns/w)")
    assert rest[-1].startswith("ValueError: invalid")


@pytest.fixture
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


@pytest.mark.parametrize(("style", "start"), [("json", "{"), ("auto", "{"), ("text", "1")])
def test_the_style_is_chosen(
    restored: None, capsys: pytest.CaptureFixture[str], style: str, start: str
) -> None:
    configure(style, "INFO")  # type: ignore[arg-type]
    logging.getLogger("tidegate").info("hello")
    logging.getLogger("kopf").info("noise")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(("{",) if start == "{" else tuple("0123456789"))
