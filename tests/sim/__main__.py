"""``python -m tests.sim --seconds 600``: live through histories for as long as you like.

``--seed K`` lives through one history and prints its trace; ``-v`` prints every seed.
"""

import argparse
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Iterator

from tests.sim.history import live
from tests.sim.scenario import scenario

_BATCH = 64


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default 60)")
    parser.add_argument("--seed", type=int, help="only this history, with its trace")
    parser.add_argument("--first", type=int, help="seeds from here on instead of random ones")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--stop", type=int, default=5, help="stop after so many failures")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    if options.seed is not None:
        return _show(options.seed, verbose=options.verbose)
    return _soak(options)


def _show(seed: int, *, verbose: bool) -> int:
    result = live(seed)
    if result.violations or verbose:
        print(_plot(seed))  # noqa: T201
        print(result.trace.text())  # noqa: T201
    print(f"seed {seed}: {result.seconds:.0f} s, {result.writes} writes, {result.phases}")  # noqa: T201
    for violation in result.violations:
        print(f"VIOLATED: {violation}")  # noqa: T201
    return 1 if result.violations else 0


def _plot(seed: int) -> str:
    plot = scenario(seed)
    shown = {name: getattr(plot, name) for name in plot.__slots__ if name != "programs"}
    return "\n".join(f"{name}: {value}" for name, value in shown.items())


def attempt(seed: int) -> tuple[int, list[str], int, int]:
    try:
        result = live(seed)
    except Exception as error:  # noqa: BLE001 - told with its seed
        return seed, [f"the simulator itself: {error!r}"], 0, 0
    return seed, result.violations, result.writes, 2 if result.calm else 1


def _batches(first: int | None, until: float) -> Iterator[list[int]]:
    """Seeds, a few at a time, as a pool takes whatever it is offered."""
    while time.monotonic() < until:
        if first is None:
            yield [random.randrange(2**31) for _ in range(_BATCH)]
        else:
            yield list(range(first, first + _BATCH))
            first += _BATCH


def _soak(options: argparse.Namespace) -> int:
    began = time.monotonic()
    count = writes = 0
    failed: list[int] = []
    with multiprocessing.Pool(options.processes) as pool:
        for batch in _batches(options.first, began + options.seconds):
            for seed, violations, wrote, lives in pool.imap_unordered(attempt, batch, chunksize=4):
                count, writes = count + lives, writes + wrote
                if options.verbose:
                    print(seed, violations)  # noqa: T201
                if violations:
                    failed.append(seed)
                    print(f"seed {seed}: {violations[0][:600]}", flush=True)  # noqa: T201
            if len(failed) >= options.stop:
                break
    took = time.monotonic() - began
    print(  # noqa: T201
        f"{count} histories, {writes} writes in {took:.0f} s ({count / took:.0f}/s), "
        f"{len(failed)} failed: {failed}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
