"""The chart's template is what the policies say."""

from pathlib import Path

from tidegate.policies.chart import CHART_PATH, chart_template, main

REPOSITORY = Path(__file__).parents[3]


def test_the_chart_holds_what_is_generated() -> None:
    assert (REPOSITORY / CHART_PATH).read_text() == chart_template(), "run: make crds"


def test_it_is_written_where_it_belongs(tmp_path: Path) -> None:
    (tmp_path / CHART_PATH).parent.mkdir(parents=True)
    main(tmp_path)
    assert (tmp_path / CHART_PATH).read_text() == chart_template()
