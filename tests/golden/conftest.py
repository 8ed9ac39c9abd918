"""Comparing what is generated with what is committed.

``pytest tests/golden --update-golden`` writes the files anew; read the diff before committing it.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

OPTION = "--update-golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(OPTION, action="store_true", help="write golden files anew")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Asserts that a file holds a text, or writes it there with --update-golden."""
    update = request.config.getoption(OPTION, default=False)

    def compare(path: Path, text: str) -> None:
        if update:
            path.write_text(text)
        assert path.exists(), f"{path.name} is missing; pytest tests/golden {OPTION} writes it"
        assert text == path.read_text()

    return compare
