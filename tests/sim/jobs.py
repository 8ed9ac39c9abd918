"""The Job controller, as far as Jobs of one pod with a podFailurePolicy go.

It looks at a Job some time after something changed (pod news are batched for a second), counts
finished pods before it lets them go (finalizer), tests failures and the deadline before completion,
and tells FailureTarget before Failed, SuccessCriteriaMet before Complete.
"""

from datetime import datetime
from typing import Any

from tests.sim.store import (
    JOB,
    POD,
    TRACKING,
    Raw,
    controller_uid,
    executor,
    is_deleting,
    label,
    with_meta,
    with_status,
)
from tests.sim.world import World
from tidegate import constants as c
from tidegate.api.model import parse_time

_OVER = ("Succeeded", "Failed")
_RECREATE = 5.0


class JobController:
    """Turns Jobs into pods, and what pods did into what Jobs say."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.store
        self._due: set[tuple[str, float]] = set()
        self._planned: dict[str, float] = {}
        world.store.listeners.append(self._on_event)

    def _on_event(self, kind: str, event: str, raw: Raw, old: Raw | None) -> None:
        climate = self._world.climate
        if kind == JOB and event != "DELETED":
            self._look(raw["metadata"]["uid"], self._world.wait(climate.job_lag, 0.01))
        elif kind == POD:
            uid = label(raw, c.LABEL_JOB_UID)
            if raw.get("status") != (old or {}).get("status") or event == "DELETED":
                self._look(uid, climate.batch + self._world.wait(climate.burst, 0.02))
            elif is_deleting(raw):
                self._look(uid, self._world.wait(climate.job_lag, 0.05))

    def _look(self, uid: str, delay: float) -> None:
        """Look at the Job after ``delay``, unless that is planned for earlier anyway."""
        at = self._world.now() + delay
        if self._planned.get(uid, at + 1) <= at:
            return
        self._planned[uid] = at
        self._world.time.after(delay, self._sync_if_due, uid, at)

    def _sync_if_due(self, uid: str, at: float) -> None:
        if self._planned.get(uid) != at:
            return
        del self._planned[uid]
        job = next((x for x in self._store.all(JOB) if x["metadata"]["uid"] == uid), None)
        mine = [x for x in self._store.all(POD) if label(x, c.LABEL_JOB_UID) == uid]
        pods = [x for x in mine if controller_uid(x) == uid]
        for pod in mine:
            if job is None or controller_uid(pod) != uid:
                self._release(pod)
        if job is not None:
            self._sync(job, pods)

    def _sync(self, job: Raw, pods: list[Raw]) -> None:
        if is_deleting(job):
            self._collect(job, pods)
        elif _has(job, "Complete") or _has(job, "Failed"):
            for pod in pods:
                self._release(pod)
        elif job["spec"].get("suspend"):
            self._suspend(job, pods)
        else:
            self._run(job, pods)

    def _collect(self, job: Raw, pods: list[Raw]) -> None:
        """Deletion in the foreground: the Job goes when its pods have gone."""
        for pod in pods:
            self._delete(pod)
            self._release(pod)
        left = [x for x in self._store.all(POD) if controller_uid(x) == job["metadata"]["uid"]]
        if not left:
            self._store.update(JOB, with_meta(job, finalizers=None))

    def _suspend(self, job: Raw, pods: list[Raw]) -> None:
        """Pods go uncounted; the Job's clock is taken back."""
        for pod in pods:
            if pod["status"].get("phase") not in _OVER:
                self._delete(pod)
                self._release(pod)
        counted = self._count(job, pods)
        decided = self._decide(counted, pods)
        self._store.update(
            JOB, decided if _settled(decided) else with_status(decided, startTime=None)
        )

    def _run(self, job: Raw, pods: list[Raw]) -> None:
        new = job
        if not new.get("status", {}).get("startTime"):
            new = with_status(new, startTime=self._world.time.text())
        self._watch_deadline(new)
        new = self._decide(self._count(new, pods), pods)
        active = [x for x in pods if x["status"].get("phase") not in _OVER]
        if _has(new, "FailureTarget") or _has(new, "SuccessCriteriaMet"):
            for pod in active:
                self._delete(pod)
            if not active or all(_never_bound(x) and is_deleting(x) for x in active):
                new = self._finish(new)
        self._store.update(JOB, new)
        self._release_counted(pods)
        status = new.get("status", {})
        if (
            not pods
            and not _settled(new)
            and not status.get("succeeded")
            and not status.get("failed")
        ):
            self._create_pod(new)

    def _count(self, job: Raw, pods: list[Raw]) -> Raw:
        """Add the finished pods that weren't counted before."""
        for field, phase in (("succeeded", "Succeeded"), ("failed", "Failed")):
            fresh = [x for x in pods if x["status"].get("phase") == phase and _tracked(x)]
            if fresh:
                job = with_status(job, **{field: job["status"].get(field, 0) + len(fresh)})
        return job

    def _decide(self, job: Raw, pods: list[Raw]) -> Raw:
        if _settled(job):
            return job
        failure = self._failure(job, pods)
        if failure is not None:
            return self._condition(job, "FailureTarget", *failure)
        if job.get("status", {}).get("succeeded"):
            words = "Reached expected number of succeeded pods"
            return self._condition(job, "SuccessCriteriaMet", "CompletionsReached", words)
        return job

    def _failure(self, job: Raw, pods: list[Raw]) -> tuple[str, str] | None:
        matched = _policy(job, [x for x in pods if x["status"].get("phase") == "Failed"])
        if matched is not None:
            return "PodFailurePolicy", matched
        if job.get("status", {}).get("failed", 0) > job["spec"].get("backoffLimit", 6):
            return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        left = self._until_deadline(job)
        if left is not None and left <= 0:
            return "DeadlineExceeded", "Job was active longer than specified deadline"
        return None

    def _until_deadline(self, job: Raw) -> float | None:
        """Seconds; counted from whole seconds, so up to one too early."""
        seconds = job["spec"].get("activeDeadlineSeconds")
        started = job.get("status", {}).get("startTime")
        if seconds is None or started is None:
            return None
        since: datetime = parse_time(started)
        return float(seconds) - (self._world.time.now() - since).total_seconds()

    def _watch_deadline(self, job: Raw) -> None:
        left, uid = self._until_deadline(job), job["metadata"]["uid"]
        if left is None or left <= 0:
            return
        at = round(self._world.now() + left, 3)
        if (uid, at) not in self._due:
            self._due.add((uid, at))
            self._world.time.after(left + 0.01, self._look, uid, 0.01)

    def _finish(self, job: Raw) -> Raw:
        """No pod runs any more: say how it ended."""
        if _has(job, "FailureTarget"):
            told = _condition_of(job, "FailureTarget")
            return self._condition(job, "Failed", told["reason"], told["message"])
        told = _condition_of(job, "SuccessCriteriaMet")
        job = with_status(job, completionTime=self._world.time.text())
        return self._condition(job, "Complete", told["reason"], told["message"])

    def _condition(self, job: Raw, kind: str, reason: str, message: str) -> Raw:
        if _has(job, kind):
            return job
        self._world.trace.add("job-ctl", kind, job["metadata"]["name"], reason, message)
        condition = {
            "type": kind,
            "status": "True",
            "reason": reason,
            "message": message,
            "lastTransitionTime": self._world.time.text(),
        }
        return with_status(
            job, conditions=[*job.get("status", {}).get("conditions", []), condition]
        )

    def _create_pod(self, job: Raw) -> None:
        refusal = self._refusal(job)
        if refusal is not None:
            self._world.trace.add("job-ctl", "pod refused", job["metadata"]["name"], refusal)
            self._store.failed_create(job, refusal)
            self._look(job["metadata"]["uid"], _RECREATE)
            return
        template = job["spec"]["template"]
        uid, name = job["metadata"]["uid"], job["metadata"]["name"]
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid}
        labels = template.get("metadata", {}).get("labels", {})
        manifest = {
            "metadata": {
                "name": f"{name}-{self._world.lag.randrange(36**4):04x}",
                "labels": {**labels, c.LABEL_JOB_UID: uid},
                "annotations": template.get("metadata", {}).get("annotations", {}),
                "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
                "finalizers": [TRACKING],
            },
            "spec": template["spec"],
            "status": {"phase": "Pending"},
        }
        pod = self._store.create(POD, manifest)
        self._world.trace.add("job-ctl", "creates pod", pod["metadata"]["name"])

    def _refusal(self, job: Raw) -> str | None:
        name = job["metadata"]["name"]
        if executor(job) in self._world.forbidden:
            return (
                f'pods "{name}-x" is forbidden: violates PodSecurity "restricted:latest": runAsUser'
            )
        if self._world.now() < self._world.quota_until:
            return f'pods "{name}-x" is forbidden: exceeded quota: few, requested: pods=1'
        return None

    def _delete(self, pod: Raw) -> None:
        grace = pod["spec"].get("terminationGracePeriodSeconds", self._world.climate.grace)
        live = self._store.live(POD, pod["metadata"]["name"], pod["metadata"]["uid"])
        if live is not None and not is_deleting(live):
            self._store.mark_deleted(POD, live, 0.0 if _never_bound(live) else grace)

    def _release_counted(self, pods: list[Raw]) -> None:
        for pod in pods:
            if pod["status"].get("phase") in _OVER:
                self._release(pod)

    def _release(self, pod: Raw) -> None:
        """Take the tracking finalizer off; the pod may go now."""
        live = self._store.live(POD, pod["metadata"]["name"], pod["metadata"]["uid"])
        if live is not None and _tracked(live):
            self._store.update(POD, with_meta(live, finalizers=None))


def _policy(job: Raw, failed: list[Raw]) -> str | None:
    """The message of the first FailJob rule that a failed pod matches."""
    rules = job["spec"].get("podFailurePolicy", {}).get("rules", [])
    for pod in failed:
        who = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        for index, rule in enumerate(rules):
            words = _matched(rule, pod, who)
            if words and rule["action"] == "FailJob":
                return f"{words} matching FailJob rule at index {index}"
            if words:
                break
    return None


def _matched(rule: Raw, pod: Raw, who: str) -> str | None:
    for pattern in rule.get("onPodConditions", ()):
        for condition in pod["status"].get("conditions", ()):
            if condition["type"] == pattern["type"] and condition["status"] == "True":
                return f"Pod {who} has condition {pattern['type']}"
    codes: dict[str, Any] = rule.get("onExitCodes", {})
    for status in pod["status"].get("containerStatuses", ()):
        ended = status.get("state", {}).get("terminated")
        if (
            not codes
            or ended is None
            or status["name"] != codes.get("containerName", status["name"])
        ):
            continue
        inside = ended["exitCode"] in codes["values"]
        if ended["exitCode"] != 0 and inside == (codes["operator"] == "In"):
            code = ended["exitCode"]
            return f"Container {status['name']} for pod {who} failed with exit code {code}"
    return None


def _condition_of(job: Raw, kind: str) -> Raw:
    found: Raw = next(x for x in job["status"]["conditions"] if x["type"] == kind)
    return found


def _has(job: Raw, kind: str) -> bool:
    return any(x["type"] == kind for x in job.get("status", {}).get("conditions", ()))


def _settled(job: Raw) -> bool:
    return _has(job, "FailureTarget") or _has(job, "SuccessCriteriaMet")


def _tracked(pod: Raw) -> bool:
    return TRACKING in pod["metadata"].get("finalizers", ())


def _never_bound(pod: Raw) -> bool:
    return not pod["spec"].get("nodeName")
