"""A namespace with people of different rights, to see whom the admission policies stop."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.kit.client import APPLY_PATCH, JSON_PATCH, ApiError, Client, Object, path_of
from tests.kit.cluster import ACCOUNT
from tests.kit.space import Space
from tests.kit.waiting import until

VOTE = "checkpoint.tidegate.dev/"
AUTHOR = "tidegate.dev/author"
CODE = "k7f3q"
API = "tidegate.dev/v1alpha1"
FORBIDDEN = 403
ALL = ("create", "get", "list", "watch", "update", "patch", "delete", "deletecollection")


@dataclass(frozen=True)
class Person:
    """Whom a request comes from."""

    name: str
    groups: tuple[str, ...] = ()
    role: str = ""
    """What the person may do in the namespace; empty: nothing."""


ED = Person("ed", role="editor")
WENDY = Person("wendy", role="writer")
ALICE = Person("alice", role="approver")
BOB = Person("bob", role="approver")
CAROL = Person("carol", groups=("release-managers",), role="approver")
SHOUTING = Person("ALICE", role="approver")
BY = Person("mallory by alice", role="approver")
COLON = Person("corp: alice", role="approver")
TRAILING = Person("alice:", role="approver")
BOSS = Person("boss", role="owner")
BOT = Person("system:serviceaccount:ci:bot", ("system:serviceaccounts",), role="approver")
NAMED_BOT = Person("system:serviceaccount:ci:gate", ("system:serviceaccounts",), role="approver")
BOT_WRITER = Person("system:serviceaccount:ci:writer", ("system:serviceaccounts",), role="writer")
ARGO_CD = Person("system:serviceaccount:argocd:argocd-application-controller", role="editor")
BUTTON = Person("system:serviceaccount:argocd:argocd-server", role="editor")
FLUX = Person("system:serviceaccount:flux-system:kustomize-controller", role="editor")
OPERATOR = Person(ACCOUNT)
ADMIN = Person("tidegate-admin", ("system:masters",))
SYSTEM = "system:serviceaccount:kube-system:"
JOB_CONTROLLER = Person(f"{SYSTEM}job-controller", role="editor")
REPLICA_CONTROLLER = Person(f"{SYSTEM}replicaset-controller", role="editor")
COLLECTOR = Person(f"{SYSTEM}generic-garbage-collector", role="editor")
PEOPLE = (
    *(ED, WENDY, ALICE, BOB, CAROL, SHOUTING, BY, COLON, TRAILING, BOSS),
    *(BOT, NAMED_BOT, BOT_WRITER, JOB_CONTROLLER, REPLICA_CONTROLLER, COLLECTOR),
    *(ARGO_CD, BUTTON, FLUX),
)


def _rule(group: str, verbs: tuple[str, ...], *resources: str) -> Object:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}


_WRITE = _rule("tidegate.dev", ALL, "workflows", "workflows/status")
_APPROVE = _rule("tidegate.dev", ("get", "update", "patch", "approve"), "workflows")
_RUN = [_rule("batch", ALL, "jobs"), _rule("", ALL, "pods")]
ROLES: dict[str, list[Object]] = {
    "writer": [_WRITE],
    "editor": [_WRITE, *_RUN],
    "approver": [_APPROVE],
    "owner": [_WRITE, _APPROVE, *_RUN],
}

SPEC: Object = {
    "suspend": True,
    "defaults": {"image": "busybox:1.36"},
    "nodes": [
        {"name": "gate", "checkpoint": {"message": "go?"}},
        {"name": "coded", "checkpoint": {"message": "go?", "requireCode": True}},
        {
            "name": "listed",
            "checkpoint": {
                "message": "go?",
                "approvers": {
                    "users": ["alice", NAMED_BOT.name],
                    "groups": ["release-managers", "system:serviceaccounts"],
                },
            },
        },
        {"name": "nobody", "checkpoint": {"message": "go?", "approvers": {}}},
        {"name": "closed", "checkpoint": {"message": "go?"}},
        {"name": "unready", "checkpoint": {"message": "go?"}},
        {"name": "work", "script": "true"},
    ],
}
"""Suspended, and its status says that it has finished: no operator does anything with it."""


def signed_spec() -> Object:
    """Return a spec whose gate forbids authors."""
    spec = deepcopy(SPEC)
    spec["nodes"][0]["checkpoint"]["forbidAuthors"] = True
    return spec


def with_nulls() -> Object:
    """Return a spec with nulls in and in place of checkpoints, which the CRD lets pass."""
    null = {"name": "null", "checkpoint": None}
    filled = {"message": "go?", "forbidAuthors": None, "approvers": None, "requireCode": None}
    return {**SPEC, "nodes": [null, {"name": "gate", "checkpoint": filled}]}


def status(**nodes: Object) -> Object:
    """Return a status in which all but closed and unready are open, with more about ``nodes``."""
    waiting = {"phase": "Waiting", "code": CODE, "openedAt": "2026-11-22T10:00:00Z"}
    found: Object = {name: dict(waiting) for name in ("gate", "coded", "listed", "nobody")}
    found |= {"closed": {"phase": "Pending"}, "unready": {"phase": "Waiting"}}
    found |= {"work": {"phase": "Succeeded"}}
    for name, more in nodes.items():
        found[name] |= more
    return {"phase": "Succeeded", "run": 1, "observedGeneration": 1, "nodes": found}


@dataclass
class Stage:
    """The namespace, its people, and Workflows in it."""

    space: Space
    made: int = 0

    @classmethod
    def set(cls, space: Space) -> Stage:
        """Give everybody their rights, and wait until they have them."""
        for role, rules in ROLES.items():
            meta = {"name": role, "namespace": space.name}
            space.add("roles", {"metadata": meta, "rules": rules})
            subjects = [_subject(person) for person in PEOPLE if person.role == role]
            reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}
            space.add(
                "rolebindings", {"metadata": meta, "roleRef": reference, "subjects": subjects}
            )
        return cls(space)

    def client(self, person: Person) -> Client:
        """Return the API server as this person sees it."""
        return _client(self.space.client, person)

    def workflow(
        self,
        annotations: dict[str, str] | None = None,
        nodes: Object | None = None,
        authors: tuple[str, ...] = (),
        spec: Object | None = None,
        **metadata: Any,
    ) -> str:
        """Create a Workflow with open checkpoints and return its name."""
        self.made += 1
        name = f"flow-{self.made}"
        self.space.add("workflows", self.manifest(name, annotations, spec, **metadata))
        written = {**status(**(nodes or {})), "authors": list(authors)}
        self.client(OPERATOR).patch(
            "workflows", self.space.name, name, {"status": written}, "status"
        )
        return name

    def written(self, name: str) -> Object:
        """Return what people have written of a Workflow."""
        found = self.space.client.get("workflows", self.space.name, name)
        meta = found["metadata"]
        return {"spec": found["spec"], **{k: meta.get(k) for k in ("annotations", "labels")}}

    def manifest(
        self,
        name: str,
        annotations: dict[str, str] | None = None,
        spec: Object | None = None,
        **metadata: Any,
    ) -> Object:
        """Return a Workflow as people write it."""
        meta = {"name": name, "annotations": annotations or {}, **metadata}
        return {"apiVersion": API, "kind": "Workflow", "metadata": meta, "spec": spec or SPEC}


@cache
def _client(client: Client, person: Person) -> Client:
    return client.impersonating(person.name, (*person.groups, "system:authenticated"))


def _subject(person: Person) -> Object:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": person.name}


# --- what people do; each takes a client, a namespace and the name of a Workflow ----------------

Act = Callable[[Client, str, str], Object]


def merge(patch: Object, sub: str = "", resource: str = "workflows") -> Act:
    """Merge a patch."""
    return lambda client, namespace, name: client.patch(resource, namespace, name, patch, sub)


def annotate(**texts: str | None) -> Act:
    """Set annotations of the group, or remove them: ``rerun``, ``cancel``, ``author``."""
    return merge({"metadata": {"annotations": {f"tidegate.dev/{k}": v for k, v in texts.items()}}})


def vote(key: str, text: str | None, **more: Any) -> Act:
    """Vote as ``kubectl annotate`` does, or remove a vote; ``more`` goes into the same patch."""
    return merge({"metadata": {"annotations": {VOTE + key: text}}, **more})


def votes(texts: dict[str, str | None]) -> Act:
    """Write several votes in one request."""
    return merge({"metadata": {"annotations": {VOTE + key: text for key, text in texts.items()}}})


def json_patch(*operations: Object, sub: str = "") -> Act:
    """Apply a JSON patch."""

    def act(client: Client, namespace: str, name: str) -> Object:
        path = path_of("workflows", namespace, name, sub)
        return client.send("PATCH", path, list(operations), patch_type=JSON_PATCH)

    return act


def json_vote(key: str, text: str) -> Act:
    """Vote by a JSON patch."""
    path = f"/metadata/annotations/{(VOTE + key).replace('/', '~1')}"
    return json_patch({"op": "add", "path": path, "value": text})


def applied(annotations: dict[str, str], spec: Object | None = None) -> Act:
    """Apply on the server's side, as ``kubectl apply --server-side`` does."""

    def act(client: Client, namespace: str, name: str) -> Object:
        meta = {"name": name, "annotations": annotations}
        body = {"apiVersion": API, "kind": "Workflow", "metadata": meta}
        body |= {"spec": spec} if spec else {}
        query = {"fieldManager": "people", "force": "true"}
        path = path_of("workflows", namespace, name)
        return client.send("PATCH", path, body, query, APPLY_PATCH)

    return act


def applied_anew() -> Act:
    """Create another Workflow by server-side apply."""
    return lambda client, namespace, name: applied({}, SPEC)(client, namespace, f"{name}-new")


def replaced(change: Callable[[Object], Any]) -> Act:
    """Read, change and PUT, as ``kubectl edit`` and ``kubectl replace`` do."""

    def act(client: Client, namespace: str, name: str) -> Object:
        body = client.get("workflows", namespace, name)
        change(body)
        try:
            return client.send("PUT", path_of("workflows", namespace, name), body)
        except ApiError as error:
            if error.reason != "Conflict":  # an operator wrote status in between
                raise
        return act(client, namespace, name)

    return act


def created(spec: Object | None = None, **metadata: Any) -> Act:
    """Create another Workflow."""

    def act(client: Client, namespace: str, name: str) -> Object:
        meta = {"name": f"{name}-new", **metadata}
        body = {"apiVersion": API, "kind": "Workflow", "metadata": meta, "spec": spec or SPEC}
        return client.create("workflows", namespace, body)

    return act


def dry(act: Act) -> Act:
    """Do it as ``--dry-run=server`` does."""

    def asked(client: Client, namespace: str, name: str) -> Object:
        return act(client.dry_running(), namespace, name)

    return asked


# --- rows ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """Who does what, and the words of the denial; none where it passes."""

    title: str
    who: Person
    act: Act
    words: str = ""
    given: dict[str, Any] = field(default_factory=dict)
    """How the Workflow is made: see ``Stage.workflow``."""

    def play(self, stage: Stage, policy: str) -> None:
        """Do it, and hold that it ends as it should."""
        name = stage.workflow(**self.given)
        before = stage.written(name)
        told = denial(lambda: self.act(stage.client(self.who), stage.space.name, name))
        check_words(told, self.words, self.who, policy)
        assert not self.words or stage.written(name) == before


def check_words(told: str, words: str, who: Person, policy: str) -> None:
    """Hold that a policy has said these words to somebody, and who it is; or nothing."""
    if not words:
        assert told == ""
        return
    assert re.search(rf"ValidatingAdmissionPolicy '{policy}' .* denied request: ", told), told
    assert words in told
    assert who.name in told, "it says who"


def denial(act: Callable[[], Any]) -> str:
    """Return the server's words if it forbids something, and nothing if it lets it pass."""
    try:
        act()
    except ApiError as error:
        if error.status != FORBIDDEN:
            raise
        return error.message
    return ""


def until_denied(act: Callable[[], Any]) -> None:
    """Do it again and again until a policy that was just installed stops it."""
    until(lambda: denial(act), "the policies in force")


def until_granted(act: Callable[[], Any]) -> None:
    """Do it again and again until the server has read the roles that allow it."""
    until(lambda: not denial(act), "the rights that were given")
