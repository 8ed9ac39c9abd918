"""Runs as they happen, told to the end: what the golden logs are made of."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tests.unit.engine.builders import PATIENT, container_end, node, spec
from tests.unit.engine.run import Run
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.deleted import deleted
from tidegate.errors import InvalidSpec
from tidegate.report.markdown import render
from tidegate.report.model import Report, Tail, node_key, tells_of

IMAGES = {
    run: f"docker.io/library/busybox@sha256:{digest * 8}"
    for run, digest in ((1, "3fbc6325"), (2, "9ae97d36"))
}
"""What nodes run in which run: a second run has another image behind the same tag."""
STUBBORN = PATIENT | {"limit": 4}


class Story(Run):
    """A run whose attempts take their time."""

    def end_pod(
        self, name: str, phase: str, exit_code: int, reason: str, message: str = ""
    ) -> None:
        pods = self.attempts[self.latest(name)].pods
        began = pods[-1].main_started_at if pods else None
        super().end_pod(name, phase, exit_code, reason, message)
        self.change_pod(name, main_started_at=began or self.now)

    def succeeds(self, *names: str, after: float = 3, told: str = "") -> None:
        """The attempts run so many seconds and succeed together."""
        self._run(names, after)
        self.pod_succeeds(*names, told=told)

    def fails(
        self, *names: str, after: float = 2, exit_code: int = 1, reason: str = "Error"
    ) -> None:
        self._run(names, after)
        self.pod_fails(*names, exit_code=exit_code, reason=reason)

    def _run(self, names: tuple[str, ...], seconds: float) -> None:
        self.advance(1)
        self.pod_runs(*names)
        self.advance(seconds)

    def told(  # type: ignore[override]
        self, tails: Mapping[str, Tail] | None = None, *, images: bool = True
    ) -> Report:
        """What the renderer is given."""
        found: ValidatedWorkflow | None
        try:
            found = self.workflow
        except InvalidSpec:
            found = None
        ran: dict[str, dict[str, None]] = {}
        for attempt in sorted(self.attempts) if images else ():
            key = node_key(attempt.run, attempt.node)
            if key in tells_of(self.status):
                ran.setdefault(IMAGES[attempt.run], {})[key] = None
        return Report(
            self.fact.key,
            found,
            self.status,
            {p["name"]: p["value"] for p in self.fact.spec.get("params", [])},
            tails or {},
            {image: tuple(keys) for image, keys in ran.items()},
        )


def report_spec(**fields: Any) -> dict[str, Any]:
    """The nightly report of the design."""
    asks = {"message": "Publish $(nodes.check.outputs.rows) rows of $(params.date)?"}
    return spec(
        node("extract", retry=PATIENT, fallback="extract-from-cache"),
        node("check", "extract", outputs=[{"name": "rows"}]),
        node("approve", "check", checkpoint=asks | {"timeout": "24h"}),
        node("publish", "approve"),
        standbys="extract-from-cache tell-oncall",
        onError=["tell-oncall"],
        params=[{"name": "date", "value": "2026-11-22"}],
        **fields,
    )


def to_the_gate() -> Story:
    story = Story(report_spec())
    story.fails("extract")
    story.advance(10)
    story.succeeds("extract", after=3)
    story.succeeds("check", after=2, told='{"rows": 1200, "table": "orders"}')
    return story


def succeeded() -> Report:
    story = approved_story()
    story.succeeds("publish", after=41)
    return story.told()


def approved_story() -> Story:
    story = to_the_gate()
    story.advance(372)
    story.vote(approve="approved by alice: numbers look right")
    return story


def waiting() -> Report:
    return to_the_gate().told()


def approved() -> Report:
    return approved_story().told()


def rejected() -> Report:
    story = to_the_gate()
    story.advance(90_000 - 16)
    story.succeeds("tell-oncall")
    return story.told()


def rejected_by_a_person() -> Report:
    story = to_the_gate()
    story.advance(60)
    story.vote(approve="rejected by bob: far too few, see #42 and http://wiki.example/rows")
    story.succeeds("tell-oncall")
    return story.told()


def failed_with_fallback() -> Report:
    story = Story(report_spec())
    for _ in range(3):
        story.fails("extract")
        story.advance(40)
    story.fails("extract", exit_code=4, after=1)
    story.succeeds("tell-oncall")
    tails = {
        "1.extract.3": Tail(
            "Traceback (most recent call last):\n  …\nTimeoutError: db\n", cut=True
        ),
        "1.extract.4": Tail("cache is 3 days old, limit is 2\ngiving up\nexit 4\n"),
    }
    return story.told(tails)


def served_by_fallback() -> Report:
    story = Story(spec(node("a", fallback="s"), node("b", "a"), standbys="s"))
    story.fails("a", exit_code=137, reason="OOMKilled")
    story.succeeds("a", after=5)
    story.succeeds("b")
    return story.told()


def running() -> Report:
    nodes = (node("load"), node("train", "load", retry=STUBBORN), node("lint", "load"))
    story = Story(spec(*nodes, node("eval", "train lint"), parallelism=2))
    story.succeeds("load", after=61)
    story.fails("train", exit_code=75, after=130)
    story.advance(3)
    return story.told()


def cancelled() -> Report:
    story = Story(spec(node("load"), node("train", "load"), node("eval", "train")))
    story.succeeds("load")
    story.advance(1)
    story.pod_runs("train")
    story.advance(3600)
    story.ask(cancel="graceful")
    return story.told({"1.train.1": Tail("epoch 7\nepoch 8\n", cut=True)})


def deleted_in_mid_run() -> Report:
    asks = node("approve", "load", checkpoint={"message": "Go on?"})
    story = Story(spec(node("load"), node("train", "load"), asks, node("eval", "train approve")))
    story.succeeds("load")
    story.advance(1)
    story.pod_runs("train")
    story.advance(60)
    assert "kubectl annotate" in render(story.told())
    lines = {"1.train.1": Tail("epoch 7\n")}
    return replace(story.told(lines), status=deleted(story.status, story.now))


def out_of_time() -> Report:
    story = Story(spec(node("load"), node("train", "load"), timeout="1h"))
    story.succeeds("load")
    story.advance(1)
    story.pod_runs("train")
    story.advance(4000)
    lost = "its pod was gone before its log was read"
    return story.told({"1.train.1": Tail("", lost=lost)})


def invalid() -> Report:
    return Story(spec(node("b", "c"), node("c", "b"), node("e", "x"), paralelism=3)).told()


def second_run() -> Report:
    story = Story(spec(node("load"), node("train", "load"), node("eval", "train")))
    story.succeeds("load", after=20)
    story.fails("train", exit_code=2, after=9)
    story.advance(86_400)
    story.ask(rerun="failed@2")
    story.succeeds("train", after=12)
    story.succeeds("eval", after=1)
    return story.told()


def handlers() -> Report:
    given = spec(
        node("a"),
        node("b", allowFailure=True),
        standbys="page clean",
        onError=["page"],
        onExit=["clean"],
    )
    story = Story(given)
    story.fails("b", exit_code=3)
    story.succeeds("a")
    story.fails("clean", exit_code=9)
    return story.told({"1.clean.1": Tail("rm: cannot remove '/data': busy\n")})


def independent_failures() -> Report:
    """Two branches fail, each for itself, and with Continue the third goes on."""
    given = spec(
        *(node(name) for name in ("orders", "stock", "prices")),
        node("join", "orders stock"),
        node("export", "prices"),
        failurePolicy="Continue",
    )
    story = Story(given)
    story.fails("stock", exit_code=2)
    story.fails("orders", exit_code=137, reason="OOMKilled", after=30)
    story.succeeds("prices", after=60)
    story.succeeds("export")
    tails = {"1.stock.1": "stock: no such table\n", "1.orders.1": "orders: 3 of 9 files\n"}
    return story.told({key: Tail(text) for key, text in tails.items()})


def fail_fast() -> Report:
    """One fails, its neighbours are ended, a question is closed, and the pager fails, too."""
    given = spec(
        *(node(name) for name in ("east", "north", "south")),
        node("ok", checkpoint={"message": "Go on?"}),
        node("merge", "east north south ok"),
        standbys="page",
        onError=["page"],
        failurePolicy="FailFast",
    )
    story = Story(given)
    story.advance(1)
    story.pod_runs("east", "south")
    story.fails("north", exit_code=3, after=8)
    story.fails("page", exit_code=22)
    tails = {"east": "row 17\n", "north": "bad row 4\n", "page": "no route to host\n"}
    return story.told({f"1.{name}.1": Tail(text) for name, text in tails.items()})


def late_with_tolerated_failures(count: int = 2) -> Report:
    """So many nodes fail and it doesn't matter; then the run's timeout ends it."""
    probes = [f"probe-{i}" for i in range(count)]
    optional = (node(name, allowFailure=True) for name in probes)
    given = spec(node("load"), *optional, timeout="1h", parallelism=30)
    story = Story(given)
    story.fails(*probes)
    story.pod_runs("load")
    story.advance(4000)
    return story.told({"1.load.1": Tail("12 of 80 files\n", cut=True)})


def with_helpers() -> Report:
    """A helper of the template holds one pod, and another one's helper is what failed."""
    helpers = {"spec": {"containers": [{"name": "proxy", "image": "proxy:1"}]}}
    given = spec(node("load", template=helpers), node("copy", template=helpers), node("scan"))
    story = Story(given)
    story.succeeds("scan")
    story.pod_runs("load", "copy")
    story.advance(5)
    story.end_pod("copy", "Failed", 0, "Completed")
    story.tell_pod("copy", failed=container_end(name="proxy", exit_code=2))
    story.tell_pod("load", helpers_running=("proxy",))
    both = "==> main <==\ncopied 9 of 9\n==> proxy <==\nupstream closed the connection\n"
    return story.told({"1.copy.1": Tail(both)})


def graph_of(count: int) -> list[dict[str, Any]]:
    """Ten waves; each node needs two of the wave before."""
    width = count // 10
    nodes = []
    for i in range(count):
        wave, place = divmod(i, width)
        before = f"n{i - width} n{(wave - 1) * width + (place + 1) % width}" if wave else ""
        nodes.append(node(f"n{i}", " ".join(dict.fromkeys(before.split())), retry=PATIENT))
    return nodes


def fifty() -> Report:
    """A wave takes its nodes' time, one node is retried, and one fails in the sixth wave."""
    story = Story(spec(*graph_of(50), parallelism=500))
    for wave in range(5):
        if wave == 2:
            story.fails("n12")
            story.advance(10)
        story.succeeds(*sorted(story.running), after=30)
    for _ in range(3):
        story.fails("n27", exit_code=3)
        story.advance(20)
    story.succeeds(*sorted(story.running), after=5)
    return story.told({"1.n27.3": Tail("out of ideas\n")})


def without_an_attempt() -> Report:
    """A value is missing, so nothing is started, and a condition skips a node."""
    given = spec(
        node("a"),
        node("b", "a", env=[{"name": "X", "value": "$(nodes.a.outputs.x)"}]),
        node("c", "a", when="nodes.a.exitCode > 0"),
    )
    story = Story(given)
    story.succeeds("a", told='{"y": 1}')
    return story.told()


def hostile() -> Report:
    """Everything that users can write wants to be more than text."""
    nasty = "| [x](http://e.example) <b>@all</b> #1 `` `cat` \x1b[31mred\x1b[0m \u202eevil"
    given = spec(
        node("a", outputs=[{"name": "o"}]),
        node("ok", "a", checkpoint={"message": f"{nasty} $(nodes.a.outputs.o)?"}),
        node("b", "ok"),
        params=[{"name": "p", "value": nasty}],
    )
    story = Story(given)
    story.succeeds("a", told='{"o": "![i](http://e.example/i.png) | www.e.example"}')
    story.vote(ok="approved by @bob <bob@e.example>: see https://e.example/#1 | ok")
    story.advance(1)
    story.pod_runs("b")
    story.end_pod("b", "Failed", 1, "Error", nasty)
    story.look()
    return story.told({"1.b.1": Tail(f"```\n{nasty}\n```` \n~~~\n10%\r100%\r\n\u2028</pre>\n")})


STORIES: dict[str, Callable[[], Report]] = {
    "approved": approved,
    "cancelled": cancelled,
    "deleted-in-mid-run": deleted_in_mid_run,
    "fail-fast": fail_fast,
    "failed-with-fallback": failed_with_fallback,
    "fifty-nodes": fifty,
    "handlers": handlers,
    "hostile": hostile,
    "independent-failures": independent_failures,
    "invalid-spec": invalid,
    "late-with-tolerated-failures": late_with_tolerated_failures,
    "out-of-time": out_of_time,
    "rejected": rejected_by_a_person,
    "rejected-by-the-clock": rejected,
    "running": running,
    "second-run": second_run,
    "served-by-fallback": served_by_fallback,
    "succeeded": succeeded,
    "waiting": waiting,
    "with-helpers": with_helpers,
    "without-an-attempt": without_an_attempt,
}
