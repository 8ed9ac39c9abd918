"""Whatever runs leave behind, a log keeps to its bytes."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.report.volumes import NOON, section
from tidegate.report.model import Tail, attempt_key, node_key
from tidegate.report.volume import LIMIT, Section, Volume, composed, size

LEAST = 32 * 1024
"""What a log is at least allowed, however often it was refused as too large."""


@st.composite
def sections(draw: st.DrawFn, run: int) -> Section:
    """A run of some nodes, each with some attempts, that has much or little to tell."""
    nodes = [f"{i:0{draw(st.integers(3, 40))}}" for i in range(draw(st.integers(0, 250)))]
    attempts = range(1, draw(st.integers(1, 5)) + 1)
    keys = [attempt_key(run, node, number) for node in nodes for number in attempts]
    printed = draw(st.sampled_from(["", "x" * 20, "ä" * 500, "😀\n" * 3000]))
    image = draw(st.sampled_from(["busybox", "i" * 300, "é" * 1024, '"\\' * 200]))
    images: dict[str, tuple[str, ...]] = {image: tuple(node_key(run, node) for node in nodes)}
    if draw(st.booleans()):
        images = {f"{image}{key}": (key.rpartition(".")[0],) for key in keys}
    told = f"# a · run {run}\n" + "told\n" * draw(st.integers(0, 100_000))
    known: dict[str, Any] = {
        "tails": {key: Tail(printed) for key in keys},
        "ended": {key: NOON + timedelta(seconds=i) for i, key in enumerate(keys)},
        "images": images,
        "render": lambda budget: told[:budget],
    }
    return section(run=run, **known)


@given(st.data(), st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(LEAST, LIMIT))
def test_a_log_keeps_to_its_bytes(data: st.DataObject, runs: list[int], limit: int) -> None:
    volume = Volume()
    for run in sorted(runs):
        volume = composed(volume, data.draw(sections(run)), limit)
        assert size(volume.data) <= limit
        assert volume.text.count(f"# a · run {run}\n") == 1
        kept = {key for keys in volume.images().values() for key in keys}
        assert all(key.startswith(f"{run}.") for key in kept)
