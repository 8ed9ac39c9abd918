"""One history: a seed, what happens, and whether everything that must be true was."""

import contextlib
import gc
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.sim.api import ALL_FAULTS, Faults
from tests.sim.approvals import Approvals
from tests.sim.clock import Time
from tests.sim.final import final_violations
from tests.sim.garbage import Collector
from tests.sim.invariants import Allowances, Invariants
from tests.sim.jobs import JobController
from tests.sim.kubelet import Kubelet
from tests.sim.operators import Operator
from tests.sim.scenario import Scenario, scenario
from tests.sim.store import WORKFLOW, Raw, Store
from tests.sim.telling import wrongly_told
from tests.sim.trouble import Trouble
from tests.sim.truth import Truth
from tests.sim.users import NAME, User
from tests.sim.verdicts import is_clear, untrue
from tests.sim.voters import Voters
from tests.sim.world import Trace, World

_LIMIT = 100 * 3600.0
_MAX_PASSES = 20_000
_LEASE = 15.0
_LONG_WAIT = 700.0
_ON_ITS_WAY, _PAUSED = 12.0, 110.0
"""Seconds that a plan may be old when its write lands, of an operator that runs or was paused."""


@dataclass(slots=True)
class Result:
    """How a history went."""

    seed: int
    violations: list[str]
    trace: Trace
    phases: dict[str, str] = field(default_factory=dict)
    """The final phases of the nodes."""
    writes: int = 0
    seconds: float = 0.0
    calm: bool = False
    unavoidable: bool = False


class History:
    """The world of a seed, with whoever lives in it."""

    def __init__(self, plot: Scenario, *, trouble: bool = True) -> None:
        self.plot = plot
        self.time = Time(plot.seed, _LIMIT)
        self.store = Store(self.time)
        self.world = World(
            self.time,
            self.store,
            Trace(self.time),
            plot.climate,
            plot.programs,
            plot.forbidden,
            dict(plot.unroomed),
            plot.quota_until,
            plot.invalid,
            plot.queued,
            self.time.chance("cluster"),
        )
        self._chance = self.time.chance("history")
        self.kubelet = Kubelet(self.world)
        self.collector = Collector(self.world)
        self.trouble = Trouble(
            self.world, self.kubelet, self.collector, self.time.chance("trouble")
        )
        self.truth = Truth(self.store, self.kubelet, self.world.now)
        allowed = Allowances(self.trouble.destroyed, self.trouble.orphaned, plot.takeovers > 0)
        self.checks = Invariants(self.store, self.truth, allowed, self.world.trace, self.time.now)
        self.store.listeners.insert(0, self.checks.on_event)
        self.kubelet.on_start.append(self.checks.on_start)
        self.jobs = JobController(self.world)
        self.voters = Voters(self.world, plot.gates, NAME, self.time.chance("voters"))
        slack = _PAUSED if plot.takeovers else _ON_ITS_WAY
        self.approvals = Approvals(plot.gates, self.voters, self.world.now, self.checks.say, slack)
        self.checks.on_status.append(self.approvals.on_status)
        self.store.listeners.insert(0, self.approvals.on_event)
        self.user = User(self.world, self.collector, plot, self.voters, self.time.chance("user"))
        self.faults = self._faults(trouble=trouble)
        self.operators: list[Operator] = []
        self._deaths = plot.gates.kills if trouble else 0
        self.voters.on_open += [self._die_while_waiting, self._look_while_waiting]

    def _faults(self, *, trouble: bool) -> Faults:
        chance = self.time.chance("faults")
        if not trouble:
            return Faults(chance)
        rate = chance.choice((0.02, 0.1, 0.3))
        return Faults(chance, rate, ALL_FAULTS, self.plot.faults, self.plot.slow)

    def start_operator(self) -> Operator:
        name = f"operator-{len(self.operators)}"
        operator = Operator(self.world, self.collector, self.faults, self.plot.weather, name)
        operator.on_death = self._replace
        self.operators.append(operator)
        operator.begin()
        return operator

    def _replace(self, dead: Operator) -> None:
        if dead is self.operators[-1]:
            wait = self._chance.choice((0.1, 2.0, 20.0, 120.0))
            self.time.after(self._chance.uniform(0, wait), self.start_operator)

    def _take_over(self) -> None:
        """Another leads: beside the former for a while, or while that one is frozen.

        A frozen one goes on a little when it wakes: it sends what it was about to send.
        """
        former = self.operators[-1] if self.operators else None
        if former is None or former.dead or former.frozen_until() > self.time.loop.elapsed:
            return
        if self._chance.random() < 0.5:
            self.time.after(self._chance.uniform(0.0, 5.0), former.kill)
            self.start_operator()
            return
        pause = self._chance.uniform(_LEASE, 90.0)
        former.freeze(pause)
        self.time.after(pause + self._chance.uniform(0.0, 0.5), former.kill)
        self.time.after(_LEASE, self.start_operator)

    def _relist(self) -> None:
        operator = self.operators[-1] if self.operators else None
        if operator is not None and not operator.dead:
            self._chance.choice(operator.streams).relist(self._chance.choice((0.0, 0.5, 20.0)))

    def _die_while_waiting(self, wait: float) -> None:
        """The operator dies while a question is open, some time before or after its answer."""
        if self._deaths > 0:
            self._deaths -= 1
            after = self._chance.uniform(0.0, 1.5 * wait + 1.0)
            self.time.after(after, self._kill)

    def _look_while_waiting(self, wait: float) -> None:
        """Somebody looks although nothing happened; that must not lead to a write."""
        if wait > _LONG_WAIT:
            self.time.after(_LONG_WAIT, self._look)

    def _look(self) -> None:
        self.operators[-1].wake_all()

    def _kill(self) -> None:
        self.operators[-1].kill()

    def run(self) -> Result:
        """Live until nothing is left to do, and once more after a restart of the operator."""
        self.voters.begin()
        self.user.begin()
        self.time.after(self._chance.uniform(0.0, 1.0), self.start_operator)
        self.trouble.only_nodes = self.plot.theme == "machines"
        self.trouble.begin(self.plot.troubles)
        for _ in range(self.plot.takeovers):
            self.time.after(self._chance.uniform(0.5, 30.0), self._take_over)
        for _ in range(self.plot.relists):
            self.time.after(self._chance.uniform(0.5, 30.0), self._relist)
        collects = gc.isenabled()
        gc.disable()
        try:
            self._live()
            if not self.checks.violations:
                self._stay_idle()
        finally:
            self._close()
            if collects:
                gc.enable()
        return self._result()

    def _live(self) -> None:
        loop = self.time.loop
        loop.idle = False
        loop.run_forever()
        say = self.checks.say
        for operator in self.operators:
            for fault in operator.faults:
                say(f"a bug in {operator.name}: {fault}")
            if operator.passes > _MAX_PASSES:
                say(f"{operator.name} made {operator.passes} passes")
        for error in loop.faults:
            say(f"an error nobody caught: {error!r}")
        if not loop.idle and not self.checks.violations:
            say(f"it never comes to rest (after {loop.elapsed:.0f} s)")
        if not self.checks.violations:
            lost = self.trouble.lost_for_good
            self.checks.violations.extend(final_violations(self.checks, lost_for_good=lost))
            self.checks.violations.extend(self._wrongly_told())
            if is_clear(self.plot):
                self._hold_verdicts_against_truth()

    def _wrongly_told(self) -> Iterator[str]:
        notes = [note for operator in self.operators for note in operator.teller.notes]
        calm = len(self.operators) == 1 and not self.plot.faults and not self.user.deleted
        return wrongly_told(self.approvals, self.voters, notes, self.store, calm=calm)

    def _hold_verdicts_against_truth(self) -> None:
        for uid, seen in self.checks.seen.items():
            found = untrue(self.truth, self.trouble, uid, seen.workflow, seen.status)
            self.checks.violations.extend(found)

    def _stay_idle(self) -> None:
        """Nothing is left to do: neither looking again nor a restart leads to a write."""
        writes = self._writes()
        self.faults.budget = 0
        last = self.operators[-1]
        last.wake_all()
        self._live()
        last.on_death = lambda _one: None
        last.kill()
        self.start_operator()
        self._live()
        if self._writes() != writes:
            self.checks.say(f"{self._writes() - writes} writes although all was done")

    def _writes(self) -> int:
        return self.faults.writes + sum(one.log_faults.writes for one in self.operators)

    def _close(self) -> None:
        for operator in self.operators:
            operator.on_death = lambda _one: None
            operator.kill()
        loop = self.time.loop
        with contextlib.suppress(RuntimeError):
            loop.call_soon(loop.stop)
            loop.run_forever()
        loop.close()

    def _result(self) -> Result:
        plot = self.plot
        result = Result(plot.seed, self.checks.violations, self.world.trace, calm=plot.calm)
        result.writes, result.seconds = self.faults.writes, self.time.loop.elapsed
        for raw in self.store.all(WORKFLOW):
            status = raw.get("status", {})
            result.phases = {n: _told(x) for n, x in status.get("nodes", {}).items()}
            result.phases["(run)"] = status.get("phase", "")
        return result


def _told(node: Raw) -> str:
    """How a node ended; of a checkpoint also what was decided, and by whom."""
    if "openedAt" not in node:
        return str(node["phase"])
    facts = ("key", "decision", "by", "verified", "comment", "inputs")
    votes = [[vote.get(fact) for fact in facts] for vote in node.get("votes", ())]
    return f"{node['phase']} {node.get('reason')} {node.get('outputs')} {votes}"


def live(seed: int) -> Result:
    """The history of a seed; a calm one is lived twice, with and without trouble."""
    result = History(scenario(seed)).run()
    if result.calm and not result.violations:
        quiet = History(scenario(seed), trouble=False).run()
        if quiet.violations:
            return quiet
        if quiet.phases != result.phases:
            result.violations.append(
                f"with trouble it ends otherwise: {result.phases} instead of {quiet.phases}"
            )
    return result
