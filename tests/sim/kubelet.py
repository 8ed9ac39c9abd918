"""Scheduler, kubelets and pod garbage collection: what becomes of pods, and which programs live.

A pod's object and its program are two things: on a lost node the program runs on while the object
shows nothing of it. The programs are the truth that invariants are about.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from tests.sim.clock import EPOCH, stamp
from tests.sim.store import (
    POD,
    Raw,
    executor,
    is_deleting,
    label,
    with_spec,
    with_status,
)
from tests.sim.world import FOREVER, Program, World
from tidegate import constants as c
from tidegate.api.identity import AttemptId
from tidegate.api.model import parse_time

_PODGC = 20.0
_OVER = ("Succeeded", "Failed")


@dataclass(slots=True)
class Process:
    """A program that runs on a node."""

    pod: str
    uid: str
    job: str
    """uid of its Job."""
    attempt: AttemptId
    program: Program
    began: float
    alive: bool = True
    ended: float = 0.0
    exit_code: int = 0
    reason: str = ""
    """The pod's own reason for its end (DeadlineExceeded, Evicted)."""
    lost: bool = False
    """Whether its node is out of reach."""
    told: bool = False
    killed: bool = False
    """Whether it ended by a signal."""
    vanished: bool = False
    """Whether it went with its node, so that nobody will ever know how it ended."""


class Kubelet:
    """Runs pods."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = world.store
        self.processes: dict[str, Process] = {}
        """By pod uid, all that ever ran."""
        self.disrupted: set[str] = set()
        """uids of Jobs of which a pod was evicted or lost its node."""
        self.on_start: list[Callable[[Process], None]] = []
        self.on_end: list[Callable[[Process], None]] = []
        world.store.listeners.append(self._on_event)

    def _on_event(self, kind: str, event: str, raw: Raw, old: Raw | None) -> None:
        if kind != POD or event == "DELETED":
            return
        name, uid = raw["metadata"]["name"], raw["metadata"]["uid"]
        if event == "ADDED":
            self._world.time.after(self._world.wait(0.05, 0.01), self._bind, name, uid)
        elif is_deleting(raw):
            gone = raw["metadata"]["deletionTimestamp"]
            if old is None or old["metadata"].get("deletionTimestamp") != gone:
                self._world.time.after(self._world.wait(0.05, 0.01), self._terminate, name, uid)
            if not raw["metadata"].get("finalizers"):
                self._world.time.after(0.01, self._vanish, name, uid)

    def _bind(self, name: str, uid: str) -> None:
        pod = self._live(name, uid)
        if pod is None or is_deleting(pod):
            return
        left = self._world.unroomed.get(executor(pod), 0.0) - self._world.now()
        if left > 0:
            words = "0/1 nodes are available: 1 Insufficient cpu."
            condition = self._condition("PodScheduled", "False", "Unschedulable", words)
            self._store.update(POD, with_status(pod, conditions=[condition]))
            if left < FOREVER / 2:
                self._world.time.after(left + 0.1, self._bind, name, uid)
            return
        bound = with_spec(pod, nodeName="node-1")
        condition = self._condition("PodScheduled", "True", "", "")
        pod = self._store.update(
            POD,
            with_status(bound, startTime=self._world.time.text(), conditions=[condition]),
        )
        deadline = pod["spec"].get("activeDeadlineSeconds")
        if deadline is not None:
            self._world.time.after(float(deadline), self._deadline, name, uid)
        self._world.time.after(
            self._world.wait(self._world.climate.start, 0.1), self._pull, name, uid
        )

    def _pull(self, name: str, uid: str) -> None:
        pod = self._live(name, uid)
        if pod is None or is_deleting(pod) or pod["status"]["phase"] in _OVER:
            return
        blocked = self._program(pod).pull_blocked
        if blocked <= 0:
            self._start(pod)
            return
        waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
        self._store.update(POD, with_status(pod, containerStatuses=_container(waiting=waiting)))
        if blocked < FOREVER:
            self._world.time.after(blocked, self._start_if_live, name, uid)

    def _start_if_live(self, name: str, uid: str) -> None:
        pod = self._live(name, uid)
        if pod is not None and not is_deleting(pod) and pod["status"]["phase"] == "Pending":
            self._start(pod)

    def _start(self, pod: Raw) -> None:
        attempt = AttemptId.from_labels(pod["metadata"]["labels"])
        if attempt is None:
            return
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        program = self._program(pod)
        process = Process(
            name, uid, label(pod, c.LABEL_JOB_UID), attempt, program, self._world.now()
        )
        self.processes[uid] = process
        self._world.trace.add("kubelet", "program starts", name, attempt)
        for listener in self.on_start:
            listener(process)
        running = {"startedAt": self._world.time.text()}
        self._world.time.after(
            self._world.wait(self._world.climate.report, 0.01), self._tell_running, process, running
        )
        code = 137 if program.oom else program.exit_code
        if program.seconds < FOREVER:
            self._world.time.after(program.seconds, self.end, process, code, "")

    def _tell_running(self, process: Process, running: Raw) -> None:
        pod = self._live(process.pod, process.uid)
        if pod is not None and process.alive and not process.lost:
            statuses = _container(running=running)
            self._store.update(POD, with_status(pod, phase="Running", containerStatuses=statuses))

    def end(self, process: Process, code: int, reason: str) -> None:
        """The program ends; its pod tells that a little later."""
        if not process.alive:
            return
        process.alive, process.ended = False, self._world.now()
        process.exit_code, process.reason = code, reason
        self._world.trace.add("kubelet", "program ends", process.pod, code, reason)
        for listener in self.on_end:
            listener(process)
        if not process.lost:
            self._world.time.after(
                self._world.wait(self._world.climate.report, 0.01), self._tell, process
            )

    def _tell(self, process: Process) -> None:
        pod = self._live(process.pod, process.uid)
        if pod is None or process.lost or process.told:
            return
        process.told = True
        code = process.exit_code
        oom = process.program.oom and code == 137 and not process.reason
        terminated = {
            "exitCode": code,
            "reason": "OOMKilled" if oom else "Error" if code else "Completed",
            "startedAt": self._at(process.began),
            "finishedAt": self._at(process.ended),
        }
        if code == 0 and not process.killed:
            terminated["message"] = process.program.message
        failed = code != 0 or bool(process.reason)
        new = with_status(
            pod,
            phase="Failed" if failed else "Succeeded",
            reason=process.reason or None,
            containerStatuses=_container(terminated=terminated),
        )
        self._store.update(POD, new)
        self._world.time.after(0.01, self._vanish, process.pod, process.uid)

    def _deadline(self, name: str, uid: str) -> None:
        """The pod's activeDeadlineSeconds are over."""
        pod = self._live(name, uid)
        if pod is None or pod["status"]["phase"] in _OVER:
            return
        process = self.processes.get(uid)
        if process is None:
            self._fail(pod, "DeadlineExceeded")
        elif not process.lost:
            self._kill(process, "DeadlineExceeded", self._world.climate.grace)

    def _kill(self, process: Process, reason: str, grace: float) -> None:
        """SIGTERM, and SIGKILL after the grace period."""
        answer = {"dies": (143, 0.2), "succeeds": (0, 0.5), "ignores": (137, grace)}
        code, wait = answer[process.program.term]
        if wait > grace:
            code, wait = 137, grace
        self._world.time.after(wait, self._killed, process, code, reason)

    def _killed(self, process: Process, code: int, reason: str) -> None:
        process.killed = process.killed or process.alive
        self.end(process, code, reason)

    def _terminate(self, name: str, uid: str) -> None:
        """The pod got a deletionTimestamp."""
        pod = self._live(name, uid)
        if pod is None:
            return
        process = self.processes.get(uid)
        if process is not None and (process.lost or not process.alive):
            return
        if process is not None:
            left = _seconds(pod["metadata"]["deletionTimestamp"]) - self._world.now()
            self._kill(process, "", max(left, 0.0))
        elif pod["spec"].get("nodeName") and pod["status"]["phase"] not in _OVER:
            self._fail(pod, "")
        elif not pod["spec"].get("nodeName"):
            self._world.time.after(_PODGC, self._collect, name, uid)

    def _collect(self, name: str, uid: str) -> None:
        pod = self._live(name, uid)
        if pod is not None and pod["status"]["phase"] not in _OVER:
            self._store.update(POD, with_status(pod, phase="Failed"))
            self._vanish(name, uid)

    def _fail(self, pod: Raw, reason: str) -> None:
        """It ends without having run."""
        terminated = {"exitCode": 137, "reason": "ContainerStatusUnknown"}
        statuses = None if reason else _container(terminated=terminated)
        self._world.trace.add("kubelet", "never ran", pod["metadata"]["name"], reason)
        new = with_status(pod, phase="Failed", reason=reason or None, containerStatuses=statuses)
        self._store.update(POD, new)
        self._vanish(pod["metadata"]["name"], pod["metadata"]["uid"])

    def _vanish(self, name: str, uid: str) -> None:
        """The object goes once it is over and nobody holds it."""
        pod = self._live(name, uid)
        if pod is None or not is_deleting(pod) or pod["metadata"].get("finalizers"):
            return
        process = self.processes.get(uid)
        if pod["status"]["phase"] in _OVER or (process is None and not pod["spec"].get("nodeName")):
            self._store.remove(POD, pod)

    def evict(self, pod: Raw, message: str, *, rejected: bool = False) -> None:
        """Drained, preempted or short of memory: DisruptionTarget, then the end."""
        live = self._live(pod["metadata"]["name"], pod["metadata"]["uid"])
        if live is None or live["status"]["phase"] in _OVER or is_deleting(live):
            return
        self._world.trace.add("trouble", "evicts", live["metadata"]["name"])
        live = self._store.update(POD, self._disrupted(live, message))
        process = self.processes.get(live["metadata"]["uid"])
        if rejected and process is not None and not process.lost:
            self.end(process, 137, "Evicted")
        else:
            self._store.mark_deleted(POD, live, self._world.climate.grace)

    def lose(self, process: Process) -> None:
        """The node goes out of reach: the program runs on, nobody hears of it."""
        process.lost = True
        self._world.trace.add("trouble", "node lost", process.pod)
        self._world.time.after(60, self._taint, process)

    def _taint(self, process: Process) -> None:
        pod = self._live(process.pod, process.uid)
        if pod is not None and process.lost and not is_deleting(pod):
            live = self._store.update(POD, self._disrupted(pod, "taint manager: deleting"))
            self._store.mark_deleted(POD, live, self._world.climate.grace)

    def regain(self, process: Process) -> None:
        """The node is back: what it knows is told, what is to be deleted is killed."""
        process.lost = False
        self._world.trace.add("trouble", "node is back", process.pod)
        pod = self._live(process.pod, process.uid)
        if not process.alive:
            self._tell(process)
        elif pod is None:
            self.end(process, 137, "")
        elif is_deleting(pod):
            self._terminate(process.pod, process.uid)

    def destroy(self, process: Process) -> None:
        """The node is removed with all that ran on it; pod garbage collection clears up."""
        process.alive, process.told, process.vanished = False, True, True
        process.ended = process.ended or self._world.now()
        self._world.trace.add("trouble", "node removed", process.pod)
        for listener in self.on_end:
            listener(process)
        pod = self._live(process.pod, process.uid)
        if pod is None:
            return
        if pod["status"]["phase"] not in _OVER:
            pod = self._store.update(
                POD, with_status(self._disrupted(pod, "node gone"), phase="Failed")
            )
        self._store.mark_deleted(POD, pod)
        self._vanish(process.pod, process.uid)

    def _disrupted(self, pod: Raw, message: str) -> Raw:
        self.disrupted.add(label(pod, c.LABEL_JOB_UID))
        condition = self._condition("DisruptionTarget", "True", "Disrupted", message)
        others = [x for x in pod["status"].get("conditions", []) if x["type"] != "DisruptionTarget"]
        return with_status(pod, conditions=[*others, condition])

    def _condition(self, kind: str, status: str, reason: str, message: str) -> Raw:
        at = self._world.time.text()
        told = {"type": kind, "status": status, "lastTransitionTime": at}
        return told | ({"reason": reason, "message": message} if reason else {})

    def _program(self, pod: Raw) -> Program:
        run, number = int(label(pod, c.LABEL_RUN)), int(label(pod, c.LABEL_ATTEMPT))
        return self._world.programs(executor(pod), run, number)

    def _live(self, name: str, uid: str) -> Raw | None:
        return self._store.live(POD, name, uid)

    def _at(self, elapsed: float) -> str:
        return stamp(EPOCH + timedelta(seconds=elapsed))


def _container(**state: Raw) -> list[Raw]:
    return [{"name": c.MAIN_CONTAINER, "state": state}]


def _seconds(text: str) -> float:
    return (parse_time(text) - EPOCH).total_seconds()
