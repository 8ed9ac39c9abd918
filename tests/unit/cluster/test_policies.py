"""What the operator concludes from the policies that stand in the cluster."""

import logging
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidegate.api.identity import WorkflowKey
from tidegate.cluster.memory import Listing, Wake
from tidegate.cluster.policies import BINDING_RESOURCE, Place, Policies, written_at
from tidegate.errors import Forbidden, NotFound
from tidegate.facts.model import PolicyFact
from tidegate.policies.catalog import BY_NAME, binding_manifest, policy_manifest

OWN = "system:serviceaccount:tidegate-system:tidegate"
CREATED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
WAKES = [Wake(WorkflowKey("data", "report"), hot=False)]


class Clock:
    def __init__(self) -> None:
        self.time = CREATED + timedelta(hours=1)

    def now(self) -> datetime:
        return self.time


def raw(place: Place, generation: int = 1, uid: str = "", **metadata: Any) -> dict[str, Any]:
    """The policy or binding as the API server has it."""
    policy = BY_NAME[place.name]
    is_binding = place.resource == BINDING_RESOURCE
    found = deepcopy(binding_manifest(policy) if is_binding else policy_manifest(policy, [OWN]))
    found["metadata"] |= {
        "uid": uid or f"{place.resource}-{place.name}",
        "generation": generation,
        "creationTimestamp": CREATED.isoformat().replace("+00:00", "Z"),
        **metadata,
    }
    return found


def list_one(place: Place, found: dict[str, Any] | None) -> list[Wake]:
    wakes = place.seen(found) if found else []
    listed = {found["metadata"]["uid"]} if found else set()
    return wakes + place.settled(Listing(0, listed, version=1))


def known(clock: Clock | None = None, *, required: bool = False, **metadata: Any) -> Policies:
    """All of them are there, as shipped."""
    policies = Policies(clock or Clock(), lambda: WAKES, required=required)
    policies.account = OWN
    for place in policies.places:
        list_one(place, raw(place, **metadata))
    return policies


def test_what_was_shipped_and_stands_long_enough_is_in_force() -> None:
    fact = known().fact()
    assert fact.fingerprint
    assert fact == PolicyFact(fact.fingerprint, settled=True)
    assert fact.in_force == fact.fingerprint
    assert known(required=True).fact().required


def test_a_restart_finds_the_same_fingerprint() -> None:
    assert known().fact() == known().fact()


@pytest.mark.parametrize("place", range(8))
def test_whatever_is_written_or_made_anew_changes_the_fingerprint(place: int) -> None:
    policies = known()
    before = policies.fact().fingerprint
    one = policies.places[place]
    assert one.seen(raw(one, generation=2)) == WAKES
    written = policies.fact().fingerprint
    assert one.seen(raw(one, generation=2, uid="other")) == WAKES
    assert len({before, written, policies.fact().fingerprint}) == 3


@pytest.mark.parametrize("place", range(8))
def test_without_one_of_them_there_is_none(place: int) -> None:
    policies = known(required=True)
    one = policies.places[place]
    assert one.gone(raw(one)) == WAKES
    assert policies.fact() == PolicyFact(required=True)
    assert one.seen(raw(one)) == WAKES
    assert policies.fact().fingerprint


@pytest.mark.parametrize("place", range(8))
def test_a_list_without_it_takes_it_away(place: int) -> None:
    policies = known()
    assert list_one(policies.places[place], None) == WAKES
    assert policies.fact().fingerprint is None


def test_one_that_is_altered_narrowed_or_going_is_as_good_as_none() -> None:
    policies = known()
    policy, binding = policies.places[0], policies.places[4]
    altered, audits, going = raw(policy), raw(binding), raw(binding, deletionTimestamp="now")
    altered["spec"]["validations"][0]["expression"] = "true"
    audits["spec"]["validationActions"] = ["Audit"]
    for place, found in ((policy, altered), (binding, audits), (binding, going)):
        assert place.seen(found) == WAKES
        assert policies.fact().fingerprint is None
        place.seen(raw(place))
        assert policies.fact().fingerprint


def test_policies_that_do_not_know_this_operator_are_none() -> None:
    policies = Policies(Clock(), lambda: WAKES)
    for place in policies.places:
        list_one(place, raw(place))
    assert policies.fact().fingerprint is None


def test_they_settle_ten_seconds_after_the_last_write_by_the_servers_clock() -> None:
    clock = Clock()
    at = CREATED + timedelta(minutes=30)
    policies = known(clock, managedFields=[{"time": at.isoformat()}])
    clock.time = at + timedelta(seconds=9)
    fact = policies.fact()
    assert (fact.settled, fact.wake_at) == (False, at + timedelta(seconds=10))
    assert fact.in_force is None
    clock.time = at + timedelta(seconds=10)
    fact = policies.fact()
    assert (fact.settled, fact.wake_at) == (True, None)


def test_a_change_that_is_heard_of_settles_ten_seconds_later_whatever_the_clocks_say() -> None:
    clock = Clock()
    policies = known(clock)
    one = policies.places[5]
    one.seen(raw(one, 2))
    assert policies.fact().wake_at == clock.time + timedelta(seconds=10)
    one.seen(raw(one, 2))
    clock.time += timedelta(seconds=10)
    one.seen(raw(one, 2))
    assert policies.fact().settled


def test_writes_of_status_count_for_nothing() -> None:
    later = (CREATED + timedelta(minutes=5)).isoformat()
    fields = [{"time": later, "subresource": "status"}, {"manager": "helm"}]
    metadata = {"creationTimestamp": CREATED.isoformat(), "managedFields": fields}
    assert written_at(metadata) == CREATED


def test_nobody_is_woken_before_all_are_known_nor_without_a_change() -> None:
    policies = Policies(Clock(), lambda: WAKES)
    policies.account = OWN
    *most, last = policies.places
    assert [list_one(place, raw(place)) for place in most] == [[]] * 7
    assert list_one(last, raw(last)) == WAKES
    assert list_one(last, raw(last)) == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Forbidden("no right", status=403), "can't be read: no right"),
        (NotFound("nothing", status=404), "is of no API here"),
    ],
)
def test_what_cannot_be_read_is_told_once_and_stops_nothing(
    error: Forbidden | NotFound, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    policies = Policies(Clock(), lambda: WAKES, required=True)
    woken: list[Wake] = []
    with caplog.at_level(logging.INFO):
        for place in (*policies.places, *policies.places):
            woken += place.refused(error)
    assert woken == WAKES
    (told,) = caplog.records
    assert told.levelno == logging.WARNING
    assert f"policy tidegate-votes {words}" in told.getMessage()
    assert f"binding tidegate-children {words}" in told.getMessage()
    assert policies.fact() == PolicyFact(required=True)


def test_it_is_told_when_they_are_back(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        policies = known()
        one = policies.places[0]
        one.gone(raw(one))
        one.seen(raw(one))
    assert [record.getMessage() for record in caplog.records] == [
        "votes are checked by the API server: policies and bindings are as shipped",
        "votes are not checked by the API server: policy tidegate-votes is missing",
        "votes are checked by the API server: policies and bindings are as shipped",
    ]
    assert {record.levelno for record in caplog.records} == {logging.INFO}
