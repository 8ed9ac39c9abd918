"""How long a log takes to be rendered, by hand: ``python -m tests.bench.report_bench``.

Goal: under 20 ms for 500 nodes, whatever has become of them; with a small budget it is rendered
up to four times. Each number is the least CPU time of many.
"""

import sys
from collections.abc import Callable
from time import thread_time

from tests.bench.plan_bench import all_fail, failing, finished, half_done
from tests.unit.engine.run import Run
from tidegate.report.markdown import render
from tidegate.report.model import Report, Tail, attempt_key

SIZES = (10, 50, 500)
GOAL = 20.0
ROUNDS = 20
STORIES: tuple[Callable[[int], Run], ...] = (half_done, failing, all_fail, finished)
TEXT = "\n".join(f"2026-11-22T12:00:{i:02} INFO did <this> & that, {i} of 20" for i in range(20))
BUDGETS = (384 * 1024, 32 * 1024)


def report_of(run: Run) -> Report:
    """With a tail and an image for every attempt; what has just happened has been looked at."""
    run.look()
    keys = [attempt_key(a.run, a.node, a.number) for a in sorted(run.attempts)]
    tails = {key: Tail(TEXT, cut=True) for key in keys}
    return Report(run.fact.key, run.workflow, run.status, {}, tails, dict.fromkeys(keys, "img"))


def measured(report: Report, budget: int) -> tuple[float, int]:
    """Milliseconds and bytes."""
    taken = []
    for _ in range(ROUNDS):
        began = thread_time()
        log = render(report, budget)
        taken.append(thread_time() - began)
    return min(taken) * 1000, len(log.encode())


def main() -> None:
    """Print a line for each story, and budget."""
    head = "".join(f"{f'{size} nodes':>22}" for size in SIZES)
    sys.stdout.write(f"{'render':<10}{'budget':>8}{head}   goal\n")
    for story in STORIES:
        reports = [report_of(story(size)) for size in SIZES]
        for budget in BUDGETS:
            found = [measured(report, budget) for report in reports]
            cells = "".join(f"{f'{ms:.2f} ms {size / 1024:.1f} KiB':>22}" for ms, size in found)
            verdict = "kept" if found[-1][0] < GOAL else "missed"
            row = f"{story.__name__:<10}{budget // 1024:>4} KiB{cells}   {verdict}"
            sys.stdout.write(f"{row}\n")


if __name__ == "__main__":
    main()
