"""What must always be true of checkpoints, checked at every write of a status.

A status is written under the version of the Workflow that it was planned on: what stands in the
annotations at that moment is exactly what the decision rests on. So whatever the operator decides
can be worked out a second time, from what people meant by their votes.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.sim.ballots import effective, says
from tests.sim.clock import EPOCH
from tests.sim.gates import OPS, Gates, covered_by, gates_of
from tests.sim.store import WORKFLOW, Raw
from tests.sim.voters import Voters, votes_of
from tidegate import constants as c
from tidegate.api.duration import parse_duration
from tidegate.api.status import NodePhase, NodeStatus, WorkflowStatus

Spec = dict[str, Any]
Key = tuple[str, str]
_DECIDED = ("Approved", "Rejected", "ApprovedByTimeout", "RejectedByTimeout")
_FIXED = ("phase", "reason", "opened_at", "finished_at", "code", "policy", "votes", "outputs")
_QUIET = 400.0
"""Seconds after which all news, pauses and repetitions have come to rest."""
_MAX_VOTES = 20


@dataclass(slots=True)
class Opening:
    """A question that is asked."""

    standing: frozenset[Key]
    """Votes that stood there then."""
    judged: set[Key] = field(default_factory=set)
    """Votes that were looked at and stand there ever since: none of them counts again."""


class Approvals:
    """Holds every write against what people did."""

    def __init__(
        self,
        gates: Gates,
        voters: Voters,
        now: Callable[[], float],
        say: Callable[[str], None],
        slack: float,
    ) -> None:
        self._gates = gates
        self._voters = voters
        self._policies = voters.policies
        self._now = now
        self._say = say
        self._slack = slack
        """For how long an operator may still plan or write by what it knew of the policies."""
        self._openings: dict[tuple[str, str], Opening] = {}
        self._specs: dict[tuple[str, int], Spec] = {}
        self._stirred = 0.0
        self.decided: Counter[tuple[str, str]] = Counter()
        """Decisions that were recorded, by Workflow and node."""
        self.counted: defaultdict[str, set[Key]] = defaultdict(set)
        """Every vote that ever counted, by Workflow."""

    def on_event(self, kind: str, _event: str, raw: Raw, old: Raw | None) -> None:
        """Anything that happens but a status write; the time of the latest counts."""
        only_status = (
            kind == WORKFLOW
            and old is not None
            and old.get("spec") == raw.get("spec")
            and old["metadata"].get("annotations") == raw["metadata"].get("annotations")
        )
        if not only_status:
            self._stirred = self._now()

    def on_status(self, raw: Raw, before: WorkflowStatus | None, after: WorkflowStatus) -> None:
        """A status was written over ``before``."""
        if not self._gates.asked or not after.run:
            return
        uid = raw["metadata"]["uid"]
        begins = before is None or before.run != after.run
        if begins:
            self._specs[uid, after.run] = raw["spec"]
        for name, gate in gates_of(raw["spec"]).items():
            node = after.nodes.get(name)
            if node is None:
                continue
            former = before.nodes.get(name) if before is not None else None
            if begins:
                self._begins(raw, name, former, node)
            elif former is not None:
                self._goes_on(raw, (name, gate), (former, node), after)
            self._votes_are_true(name, gate, node)
        if before is not None and not begins:
            self._costs_nothing(raw, before)
        self._waits(after)
        author = raw["metadata"].get("annotations", {}).get(c.ANNOTATION_AUTHOR)
        if author and author not in after.authors:
            self._say(f"{author} wrote the Workflow, but the authors are {after.authors}")

    # Runs

    def _begins(self, raw: Raw, name: str, former: NodeStatus | None, node: NodeStatus) -> None:
        self._openings.pop((raw["metadata"]["uid"], name), None)
        if not node.phase.has_ended:
            if node.votes or node.opened_at or node.outputs:
                self._say(f"{name} begins a run with what was voted in the last")
            return
        if former is None or any(getattr(former, x) != getattr(node, x) for x in _FIXED):
            self._say(f"{name} is kept otherwise than it was: {former} -> {node}")
            return
        run = raw["status"]["run"]
        then, now = self._specs.get((raw["metadata"]["uid"], run - 1)), raw["spec"]
        if (
            node.reason in _DECIDED
            and then is not None
            and covered_by(then, name) != covered_by(now, name)
        ):
            self._say(f"the decision on {name} is kept, but what it covers has changed")
        request = raw["status"].get("requests", {}).get("rerun") or ""
        if request.startswith(f"from={name}@"):
            self._say(f"{request} keeps the decision on {name}")

    # Within a run

    def _goes_on(
        self,
        raw: Raw,
        asked: tuple[str, Spec],
        moved: tuple[NodeStatus, NodeStatus],
        after: WorkflowStatus,
    ) -> None:
        (name, _), (former, node) = asked, moved
        if former.phase.has_ended:
            for key in _FIXED:
                if getattr(former, key) != getattr(node, key):
                    self._say(f"{name} is decided, but its {key} changes: {former} -> {node}")
            return
        if node.phase is NodePhase.RUNNING or node.attempt or node.job:
            self._say(f"{name} is a checkpoint, but runs: {node}")
        decided = node.reason in _DECIDED
        self.decided[raw["metadata"]["uid"], name] += decided
        self.counted[raw["metadata"]["uid"]].update(_keys(node))
        if node.opened_at != former.opened_at:
            if decided:
                self._say(f"{name} is decided before its opening is recorded")
            elif node.opened_at is not None:
                self._opened(raw, asked, moved)
        elif node.opened_at is not None:
            self._counted(raw, asked, moved, after)
        elif decided:
            self._say(f"{name} is decided, but was never opened: {node}")

    def _opened(
        self, raw: Raw, asked: tuple[str, Spec], moved: tuple[NodeStatus, NodeStatus]
    ) -> None:
        (name, gate), (former, node) = asked, moved
        if raw["spec"].get("suspend") and former.phase is NodePhase.PENDING:
            self._say(f"{name} opens in a suspended run")
        standing = frozenset(votes_of(raw, name))
        self._openings[raw["metadata"]["uid"], name] = Opening(standing, set(standing))
        if node.votes:
            self._say(f"{name} opens with votes")
        if self._needs_policy(gate) and (node.policy is None or not self._policies.in_force()):
            sure = not self._policies.changed_within(self._slack)
            if node.policy is None or sure:
                self._say(f"{name} opens, but nobody checks who votes: policy {node.policy}")
        if node.phase not in (NodePhase.WAITING, NodePhase.SKIPPED) or not node.code:
            self._say(f"{name} opens as {node.phase} with code {node.code}")

    def _counted(
        self,
        raw: Raw,
        asked: tuple[str, Spec],
        moved: tuple[NodeStatus, NodeStatus],
        after: WorkflowStatus,
    ) -> None:
        """What was counted is just what had to be, and decides just what it must."""
        (name, gate), (former, node) = asked, moved
        opening = self._openings.get((raw["metadata"]["uid"], name))
        if opening is None:
            return
        recorded = [(vote.key, vote.text) for vote in former.votes]
        present = list(votes_of(raw, name))
        opening.judged &= set(present)
        opening.standing &= set(present)
        fresh = [x for x in present if x not in opening.judged]
        new = self._countable(raw, asked, former, fresh, after)
        opening.judged |= set(fresh)
        if self._policies.changed_within(self._slack):
            self._is_sound(asked, node, opening, raw)
            return
        counted = list(_keys(node))
        if counted != [*recorded, *new] and node.phase is not NodePhase.SKIPPED:
            self._say(f"{name}: counted {counted}, should be {[*recorded, *new]} ({node.reason})")
        expected = self._decision(counted, gate)
        self._decides(asked, node, expected, closed=node.phase is NodePhase.SKIPPED)

    def _is_sound(
        self, asked: tuple[str, Spec], node: NodeStatus, opening: Opening, raw: Raw
    ) -> None:
        """What can be said while operator and simulator may know different policies."""
        name, gate = asked
        standing = set(_keys(node)) & opening.standing
        if standing:
            self._say(f"{name}: {standing} stood there before it opened, and counts")
        if node.reason in ("Approved", "Rejected"):
            self._decides(asked, node, self._decision(list(_keys(node)), gate), closed=False)

    def _countable(
        self,
        raw: Raw,
        asked: tuple[str, Spec],
        node: NodeStatus,
        fresh: list[Key],
        after: WorkflowStatus,
    ) -> list[Key]:
        name, gate = asked
        verified = node.policy is not None and node.policy == self._policies.fact().fingerprint
        needs = self._needs_policy(gate)
        authors = {*after.authors, raw["metadata"].get("annotations", {}).get(c.ANNOTATION_AUTHOR)}
        found: list[Key] = []
        latest = self._latest(list(_keys(node)), gate)
        for suffix, text in fresh:
            meant = self._voters.meant.get((suffix, text))
            if meant is None or not _is_tag(suffix, name) or not says(meant, gate, node.code):
                continue
            if meant.by is None and (needs or verified):
                continue
            if meant.by is not None and needs and not verified:
                continue
            if gate.get("forbidAuthors") and meant.by in authors:
                continue
            if "users" in gate.get("approvers", {}) and meant.by not in OPS:
                continue
            told = (meant.decision, effective(meant, gate))
            approves = meant.decision != "rejected"
            full = len({*latest} - {meant.by}) >= _MAX_VOTES
            if not (approves and (full or latest.get(meant.by) == told)):
                found.append((suffix, text))
                latest[meant.by] = told
        return found

    def _latest(self, counted: list[Key], gate: Spec) -> dict[str | None, tuple[str | None, Any]]:
        """What each user says by the last of their votes; whoever gives no name is one user."""
        meant = [self._voters.meant[x] for x in counted if x in self._voters.meant]
        return {x.by: (x.decision, effective(x, gate)) for x in meant}

    def _decision(self, counted: list[Key], gate: Spec) -> str | None:
        """approved, rejected, a choice, or nothing: by what people meant."""
        meant = [self._voters.meant[x] for x in counted if x in self._voters.meant]
        if any(x.decision == "rejected" for x in meant):
            return "rejected"
        latest = self._latest(counted, gate)
        for vote in latest.values():
            if list(latest.values()).count(vote) >= gate.get("minApprovals", 1):
                return vote[0]
        return None

    def _decides(
        self, asked: tuple[str, Spec], node: NodeStatus, expected: str | None, *, closed: bool
    ) -> None:
        name, gate = asked
        if closed:
            return
        if node.reason in ("ApprovedByTimeout", "RejectedByTimeout"):
            self._by_the_clock(name, gate, node)
            if expected is not None:
                self._say(f"{name} is {node.reason}, but people had decided: {expected}")
            return
        told = json.loads(node.outputs)["decision"] if node.outputs else None
        reason = {None: None, "rejected": "Rejected"}.get(expected, "Approved")
        actual = node.reason if node.reason in _DECIDED else None
        if (actual, told) != (reason, expected):
            self._say(f"{name} is {actual} ({told}), people decided {expected}: {node.votes}")

    def _by_the_clock(self, name: str, gate: Spec, node: NodeStatus) -> None:
        if "timeout" not in gate or node.opened_at is None:
            self._say(f"{name} has no clock, but is {node.reason}")
            return
        end = node.opened_at + parse_duration(gate["timeout"])
        if self._time() < end or node.finished_at != end:
            self._say(f"{name} is {node.reason} at {self._time()}, its time is over at {end}")
        approves = gate.get("onTimeout") == "Approve"
        if (node.reason == "ApprovedByTimeout") != approves:
            self._say(f"{name} is {node.reason}, but onTimeout says otherwise")

    def _time(self) -> datetime:
        return EPOCH + timedelta(seconds=self._now())

    # Always

    def _needs_policy(self, gate: Spec) -> bool:
        return bool("approvers" in gate or gate.get("forbidAuthors") or self._gates.required)

    def _votes_are_true(self, name: str, gate: Spec, node: NodeStatus) -> None:
        for vote in node.votes:
            key = (vote.key, vote.text)
            if vote.verified and self._voters.writers.get(key) != vote.by:
                self._say(f"{name}: a vote is told to be verified, but nobody checked it: {vote}")
            if self._needs_policy(gate) and not vote.verified:
                self._say(f"{name}: a vote counts that nobody checked: {vote}")

    def _waits(self, after: WorkflowStatus) -> None:
        """Whoever waits is named; nothing is said to wait for people otherwise."""
        waiting = [n for n, x in after.nodes.items() if x.phase is NodePhase.WAITING]
        named = (after.waiting_for or "").replace(",", " ").split()
        if sorted(named) != sorted(waiting):
            self._say(f"waitingFor is {after.waiting_for}, but {waiting} wait")
        condition = next((x for x in after.conditions if x.type == "WaitingForApproval"), None)
        if (condition is not None and condition.status == "True") != bool(waiting):
            self._say(f"{waiting} wait, but the condition is {condition}")

    def _costs_nothing(self, raw: Raw, before: WorkflowStatus) -> None:
        """While people are waited for and nothing happens, nothing is written."""
        open_ = [x for x in before.nodes.values() if x.phase is NodePhase.WAITING]
        if not open_ or any(
            x.phase in (NodePhase.RUNNING, NodePhase.RETRYING) for x in before.nodes.values()
        ):
            return
        since = max(self._stirred, self._policies.since() + 10.0, self._clocks(raw, before))
        if self._now() - since > _QUIET:
            self._say(f"a write while {before.waiting_for} waits and nothing happens since {since}")

    def _clocks(self, raw: Raw, before: WorkflowStatus) -> float:
        """When the last clock struck."""
        ends = [
            node.opened_at + parse_duration(gate["timeout"])
            for name, gate in gates_of(raw["spec"]).items()
            if (node := before.nodes.get(name)) and node.opened_at and "timeout" in gate
        ]
        if before.started_at is not None and "timeout" in raw["spec"]:
            ends.append(before.started_at + parse_duration(raw["spec"]["timeout"]))
        past = [(end - EPOCH).total_seconds() for end in ends if end <= self._time()]
        return max(past, default=0.0)


def _keys(node: NodeStatus) -> Iterator[Key]:
    return ((vote.key, vote.text) for vote in node.votes)


def _is_tag(suffix: str, name: str) -> bool:
    return suffix == name or suffix.removeprefix(f"{name}.") not in ("", suffix)


__all__ = ["Approvals"]
