"""Random histories, as many as are asked for, and all those that once found something.

``TIDEGATE_SIM_SECONDS`` says for how long (``make soak``, ``make test-unit``); without it there are
at least ``TIDEGATE_HISTORIES``, 5,000 by default. ``TIDEGATE_FIRST_SEED`` says where to begin; a
soak begins anywhere. A failure tells the command that shows its trace.
"""

import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.__main__ import attempt
from tests.sim.history import live

_SECONDS = float(os.environ.get("TIDEGATE_SIM_SECONDS", "0"))
_HISTORIES = int(os.environ.get("TIDEGATE_HISTORIES", "5000"))
_A_SOAK = 60.0
_FIRST = int(
    os.environ.get(
        "TIDEGATE_FIRST_SEED", random.randrange(2**31) if _SECONDS > _A_SOAK else 1_000_000
    )
)
_BATCH = 128
_SEEDS = Path(__file__).with_name("seeds.txt")


def _kept() -> list[tuple[int, str]]:
    lines = (line.strip() for line in _SEEDS.read_text().splitlines())
    told = (line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    return [(int(seed), found) for seed, found in told]


@pytest.mark.parametrize(("seed", "found"), _kept())
def test_what_was_once_found_stays_mended(seed: int, found: str) -> None:
    result = live(seed)
    assert not result.violations, f"{found}:\n{_told(seed, result.violations)}"


@pytest.mark.timeout(0)
def test_random_histories(capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    lives = writes = 0
    failed: list[str] = []
    for seed, violations, wrote, lived in _results(began):
        lives, writes = lives + lived, writes + wrote
        if violations:
            failed.append(_told(seed, violations))
    took = time.monotonic() - began
    with capsys.disabled():
        print(f"\n{lives} histories from seed {_FIRST}, {writes} writes, {took:.0f} s")  # noqa: T201
    assert not failed, f"{len(failed)} failed:\n" + "\n".join(failed[:20])


def _results(began: float) -> Iterator[tuple[int, list[str], int, int]]:
    """Batch by batch, until time is over or enough histories have been lived through."""
    first, lives, failed = _FIRST, 0, 0
    with multiprocessing.get_context("forkserver").Pool(os.cpu_count()) as pool:
        while failed < _BATCH and _goes_on(time.monotonic() - began, lives):
            for result in pool.map(attempt, range(first, first + _BATCH), chunksize=8):
                lives += result[3]
                failed += bool(result[1])
                yield result
            first += _BATCH


def _goes_on(seconds: float, lives: int) -> bool:
    return seconds < _SECONDS if _SECONDS else lives < _HISTORIES


def _told(seed: int, violations: list[str]) -> str:
    return f"{violations[0][:500]}  (python -m tests.sim --seed {seed})"
