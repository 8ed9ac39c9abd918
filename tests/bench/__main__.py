"""Measurements by hand: ``make bench``, or ``make bench ARGS='idle'``.

Nothing here asserts: the machines are noisy. Read the ratios and the counts.
"""

from __future__ import annotations

import argparse

from tests.bench import idle, makespan
from tests.kit.cluster import Cluster


def main() -> None:
    """Measure what the command line names; makespans by default."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("what", nargs="*", default=["makespan"], help="makespan, idle")
    parser.add_argument("--rounds", type=int, default=3, help="of each shape, in turns")
    parser.add_argument("--workflows", type=int, default=1000, help="finished ones, for idle")
    arguments = parser.parse_args()
    cluster = Cluster.find()
    if "makespan" in arguments.what:
        makespan.measure(cluster, arguments.rounds)
    if "idle" in arguments.what:
        idle.measure(cluster, arguments.workflows, 10)


if __name__ == "__main__":
    main()
