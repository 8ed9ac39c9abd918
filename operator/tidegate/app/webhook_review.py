"""What the webhook answers to an AdmissionReview: pure, and by the operator's own validation.

A Workflow is refused only for a spec that is new. Whatever leaves the spec as it is passes, so that
annotations, votes, finalizers and deletions of an invalid Workflow are never held up.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

import orjson

from tidegate import constants as c
from tidegate.api.workflow import validate
from tidegate.errors import Fault, InvalidSpec, TidegateError
from tidegate.facts.raw import Raw, mapping, text
from tidegate.facts.workflow import workflow_fact

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"
_UNPROCESSABLE: Final = 422
"""The status with which the API server tells of what the CRD refuses; this is the same to users."""
_MAX_ITEMS: Final = 1000
"""Twice what the CRD lets pass, which API servers look at before they ask here."""

Serves = Callable[[str], bool]
"""Whether this operator runs the Workflows of a namespace."""


class MalformedReview(TidegateError):
    """No API server sends this; the text says what is wrong with it."""


class Result(StrEnum):
    """What became of a review."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    PASSED = "passed"
    """There was nothing to look at."""


class Answer(NamedTuple):
    """An answer, and in one word what it says."""

    result: Result
    body: Raw
    """The AdmissionReview to send back."""


def answer(review: object, serves: Serves) -> Answer:
    """The answer to a decoded AdmissionReview.

    Raises:
        MalformedReview: it is none.
    """
    request = _request(review)
    if not _is_ours(request, serves) or not _brings_a_spec(request):
        return _allowed(request, Result.PASSED)
    fact = workflow_fact(_named(request))
    if any(isinstance(part, list) and len(part) > _MAX_ITEMS for part in fact.spec.values()):
        raise MalformedReview("request.object is larger than the CRD allows")
    try:
        validate(fact)
    except InvalidSpec as error:
        return _refused(request, fact.key.name, error.faults)
    return _allowed(request, Result.ACCEPTED)


def _request(review: object) -> Raw:
    if not isinstance(review, dict):
        raise MalformedReview("the body is no JSON object")
    if (review.get("apiVersion"), review.get("kind")) != (API_VERSION, KIND):
        raise MalformedReview(f"the body is no {KIND} of {API_VERSION}")
    request = review.get("request")
    if not isinstance(request, dict):
        raise MalformedReview("request is missing")
    if not text(request.get("uid")):
        raise MalformedReview("request.uid is missing")
    return request


def _is_ours(request: Raw, serves: Serves) -> bool:
    """Whether a Workflow that this operator runs is created or updated."""
    kind = mapping(request.get("kind"))
    return (
        (kind.get("group"), kind.get("version"), kind.get("kind")) == (c.GROUP, c.VERSION, c.KIND)
        and text(request.get("operation")) in {"CREATE", "UPDATE"}
        and not request.get("subResource")
        and serves(text(request.get("namespace")))
    )


def _brings_a_spec(request: Raw) -> bool:
    """Whether there is a spec that wasn't there before, of a Workflow that stays."""
    new, old = request.get("object"), request.get("oldObject")
    if not isinstance(new, dict):
        raise MalformedReview("request.object is missing")
    if text(mapping(new.get("metadata")).get("deletionTimestamp")):
        return False
    if request["operation"] == "CREATE":
        return True
    if not isinstance(old, dict):
        raise MalformedReview("request.oldObject is missing")
    return not _are_same(new.get("spec"), old.get("spec"))


def _are_same(spec: object, other: object) -> bool:
    """Whether both are the same JSON, in which true is no 1; not where that can't be told."""
    try:
        texts = [orjson.dumps(each, option=orjson.OPT_SORT_KEYS) for each in (spec, other)]
    except (TypeError, ValueError, RecursionError):
        return False
    return texts[0] == texts[1]


def _named(request: Raw) -> Raw:
    """The object with its name and namespace, which stand in the request, too."""
    found: Raw = request["object"]
    metadata = mapping(found.get("metadata"))
    places = {key: request[key] for key in ("name", "namespace") if text(request.get(key))}
    return {**found, "metadata": {**places, **metadata}}


def _allowed(request: Raw, result: Result) -> Answer:
    return Answer(result, _review({"uid": request["uid"], "allowed": True}))


def _refused(request: Raw, name: str, faults: Sequence[Fault]) -> Answer:
    """A refusal that kubectl shows as it shows those of the CRD: a line for each fault."""
    causes = [
        {"reason": "FieldValueInvalid", "field": fault.path or "spec", "message": fault.message}
        for fault in faults
    ]
    status: dict[str, Any] = {
        "status": "Failure",
        "code": _UNPROCESSABLE,
        "reason": "Invalid",
        "message": "invalid spec: " + "; ".join(map(str, faults)),
        "details": {"group": c.GROUP, "kind": c.KIND, "name": name, "causes": causes},
    }
    body = _review({"uid": request["uid"], "allowed": False, "status": status})
    return Answer(Result.REFUSED, body)


def _review(response: dict[str, Any]) -> Raw:
    return {"apiVersion": API_VERSION, "kind": KIND, "response": response}
