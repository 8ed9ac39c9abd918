"""People who vote: when they are asked, and when they are not.

Whoever decides does so by chances of their own for each checkpoint and run, so that the same is
decided whatever happens to the operator meanwhile.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator

from tests.sim.ballots import Meant, Text, free, good_inputs, proper
from tests.sim.gates import CHANGING, NO_POLICY, OPS, PEOPLE, Gates, Spec
from tests.sim.policies import Policies
from tests.sim.store import WORKFLOW, Raw, with_meta
from tests.sim.world import World
from tidegate import constants as c

_AGAIN_AFTER, _ROUNDS = 400.0, 5
_SETTLES = 150.0
"""When nobody touches the policies any more."""


class Voters:
    """Everybody who votes, and the one who keeps the policies."""

    def __init__(self, world: World, gates: Gates, name: str, chance: random.Random) -> None:
        self._world = world
        self._store = world.store
        self._gates = gates
        self._name = name
        self._chance = chance
        self._count = 0
        self._meddles = 0
        """How often the policies still change while a question is open."""
        self.policies: Policies = world.policies
        self.meant: dict[tuple[str, str], Meant] = {}
        """What the votes say, by what follows the slash of their keys, and their texts."""
        self.writers: dict[tuple[str, str], str | None] = {}
        """Who wrote each of them; None if the API server checked nobody then."""
        self.written: Counter[tuple[str, str]] = Counter()
        """How often each of them was written."""
        self.on_open: list[Callable[[float], None]] = []
        """Told of an opening, and of how long the answer will take."""
        if gates.asked:
            world.store.listeners.append(self._on_event)

    def begin(self) -> None:
        gates, after = self._gates, self._world.time.after
        present = gates.policy != NO_POLICY
        if gates.policy == CHANGING:
            present = self._chance.random() < 0.7
            for _ in range(self._chance.choice((0, 1, 3))):
                after(self._chance.uniform(0.0, 120.0), self._meddle)
            self._meddles = self._chance.choice((1, 2))
            after(_SETTLES, self._repair)
        self.policies.begin(present=present, required=gates.required)
        for _ in range(gates.chatter):
            after(self._chance.uniform(0.0, 90.0), self._chatter)

    def standing(self) -> dict[str, str]:
        """Votes with which somebody creates the Workflow; they pass, as on a restore."""
        found = {}
        for name, gate in self._gates.asked.items():
            if self._gates.chatter and self._chance.random() < 0.3:
                text = free(name, gate, None, self._mark(), self._chance)
                self._remember(text)
                found[c.ANNOTATION_VOTE + name] = text.text
        return found

    def signed(self, raw: Raw) -> Raw:
        """The edited Workflow, which bears its author's name where a checkpoint asks for it.

        It goes over to another only once the operator has taken note of the former.
        """
        if not any(gate.get("forbidAuthors") for gate in self._gates.asked.values()):
            return raw
        annotations = _annotations(raw)
        former = annotations.get(c.ANNOTATION_AUTHOR)
        noted = former is None or former in raw.get("status", {}).get("authors", ())
        if self.policies.in_force() and not noted:
            return raw
        author = self._chance.choice(("ann", "dan", "eve"))
        return with_meta(raw, annotations={**annotations, c.ANNOTATION_AUTHOR: author})

    # The policies

    def _meddle(self) -> None:
        removes = self.policies.present and self._chance.random() < 0.6
        self._world.trace.add("admin", "removes policies" if removes else "installs policies")
        if removes:
            self.policies.remove()
        else:
            self.policies.install()

    def _repair(self) -> None:
        if not self.policies.present:
            self._world.trace.add("admin", "installs policies", "for good")
            self.policies.install()

    def _denied(self, raw: Raw, node: str, text: Text) -> str:
        """Why the API server refuses the vote; empty where it doesn't."""
        if not self.policies.in_force():
            return ""
        gate, meant = self._gates.asked.get(node), text.meant
        status = raw.get("status", {}).get("nodes", {}).get(node, {})
        if gate is None or status.get("phase") != "Waiting":
            return "nobody asks"
        if meant.decision is None or meant.by != text.writer:
            return "not a vote in the writer's name"
        if meant.code != status.get("code") and (meant.code or gate.get("requireCode")):
            return "another code"
        if "approvers" in gate and text.writer not in OPS:
            return "no approver"
        if gate.get("forbidAuthors") and text.writer in _authors(raw):
            return "an author"
        return ""

    # Votes

    def _mark(self) -> str:
        self._count += 1
        return f"#{self._count}#"

    def _remember(self, text: Text) -> None:
        """What the text means; of one that stands there already, nobody sees another writer."""
        key = (text.suffix, text.text)
        self.meant[key] = text.meant
        raw = self._store.get(WORKFLOW, self._name)
        standing = _annotations(raw).get(c.ANNOTATION_VOTE + text.suffix) if raw else None
        if standing != text.text:
            self.writers[key] = text.writer if self.policies.in_force() else None
            self.written[key] += 1

    def _write(self, *texts: Text) -> None:
        """One request that sets these votes."""

        def edit(raw: Raw) -> Raw:
            new = {c.ANNOTATION_VOTE + text.suffix: text.text for text in texts}
            return with_meta(raw, annotations={**_annotations(raw), **new})

        raw = self._store.get(WORKFLOW, self._name)
        if raw is None:
            return
        denials = [self._denied(raw, x.suffix.partition(".")[0], x) for x in texts]
        shown = " | ".join(f"{x.writer}: {x.suffix}={x.text[:60]!r}" for x in texts)
        denied = ", ".join(filter(None, denials))
        self._world.trace.add("voter", "votes", shown, f"(denied: {denied})" if denied else "")
        if not denied:
            for text in texts:
                self._remember(text)
            self._store.edit(self._name, edit)

    def _take_back(self, keys: list[str]) -> None:
        def edit(raw: Raw) -> Raw:
            left = {k: v for k, v in _annotations(raw).items() if k not in keys}
            return with_meta(raw, annotations=left)

        self._world.trace.add("voter", "takes back", *keys)
        self._store.edit(self._name, edit)

    def _chatter(self) -> None:
        """Somebody votes, whatever is asked; or on what nobody ever asks."""
        names = [*self._gates.asked]
        name = self._chance.choice((*names, *names, "n0", "no-such-node"))
        self._say_anything(name, None)

    def _noise(self, uid: str, name: str, opened_at: str) -> None:
        node = self._open_node(uid, name, opened_at)
        self._say_anything(name, node["code"] if node else None)

    def _say_anything(self, name: str, code: str | None) -> None:
        chance, gate = self._chance, self._gates.asked.get(name, {})
        present = self._present(name)
        if present and chance.random() < 0.15:
            self._take_back([chance.choice(present)])
            return
        count = 2 if chance.random() < 0.2 else 1
        texts = []
        for number in range(count):
            suffix = f"{name}.t{self._count}"
            if number == 0 and chance.random() < 0.3:
                suffix = name
            elif number == 0 and present and chance.random() < 0.3:
                suffix = chance.choice(present).removeprefix(c.ANNOTATION_VOTE)
            texts.append(free(suffix, gate, code, self._mark(), chance))
        self._write(*texts)

    def _present(self, name: str) -> list[str]:
        raw = self._store.get(WORKFLOW, self._name)
        own = (c.ANNOTATION_VOTE + name, c.ANNOTATION_VOTE + name + ".")
        keys = sorted(_annotations(raw)) if raw else []
        return [key for key in keys if key == own[0] or key.startswith(own[1])]

    # Answers to questions

    def _on_event(self, kind: str, event: str, raw: Raw, old: Raw | None) -> None:
        if kind != WORKFLOW or event != "MODIFIED" or old is None:
            return
        nodes = raw.get("status", {}).get("nodes", {})
        for name in self._gates.asked:
            node = nodes.get(name, {})
            before = old.get("status", {}).get("nodes", {}).get(name, {})
            if node.get("reason") == "TooManyVotes" != before.get("reason"):
                self._world.time.after(5.0, self._clean_up, name)
            opened_at = node.get("openedAt")
            if opened_at is not None and opened_at != before.get("openedAt"):
                self._asked(raw, name, opened_at)

    def _clean_up(self, name: str) -> None:
        self._take_back(self._present(name))

    def _asked(self, raw: Raw, name: str, opened_at: str) -> None:
        uid, run = raw["metadata"]["uid"], raw["status"]["run"]
        gates, after = self._gates, self._world.time.after
        own = random.Random(f"{self._world.time.seed}/close/{name}/{run}")
        wait = own.choice(gates.patience)
        for told in self.on_open:
            told(wait)
        for _ in range(gates.noise):
            after(
                self._chance.uniform(0.0, 1.2 * min(wait, 60.0)), self._noise, uid, name, opened_at
            )
        if self._meddles > 0 and self._world.now() < _SETTLES:
            self._meddles -= 1
            after(self._chance.uniform(0.0, 1.5 * min(wait, 20.0)), self._meddle)
        if name in gates.silent:
            return
        seconds = {"5s": 5.0, "30s": 30.0, "1m": 60.0, "10m": 600.0}
        timeout = seconds.get(gates.asked[name].get("timeout", ""))
        if timeout is not None and gates.noise and self._chance.random() < 0.5:
            wait = timeout + self._chance.uniform(-0.3, 0.1)
        rejects = own.random() < gates.rejects
        after(wait, self._close, (uid, name, opened_at), rejects, 0)

    def _close(self, asked: tuple[str, str, str], rejects: bool, rounds: int) -> None:
        """Enough people answer; and again later, if that was not enough."""
        node = self._open_node(*asked)
        if node is None or rounds > _ROUNDS:
            return
        gate = self._gates.asked[asked[1]]
        people = self._may_vote(asked[1])[: 1 if rejects else gate.get("minApprovals", 1)]
        for number, person in enumerate(people):
            suffix = f"{asked[1]}.r{rounds}{number}"
            code = node["code"] if gate.get("requireCode") or number % 2 else None
            comment = f"#{asked[1]}/{rounds}/{number}#"
            inputs = () if rejects else good_inputs(gate)
            decision = "rejected" if rejects else gate.get("choices", ["approved"])[-1]
            text = proper(suffix, person, Meant(decision, person, code, inputs, True, comment))
            self._world.time.after(0.4 * number, self._write, text)
        self._world.time.after(_AGAIN_AFTER, self._close, asked, rejects, rounds + 1)

    def _may_vote(self, name: str) -> list[str]:
        gate = self._gates.asked[name]
        raw = self._store.get(WORKFLOW, self._name)
        authors = _authors(raw) if raw and gate.get("forbidAuthors") else set()
        return [x for x in (OPS if "approvers" in gate else PEOPLE) if x not in authors]

    def _open_node(self, uid: str, name: str, opened_at: str) -> Spec | None:
        raw = self._store.live(WORKFLOW, self._name, uid)
        if raw is None:
            return None
        node: Spec = raw.get("status", {}).get("nodes", {}).get(name, {})
        waits = node.get("phase") == "Waiting" and node.get("openedAt") == opened_at
        return node if waits else None


def _annotations(raw: Raw) -> dict[str, str]:
    found: dict[str, str] = raw["metadata"].get("annotations", {})
    return found


def _authors(raw: Raw) -> set[str]:
    present = _annotations(raw).get(c.ANNOTATION_AUTHOR)
    return {*raw.get("status", {}).get("authors", ()), *([present] if present else ())}


def votes_of(raw: Raw, name: str) -> Iterator[tuple[str, str]]:
    """The votes that stand on the node ``name``: what follows the key's slash, and the text."""
    return ((suffix, text) for suffix, text in all_votes(raw) if suffix.partition(".")[0] == name)


def all_votes(raw: Raw) -> Iterator[tuple[str, str]]:
    """Every vote that stands there, on whatever node."""
    for key, text in sorted(_annotations(raw).items()):
        if key.startswith(c.ANNOTATION_VOTE):
            yield key.removeprefix(c.ANNOTATION_VOTE), text


__all__ = ["Voters", "all_votes", "votes_of"]
