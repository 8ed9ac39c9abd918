"""Which admission policies stand in the cluster: whether the API server checks votes.

Each policy and each binding is followed by its own name, as no right goes further; where even that
right or the API is missing, votes are unchecked and the operator works on. Nothing here trusts what
differs from what was shipped.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

from tidegate.cluster.client import Client, Request
from tidegate.cluster.guard import patiently
from tidegate.cluster.memory import Listing, Wake
from tidegate.cluster.ports import Clock, Raw
from tidegate.cluster.reflector import HttpTransport, Lister, Reflector
from tidegate.errors import ApiError, NotFound, TryAgain
from tidegate.facts import raw as read
from tidegate.facts.model import PolicyFact
from tidegate.policies.catalog import POLICIES, fault_of_binding, fault_of_policy

log = logging.getLogger(__name__)

POLICY_RESOURCE: Final = "validatingadmissionpolicies"
BINDING_RESOURCE: Final = "validatingadmissionpolicybindings"
SETTLES_AFTER: Final = timedelta(seconds=10)
"""From the last write until the API server surely acts by it (measured: up to 4 s)."""

_AGAIN: Final = 1.0
"""Seconds before the operator's own name is asked for again."""
_GROUP_PATH: Final = "/apis/admissionregistration.k8s.io/v1"
_REVIEW_PATH: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@dataclass(frozen=True, slots=True)
class Standing:
    """A policy or binding as it stands in the cluster."""

    uid: str
    generation: int
    written_at: datetime
    fault: str
    """What is wrong with it; empty where it is the shipped one."""


class Policies:
    """The knowledge, and what the view and the Workflows that ask people are told of it."""

    def __init__(
        self, clock: Clock, asking: Callable[[], list[Wake]], *, required: bool = False
    ) -> None:
        self.account = ""
        """The operator's own user name; empty as long as it isn't known."""
        self.places = tuple(
            Place(self, resource, policy.name)
            for resource in (POLICY_RESOURCE, BINDING_RESOURCE)
            for policy in POLICIES
        )
        self._clock = clock
        self._asking = asking
        self._required = required
        self._told: str | None = None

    def fact(self) -> PolicyFact:
        """How far votes are checked, now."""
        sound = [one for one in self.places if one.standing and not one.standing.fault]
        if len(sound) < len(self.places):
            return PolicyFact(required=self._required)
        settles = max(place.settles_at for place in sound)
        settled = settles <= self.now()
        return PolicyFact(
            fingerprint=self._fingerprint(),
            settled=settled,
            wake_at=None if settled else settles,
            required=self._required,
        )

    def now(self) -> datetime:
        """The time by the operator's clock."""
        return self._clock.now()

    def note(self) -> list[Wake]:
        """Something was heard: say so once, and wake the Workflows that it concerns."""
        if not all(place.known for place in self.places):
            return []
        words = "; ".join(filter(None, (place.words() for place in self.places)))
        state = words or self._fingerprint()
        if state == self._told:
            return []
        self._told = state
        if words:
            level = logging.WARNING if self._required else logging.INFO
            log.log(level, "votes are not checked by the API server: %s", words)
        else:
            log.info("votes are checked by the API server: policies and bindings are as shipped")
        return self._asking()

    def _fingerprint(self) -> str:
        """A digest that changes when any of them is written or made anew."""
        parts = [
            f"{place.resource} {place.name} {place.standing.uid} {place.standing.generation}"
            for place in self.places
            if place.standing is not None
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


class Place:
    """One policy or binding by its name: a sink of its reflector."""

    def __init__(self, policies: Policies, resource: str, name: str) -> None:
        self.resource = resource
        self.name = name
        self.standing: Standing | None = None
        self.known = False
        """Whether it was listed, or its list refused."""
        self.changed_at: datetime | None = None
        """When a change was heard of, by the operator's own clock; None at its start."""
        self._policies = policies
        self._refusal = ""

    def words(self) -> str:
        """What is wrong with it; empty where nothing is."""
        kind = "binding" if self.resource == BINDING_RESOURCE else "policy"
        if self.standing is not None:
            fault = self.standing.fault
            return f"{kind} {self.name} {fault}" if fault else ""
        return f"{kind} {self.name} {self._refusal or 'is missing'}"

    @property
    def settles_at(self) -> datetime:
        """When the API server surely acts by it, even if one of two clocks is wrong."""
        times = (self.standing and self.standing.written_at, self.changed_at)
        return max((time for time in times if time), default=read.EPOCH) + SETTLES_AFTER

    def seen(self, raw: Raw) -> list[Wake]:
        """It was added, changed or listed."""
        found, before = self._read(raw), self.standing
        if before is None or (before.uid, before.generation) != (found.uid, found.generation):
            self.changed_at = self._policies.now() if self.known else None
        self.standing, self._refusal = found, ""
        return self._policies.note()

    def gone(self, raw: Raw) -> list[Wake]:
        """It was deleted."""
        del raw
        self.standing = None
        return self._policies.note()

    def settled(self, listing: Listing) -> list[Wake]:
        """A list was completed: it has one object or none."""
        self.known, self._refusal = True, ""
        if not listing.uids:
            self.standing = None
        return self._policies.note()

    def token(self) -> int:
        """Nothing but the list tells of it."""
        return 0

    def refused(self, error: ApiError) -> list[Wake]:
        """It can't be read: nothing is known of it."""
        missing = isinstance(error, NotFound)
        self._refusal = "is of no API here" if missing else f"can't be read: {error.message}"
        self.standing, self.known = None, True
        return self._policies.note()

    def _read(self, raw: Raw) -> Standing:
        metadata = cast("Mapping[str, Any]", raw["metadata"])
        if self.resource == BINDING_RESOURCE:
            fault = fault_of_binding(self.name, raw)
        else:
            fault = fault_of_policy(self.name, raw, self._policies.account)
        if metadata.get("deletionTimestamp"):
            fault = "is being deleted"
        return Standing(
            uid=str(metadata["uid"]),
            generation=int(metadata.get("generation") or 0),
            written_at=written_at(metadata),
            fault=fault,
        )


def written_at(metadata: Mapping[str, Any]) -> datetime:
    """When it was last written, by the server's clock; its status, which others keep, aside."""
    entries = metadata.get("managedFields") or ()
    times = [entry.get("time") for entry in entries if not entry.get("subresource")]
    found = [read.time(time) for time in (metadata["creationTimestamp"], *times)]
    return max((time for time in found if time is not None), default=read.EPOCH)


class PolicyWatch:
    """Follows all of them by their names, for ever; nothing that it meets ends it."""

    def __init__(self, client: Client, policies: Policies, wake: Callable[[Wake], None]) -> None:
        self._client = client
        self._policies = policies
        self._reflectors = [
            Reflector(
                place.resource,
                Lister(
                    HttpTransport(client, place.resource, f"{_GROUP_PATH}/{place.resource}"),
                    place,
                    wake,
                    fields=f"metadata.name={place.name}",
                ),
                refused=place.refused,
            )
            for place in policies.places
        ]

    async def run(self) -> None:
        """Until cancelled."""
        self._policies.account = await self._own_account()
        async with asyncio.TaskGroup() as group:
            for reflector in self._reflectors:
                group.create_task(reflector.run())

    async def synced(self) -> None:
        """Return once each was listed, or can't be."""
        for reflector in self._reflectors:
            await reflector.synced.wait()

    async def resync(self, since: float) -> None:
        """A fresh list of each whose last began before the monotonic time ``since``."""
        listers = (reflector.lister for reflector in self._reflectors)
        stale = [lister.sync() for lister in listers if lister.listed_since < since]
        # What is wrong with one is told by its own watch.
        await asyncio.gather(*stale, return_exceptions=True)

    async def _own_account(self) -> str:
        """By which name the API server knows the operator; empty where it doesn't tell."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        request = Request(verb="POST", resource="selfsubjectreviews", path=_REVIEW_PATH, body=body)
        while True:
            try:
                answer = await patiently(lambda: self._client.send(request))
            except TryAgain as error:
                log.warning("the operator's own name is asked for again: %s", error)
                await asyncio.sleep(_AGAIN)
            except ApiError as error:
                log.warning("the API server doesn't tell the operator's own name: %s", error)
                return ""
            else:
                user = read.mapping(read.mapping(answer.get("status")).get("userInfo"))
                return read.text(user.get("username"))


__all__ = ["Place", "Policies", "PolicyWatch", "Standing", "written_at"]
