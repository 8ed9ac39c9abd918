"""Creates, stops, removes and looks for Jobs; answers enter the view before they are returned."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from tidegate import constants as c
from tidegate.api.identity import AttemptId, job_name
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.build.job import job_manifest
from tidegate.cluster.gate import Gate
from tidegate.cluster.ports import Api, Clock, Raw
from tidegate.cluster.view import View, Wake
from tidegate.engine.model import End, EndMode, Remove, Start
from tidegate.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    TryAgain,
)
from tidegate.facts.job import job_fact
from tidegate.facts.model import Answer, AnswerKind, JobFact, WorkflowFact
from tidegate.facts.raw import controller, mapping


class Hands:
    """The port ``Hands``."""

    def __init__(
        self, api: Api, view: View, gate: Gate, clock: Clock, wake: Callable[[Wake], None]
    ) -> None:
        self._api = api
        self._view = view
        self._gate = gate
        self._clock = clock
        self._wake = wake

    async def start(
        self, workflow: ValidatedWorkflow, starts: Sequence[Start]
    ) -> Mapping[AttemptId, Answer]:
        """Create Jobs, all at once; each start gets an answer, whatever happens."""
        answers = await asyncio.gather(*(self._start(workflow, start) for start in starts))
        return {start.attempt: answer for start, answer in zip(starts, answers, strict=True)}

    async def end(self, workflow: WorkflowFact, ends: Sequence[End]) -> None:
        """Stop attempts; what has already gone is fine."""
        await _all(self._end(workflow.key.namespace, end) for end in ends)

    async def remove(self, workflow: WorkflowFact, removes: Sequence[Remove]) -> None:
        """Delete Jobs in the foreground."""
        namespace = workflow.key.namespace
        await _all(self._api.delete_job(namespace, one.name, one.uid) for one in removes)

    async def prove(self, workflow: WorkflowFact, attempts: Sequence[AttemptId]) -> None:
        """Find out whether these attempts exist: GET the Job, quorum LIST its pods."""
        await _all(self._prove(workflow, attempt) for attempt in attempts)

    async def delete_workflow(self, workflow: WorkflowFact) -> None:
        """Delete the Workflow whose time to live is over."""
        key = workflow.key
        try:
            await self._api.delete_workflow(
                key.namespace, key.name, workflow.uid, workflow.resource_version
            )
        except NotFound:
            return
        except Conflict:
            self._view.learn_workflow(await self._api.get_workflow(key.namespace, key.name))
            raise

    async def _start(self, workflow: ValidatedWorkflow, start: Start) -> Answer:
        manifest = job_manifest(workflow, start)
        namespace = workflow.key.namespace
        try:
            raw = await self._api.create_job(namespace, manifest)
        except AlreadyExists:
            answer = await self._adopt(workflow, start.attempt, manifest)
        except TryAgain as error:
            answer = await self._after_lost_answer(workflow, start.attempt, manifest, error)
        except ApiError as error:
            answer = self._answer(_refusal(error), error.message)
        else:
            self._view.learn_job(raw)
            answer = self._answer(AnswerKind.CREATED, job=_fact(raw))
        finally:
            self._gate.answered()
        return answer

    async def _after_lost_answer(
        self, workflow: ValidatedWorkflow, attempt: AttemptId, manifest: Raw, error: TryAgain
    ) -> Answer:
        """The Job may or may not have been created: look before anybody tries again."""
        if error.status == 429:  # noqa: PLR2004 - refused before anything was carried out
            return self._answer(AnswerKind.UNAVAILABLE, error.message)
        answer = await self._adopt(workflow, attempt, manifest)
        if answer.kind is AnswerKind.UNAVAILABLE:
            return replace(answer, message=error.message)
        return answer

    async def _adopt(
        self, workflow: ValidatedWorkflow, attempt: AttemptId, manifest: Raw
    ) -> Answer:
        """Take the Job that has the attempt's name, if it is this very attempt's."""
        try:
            raw = await self._api.get_job(workflow.key.namespace, manifest["metadata"]["name"])
        except ApiError as error:
            answer = self._answer(AnswerKind.UNAVAILABLE, error.message)
            return replace(answer, may_exist=not isinstance(error, NotFound))
        self._view.learn_job(raw)
        job = _fact(raw)
        objection = _objection(job, workflow.uid, attempt, manifest)
        if objection:
            name = manifest["metadata"]["name"]
            return self._answer(AnswerKind.CONFLICT, f'a Job named "{name}" exists and {objection}')
        return self._answer(AnswerKind.ADOPTED, job=job)

    def _answer(self, kind: AnswerKind, message: str = "", job: JobFact | None = None) -> Answer:
        return Answer(kind, self._clock.now(), message, job)

    async def _end(self, namespace: str, end: End) -> None:
        match end.mode:
            case EndMode.STOP_JOB:
                await self._stop(namespace, end)
            case EndMode.DELETE_JOB:
                await self._api.delete_job(namespace, end.name, end.uid)
            case EndMode.DELETE_POD:
                await self._api.delete_pod(namespace, end.name, end.uid)

    async def _stop(self, namespace: str, end: End) -> None:
        """Let the Job's own deadline stop its pod, so that the Job stays as the record."""
        patch = {
            "metadata": {"uid": end.uid, "annotations": {c.ANNOTATION_END: end.reason}},
            "spec": {"activeDeadlineSeconds": 1},
        }
        try:
            wakes = self._view.learn_job(await self._api.patch_job(namespace, end.name, patch))
        except NotFound:
            wakes = self._view.learn_job_gone(end.uid)
        except (Conflict, Invalid):
            wakes = await self._look_again(namespace, end)
            if not self._view.job_is_gone(end.uid):
                self._wake_all(wakes)
                raise
        self._wake_all(wakes)

    async def _look_again(self, namespace: str, end: End) -> list[Wake]:
        """A precondition failed: the name may be another Job's by now, or nobody's."""
        try:
            raw = await self._api.get_job(namespace, end.name)
        except NotFound:
            return self._view.learn_job_gone(end.uid)
        wakes = self._view.learn_job(raw)
        if raw["metadata"]["uid"] != end.uid:
            wakes += self._view.learn_job_gone(end.uid)
        return wakes

    async def _prove(self, workflow: WorkflowFact, attempt: AttemptId) -> None:
        namespace = workflow.key.namespace
        token = self._view.token()
        uids = self._view.job_uids(workflow.uid, attempt)
        try:
            name = job_name(workflow.key.name, workflow.uid, attempt)
            raw = await self._api.get_job(namespace, name)
        except NotFound:
            pass
        else:
            self._view.learn_job(raw)
            self._object_to_half_ours(raw, workflow, uids)
        ended = self._view.ended_jobs(uids)
        lists = await asyncio.gather(*(self._api.list_pods(namespace, uid) for uid in uids))
        for raw in (raw for pods in lists for raw in pods):
            self._view.learn_pod(raw)
            over = mapping(raw.get("status")).get("phase") in ("Succeeded", "Failed")
            if not over and not self._view.holds_pod(raw["metadata"]["uid"]):
                raise TryAgain(_half_ours("pod", namespace, raw))
        for uid in ended:
            self._view.learn_pods_listed(uid)
        self._view.learn_gone(workflow.uid, attempt, uids, token)

    def _object_to_half_ours(self, raw: Raw, workflow: WorkflowFact, uids: Collection[str]) -> None:
        """A Job of ours that somebody took labels or owner from is there, and so isn't gone."""
        uid = raw["metadata"]["uid"]
        owner = controller(mapping(raw.get("metadata"))).get("uid")
        ours = uid in uids or owner == workflow.uid
        if ours and not self._view.holds_job(uid):
            raise TryAgain(_half_ours("Job", workflow.key.namespace, raw))

    def _wake_all(self, wakes: Iterable[Wake]) -> None:
        for wake in wakes:
            self._wake(wake)


def _fact(raw: Raw) -> JobFact | None:
    return job_fact(cast("dict[str, Any]", raw))


def _objection(
    job: JobFact | None, workflow_uid: str, attempt: AttemptId, manifest: Raw
) -> str | None:
    """Why a Job that has the attempt's name is not the attempt's; None if it is."""
    if job is None or job.owner_uid != workflow_uid:
        return "belongs to somebody else"
    if job.attempt != attempt:
        return f"is of {job.attempt}"
    if job.definition != manifest["metadata"]["annotations"][c.ANNOTATION_DEFINITION]:
        return "was created from another definition"
    return "is being deleted" if job.deleting else None


def _refusal(error: ApiError) -> AnswerKind:
    """What a refused creation means for the attempt."""
    if isinstance(error, Invalid):
        return AnswerKind.INVALID
    if isinstance(error, Forbidden):
        if "exceeded quota" in error.message:
            return AnswerKind.QUOTA
        if error.reason == "NamespaceTerminating" or _TERMINATING in error.message:
            return AnswerKind.TERMINATING
        if _NOT_ALLOWED in error.message:
            return AnswerKind.UNAVAILABLE
    return AnswerKind.REFUSED if isinstance(error, Refused) else AnswerKind.UNAVAILABLE


def _half_ours(kind: str, namespace: str, raw: Raw) -> str:
    return (
        f"{kind} {namespace}/{raw['metadata']['name']} runs an attempt, but has lost labels or its "
        f"owner: its Workflow waits until they are put back or the {kind} is deleted"
    )


_TERMINATING = "because it is being terminated"
_NOT_ALLOWED = "cannot create resource"
"""RBAC's words: the operator lacks a right, be it that the API server has just been started and
hasn't read its roles yet. No node is to fail for that."""


async def _all(requests: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Send all, wait for all, then raise the first error."""
    results = await asyncio.gather(*requests, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
