"""How long a plan takes for 50 and 500 nodes, by hand: ``python -m tests.bench.plan_bench``.

Goals: under 1 ms at 50 nodes and under 10 ms at 500. Each number is the shortest of many plans on
the same input, as other work on the machine only ever adds to it; the ratio says whether the cost
grows faster than the nodes.
"""

import sys
from collections.abc import Callable
from time import perf_counter

from tests.unit.engine.builders import PATIENT, Json, node, spec
from tests.unit.engine.run import Run

SIZES = (50, 500)
GOALS = {50: 1.0, 500: 10.0}
ROUNDS = 60


def graph(count: int) -> list[Json]:
    """Ten waves; each node needs two of the wave before."""
    width = count // 10
    nodes = []
    for i in range(count):
        wave, place = divmod(i, width)
        before = f"n{i - width} n{(wave - 1) * width + (place + 1) % width}" if wave else ""
        nodes.append(node(f"n{i}", " ".join(dict.fromkeys(before.split())), retry=PATIENT))
    return nodes


def begins(count: int) -> Run:
    """The first look at a new Workflow."""
    return Run(spec(*graph(count), parallelism=500), look=False)


def half_done(count: int) -> Run:
    """Half of the nodes have succeeded, a wave runs, and a pod of it has just ended."""
    run = Run(spec(*graph(count), parallelism=500))
    for _ in range(4):
        run.pod_succeeds(*run.running)
    run.pod_runs(*run.running)
    run.end_pod(min(run.running), "Succeeded", 0, "Completed")
    return run


def wave_ends(count: int) -> Run:
    """The last pod of a wave has just ended: the hand-off."""
    run = Run(spec(*graph(count), parallelism=500))
    for _ in range(4):
        run.pod_succeeds(*run.running)
    for name in run.running:
        run.end_pod(name, "Succeeded", 0, "Completed")
    return run


def failing(count: int) -> Run:
    """Every node has failed twice and runs again."""
    run = Run(spec(*(n | {"dependsOn": []} for n in graph(count)), parallelism=500))
    for _ in range(2):
        run.pod_fails(*run.running)
        run.advance(60)
    return run


def one_fails(count: int) -> Run:
    """Every node has failed twice, and now one fails for the third time."""
    run = failing(count)
    run.end_pod(min(run.running), "Failed", 1, "Error")
    return run


def all_fail(count: int) -> Run:
    """Every node fails for the third time, seen in one pass; the status is over its bound."""
    run = failing(count)
    for name in run.running:
        run.end_pod(name, "Failed", 1, "Error")
    return run


def finished(count: int) -> Run:
    """All is over, all Jobs are kept."""
    run = Run(spec(*graph(count), parallelism=500))
    while run.running:
        run.pod_succeeds(*run.running)
    return run


STORIES: tuple[Callable[[int], Run], ...] = (
    begins,
    half_done,
    wave_ends,
    one_fails,
    all_fail,
    finished,
)


def milliseconds(run: Run) -> float:
    """The shortest time of a plan; its promises aren't checked meanwhile."""
    from tidegate.engine.plan import plan

    workflow, facts, taken = run.workflow, run.facts(), []
    for _ in range(ROUNDS):
        began = perf_counter()
        plan(workflow, run.fact, run.status, facts, run.now)
        taken.append(perf_counter() - began)
    return min(taken) * 1000


def main() -> None:
    """Print a line for each story."""
    head = "".join(f"{size:>5} nodes" for size in SIZES)
    sys.stdout.write(f"{'plan':<12}{head}   ratio   goals\n")
    for story in STORIES:
        found = {size: milliseconds(story(size)) for size in SIZES}
        times = "".join(f"{found[size]:8.2f} ms" for size in SIZES)
        kept = all(found[size] < GOALS[size] for size in SIZES)
        ratio = found[SIZES[1]] / found[SIZES[0]]
        verdict = "kept" if kept else "missed"
        sys.stdout.write(f"{story.__name__:<12}{times}   {ratio:5.1f}   {verdict}\n")


if __name__ == "__main__":
    main()
