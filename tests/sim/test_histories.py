"""Random histories, as many as the time allows, and all those that once found something.

``TIDEGATE_HISTORIES`` says how many (``make test`` sets at least 5,000), ``TIDEGATE_FIRST_SEED``
where to begin; a failure tells the command that shows its trace.
"""

import multiprocessing
import os
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.sim.__main__ import attempt
from tests.sim.history import live

_HISTORIES = int(os.environ.get("TIDEGATE_HISTORIES", "600"))
_FIRST = int(os.environ.get("TIDEGATE_FIRST_SEED", "1000000"))
_SEEDS = Path(__file__).with_name("seeds.txt")


def _kept() -> list[tuple[int, str]]:
    lines = (line.strip() for line in _SEEDS.read_text().splitlines())
    told = (line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    return [(int(seed), found) for seed, found in told]


@pytest.mark.parametrize(("seed", "found"), _kept())
def test_what_was_once_found_stays_mended(seed: int, found: str) -> None:
    result = live(seed)
    assert not result.violations, f"{found}:\n{_told(seed, result.violations)}"


@pytest.mark.timeout(1800)
def test_random_histories(capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    lives = writes = 0
    failed: list[str] = []
    for seed, violations, wrote, lived in _all(range(_FIRST, _FIRST + _HISTORIES)):
        lives, writes = lives + lived, writes + wrote
        if violations:
            failed.append(_told(seed, violations))
    took = time.monotonic() - began
    with capsys.disabled():
        print(f"\n{lives} histories, {writes} writes, {took:.0f} s")  # noqa: T201
    assert not failed, f"{len(failed)} failed:\n" + "\n".join(failed[:20])


def _all(seeds: Iterable[int]) -> list[tuple[int, list[str], int, int]]:
    with multiprocessing.get_context("forkserver").Pool(os.cpu_count()) as pool:
        return pool.map(attempt, seeds, chunksize=16)


def _told(seed: int, violations: list[str]) -> str:
    return f"{violations[0][:500]}  (python -m tests.sim --seed {seed})"
