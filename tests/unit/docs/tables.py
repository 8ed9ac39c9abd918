"""The table of metrics in docs/observe.md: ``python -m tests.unit.docs.tables`` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

from tests.unit.docs.pages import DOCS
from tidegate import gauges, metrics

PAGE = DOCS / "observe.md"
BEGIN, END = "<!-- metrics: begin -->\n", "<!-- metrics: end -->\n"


def declared() -> list[tuple[str, str, Sequence[str], str]]:
    """Every metric with its type, labels and meaning, sorted by name."""
    wrapped = [one for one in vars(metrics).values() if isinstance(one, MetricWrapperBase)]
    found = [(_name(one), str(one._type), one._labelnames, one._documentation) for one in wrapped]
    found += [
        (one.name, one.type, one._labelnames, one.documentation)
        for one in gauges.Gauges(lambda: None, dict).describe()
    ]
    return sorted(found)


def labels_by_metric() -> dict[str, Sequence[str]]:
    """The labels of every metric, as Prometheus knows its name."""
    return {name: labels for name, _, labels, _ in declared()}


def metrics_table() -> str:
    """Every metric as a row."""
    head = "| metric | type | labels | meaning |\n|---|---|---|---|\n"
    return head + "".join(
        f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {text} |\n"
        for name, kind, labels, text in declared()
    )


def _name(metric: MetricWrapperBase) -> str:
    suffix = "_total" if isinstance(metric, Counter) else ""
    return f"{metric._name}{suffix}"


def written() -> str:
    """The page's part between the marks."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0]


def write(page: Path = PAGE) -> None:
    """Put the table between the marks."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(before + BEGIN + metrics_table() + END + after)


if __name__ == "__main__":
    write()
