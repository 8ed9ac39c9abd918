"""Whatever a status holds and users wrote, the log is valid markdown and nothing comes of it."""

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.report.hostile import reports
from tests.unit.report.reading import READER, complaints
from tests.unit.report.volumes import section
from tidegate.report.markdown import MIN_BYTES, render
from tidegate.report.model import Report
from tidegate.report.volume import Volume, composed

PATIENT = settings(suppress_health_check=[HealthCheck.too_slow])
"""Statuses are large, and machines may be busy."""


@PATIENT
@given(reports())
def test_nothing_comes_of_any_text(report: Report) -> None:
    log = render(report)
    assert complaints(log) == []
    assert log == render(report)


@PATIENT
@given(reports(), st.integers(0, 2 * MIN_BYTES))
def test_a_log_keeps_to_its_bytes_and_is_still_valid(report: Report, budget: int) -> None:
    log = render(report, budget)
    assert len(log.encode()) <= max(budget, MIN_BYTES)
    assert complaints(log) == []


@PATIENT
@given(st.lists(reports(), min_size=2, max_size=4), st.integers(1, 120))
def test_each_run_that_a_log_still_tells_of_is_valid_by_itself(
    runs: list[Report], percent: int
) -> None:
    volume = Volume()
    for number, report in enumerate(runs, 1):
        volume = composed(volume, section(render(report), run=number))
    limit = 2 * len(volume.text.encode()) * percent // 100
    volume = composed(volume, section("# flow · run 9\n", run=9), limit)
    first, *told = list(_by_titles(volume.text))
    assert first in ("", "Earlier runs had no room here and are left out.\n")
    assert [complaints(one) for one in told] == [[] for _ in told]


def _by_titles(log: str) -> Iterator[str]:
    """What stands before the first title, and each title with what follows."""
    lines = log.split("\n")
    titles = (
        t.map[0] for t in READER.parse(log) if t.type == "heading_open" and t.tag == "h1" and t.map
    )
    starts = [0, *titles, len(lines)]
    for start, end in pairwise(starts):
        yield "\n".join(lines[start:end]).rstrip("\n") + "\n" if end > start else ""
