"""Whatever a status holds and users wrote, the log is valid markdown and nothing comes of it."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.report.hostile import reports
from tests.unit.report.reading import complaints
from tidegate.report.markdown import MIN_BYTES, render
from tidegate.report.model import Report

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
