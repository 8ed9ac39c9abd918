"""The command line: which cluster, and what to do with it."""

from __future__ import annotations

import argparse
import sys

from tests.cluster.errors import ClusterError
from tests.cluster.files import locked
from tests.cluster.local.provider import LocalCluster
from tests.cluster.paths import Paths
from tests.cluster.report import Reporter


def main(argv: list[str] | None = None) -> int:
    p = argparse.ArgumentParser()
    p.add_argument("cmd")
    a = p.parse_args(argv)
    paths = Paths.from_environment()
    report = Reporter()
    try:
        with locked(paths.lock, lambda: report.say("waiting for another run")):
            c = LocalCluster(paths, report)
            getattr(c, a.cmd)()
    except ClusterError as e:
        print(e.explain(), file=sys.stderr)
        return 1
    return 0
