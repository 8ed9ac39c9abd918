"""What people mean in histories, and when the API server checks them, is what the design says."""

import random

from tests.sim.ballots import free
from tests.sim.clock import Time
from tests.sim.gates import covered_by
from tests.sim.policies import Policies
from tidegate.api.vote import Ballot, parse_vote

_WORDS = {"approve": "approved", "reject": "rejected"}
_ASKED = {"inputs": [{"name": "rows", "pattern": "[0-9]+"}], "choices": ["canary"]}


def test_texts_say_what_people_mean_by_them() -> None:
    chance = random.Random(6)
    for number in range(2000):
        text = free("ok", _ASKED, "abcde", f"#{number}#", chance)
        ballot = parse_vote(text.text)
        if text.meant.decision is None:
            assert isinstance(ballot, str), text
            continue
        assert isinstance(ballot, Ballot), text
        told = (_WORDS.get(ballot.decision, ballot.decision), ballot.by, ballot.code)
        assert told == (text.meant.decision, text.meant.by, text.meant.code)
        assert tuple(ballot.inputs.items()) == text.meant.inputs


def test_policies_are_heeded_before_they_are_settled_and_a_moment_longer_than_they_are_there() -> (
    None
):
    time = Time(6, 3600.0)
    policies = Policies(time)
    policies.begin(present=False, required=False)
    policies.install()
    found = []
    for passed in (0.0, 1.0, 3.0, 6.5):
        time.loop.elapsed += passed
        found.append((policies.in_force(), policies.fact().fingerprint, policies.fact().settled))
    assert found == [
        (False, None, True),
        (False, "f1", False),
        (True, "f1", False),
        (True, "f1", True),
    ]
    policies.remove()
    time.loop.elapsed += 0.5
    assert (policies.in_force(), policies.fact().fingerprint) == (True, None)
    time.loop.elapsed += 1.0
    assert not policies.in_force()


def test_a_decision_covers_what_is_before_and_behind_but_not_beside() -> None:
    chain = {"a": [], "b": ["a"], "ok": ["b"], "c": ["ok"], "d": ["c"], "beside": ["a"]}
    spec = {"nodes": [{"name": name, "dependsOn": before} for name, before in chain.items()]}
    assert set(covered_by(spec, "ok")) == {"a", "b", "ok", "c", "d"}
