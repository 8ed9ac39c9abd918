"""The table of metrics in docs/operations.md: ``python -m tests.unit.docs.tables`` writes it."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

from tests.unit.docs.pages import DOCS
from tidegate import gauges, metrics

PAGE = DOCS / "operations.md"
BEGIN, END = "<!-- metrics: begin -->\n", "<!-- metrics: end -->\n"


def metrics_table() -> str:
    """Every metric as a row, sorted by name."""
    declared = [one for one in vars(metrics).values() if isinstance(one, MetricWrapperBase)]
    found = [(_name(one), one._type, one._labelnames, one._documentation) for one in declared]
    found += [
        (one.name, one.type, one._labelnames, one.documentation)
        for one in gauges.Gauges(lambda: None, dict).describe()
    ]
    head = "| metric | type | labels | meaning |\n|---|---|---|---|\n"
    return head + "".join(
        f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {text} |\n"
        for name, kind, labels, text in sorted(found)
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
