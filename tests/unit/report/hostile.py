"""Texts that want to be more than text, and statuses full of them."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from tests.unit.engine.builders import NOON, node, workflow
from tidegate.api.identity import WorkflowKey
from tidegate.api.status import (
    Ending,
    Failure,
    JobRef,
    LogRef,
    NodePhase,
    NodeStatus,
    Outcome,
    Phase,
    RunSummary,
    Vote,
    WaveStatus,
    WorkflowStatus,
)
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.report.model import Report, Tail

SNIPPETS = (
    "| a | b |", "|---|---|", "\\|", "\\", "```", "`", "``", "~~~", "`" * 40, "````mermaid",
    "<script>alert(1)</script>", "<!--", "<img src=x>", "<https://x.example>", "</details>",
    "[x](http://e.example)", "![i](http://e.example/i.png)", "[x]: http://e.example", "[^1]",
    "http://e.example", "https://e.example/a?b=c#d", "www.e.example", "ftp://e.example",
    "a@b.example", "mailto:a@b.example", "e.example", "@bob", "@org/team", "#123", "org/repo#1",
    "GH-7", "gh-7", "JIRA-12", "deadbeef1", "0123456", "a" * 40, "$x$", "$$", ":smile:", ":+1:",
    "\x1b[31mred\x1b[0m", "\x1b]8;;http://e.example\x1b\\link\x1b]8;;\x1b\\", "\x1b]0;title\x07",
    "\x9b31m", "\x1b", "\u202e", "\u2066", "\u200b", "\u200e", "\ufeff", "\u2028", "\u2029",
    "\u0085", "\x00", "\x07", "\x08", "\x7f", "\r", "\r\n", "\n", "\t", "\v", "\f", "\u00a0",
    "\u115f", "\u3164", "\ufe0f", "\ud800", "e" + "\u0301" * 30,
    "# title", "- item", "+", "-", "=", "===", "---", "***", "1. one", "1)", "> quote",
    "    code", "*a*", "**", "_b_", "__", "~~s~~", "&lt;", "&#64;bob", "&amp", "{{x}}", "$(x)",
    "kubectl annotate twf x 'a=b; c'", "kubectl ", "; ", "invalid spec: ; spec.x: y", "'" * 9,
    "שלום", "日本語", "naïve", "can't", "(see", "this)", "“so”", "1.5", "12:30", "100%", "...",
)  # fmt: skip

texts = st.one_of(
    st.lists(st.sampled_from(SNIPPETS), max_size=6).map("".join),
    st.lists(st.sampled_from(SNIPPETS), max_size=6).map(" ".join),
    st.text(max_size=40),
    st.text(st.characters(categories=["Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Mn", "So"]), max_size=9),
)
maybe_texts = st.none() | texts
zones = st.sampled_from([None, UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))])
moments = st.one_of(
    st.integers(0, 200_000).map(lambda s: NOON + timedelta(seconds=s)),
    st.datetimes(timezones=zones),
    st.sampled_from([datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)]),
)
maybe_moments = st.none() | moments
names = st.sampled_from(["a", "b", "c", "s", "h", "gh-1", "cafe123"]) | texts

WORKFLOW = workflow(
    node("a", fallback="s"),
    node("b", "a", allowFailure=True),
    node("c", "a b", checkpoint={"message": "<b>@all</b> $(params.x) | ok?", "timeout": "1h"}),
    node("gh-1", "a"),
    node("cafe123", "c"),
    standbys="s h",
    params=[{"name": "x", "value": "1"}],
    onExit=["h"],
)

failures = st.builds(
    Failure,
    attempt=st.integers(-1, 200),
    standby=maybe_texts,
    reason=texts,
    exit_code=st.none() | st.integers(),
    message=texts,
    started_at=maybe_moments,
    finished_at=maybe_moments,
)
votes = st.builds(
    Vote,
    key=texts,
    decision=texts,
    by=maybe_texts,
    verified=st.booleans(),
    at=moments,
    comment=maybe_texts,
    inputs=st.dictionaries(texts, texts, max_size=2),
    text=texts,
)


def node_statuses(wave: int | None) -> st.SearchStrategy[NodeStatus]:
    return st.builds(
        NodeStatus,
        phase=st.sampled_from(NodePhase),
        reason=maybe_texts | st.sampled_from(["Approved", "RejectedByTimeout", "RunEnded"]),
        message=maybe_texts,
        wave=st.just(wave) if wave else st.none() | st.integers(-5, 9),
        attempt=st.integers(-1, 200),
        job=st.none() | st.builds(JobRef, name=texts, run=st.integers(0, 5)),
        standby=maybe_texts | st.just("s"),
        disruptions=st.integers(0, 3),
        started_at=maybe_moments,
        finished_at=maybe_moments,
        retry_at=maybe_moments,
        outputs=maybe_texts | st.sampled_from(['{"a": "|", "b": [1]}', "[]", "[" * 5000]),
        served_by=maybe_texts | st.just("s"),
        failures=st.lists(failures, max_size=3).map(tuple),
        code=maybe_texts,
        opened_at=maybe_moments,
        votes=st.lists(votes, max_size=2).map(tuple),
    )


@st.composite
def statuses(draw: st.DrawFn, of: ValidatedWorkflow | None) -> WorkflowStatus:
    nodes: dict[str, NodeStatus] = {}
    if of is not None and draw(st.booleans()):
        nodes = {name: draw(node_statuses(wave)) for name, wave in of.graph.wave_of.items()}
        nodes["h"] = draw(node_statuses(None))
    nodes |= draw(st.dictionaries(names, node_statuses(None), max_size=2))
    causes = st.sampled_from(["Failure", "DeadlineExceeded", "CancelGraceful", "CancelNow"])
    waves = st.builds(WaveStatus, started_at=maybe_moments, finished_at=maybe_moments)
    ending = st.builds(Ending, cause=causes, node=maybe_texts, wave=st.none(), at=moments)
    finals = st.sampled_from([Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED])
    former = st.builds(RunSummary, run=st.integers(0, 9), phase=st.sampled_from(Phase))
    fields: dict[str, st.SearchStrategy[Any]] = {
        "phase": st.none() | st.sampled_from(Phase),
        "reason": maybe_texts | st.sampled_from(["InvalidSpec", "NodeFailed"]),
        "message": maybe_texts,
        "run": st.integers(0, 5),
        "progress": maybe_texts | st.just("3/7"),
        "started_at": maybe_moments,
        "finished_at": maybe_moments,
        "waves": st.dictionaries(texts | st.sampled_from(["1", "2", "9"]), waves, max_size=3),
        "ending": st.none() | ending,
        "outcome": st.none() | st.builds(Outcome, phase=finals, reason=texts, at=moments),
        "order": st.none() | st.lists(names, max_size=3).map(tuple),
        "runs": st.lists(former, max_size=4).map(tuple),
        "log": st.none() | st.builds(LogRef, config_map=texts),
    }
    return WorkflowStatus(nodes=nodes, **{key: draw(value) for key, value in fields.items()})


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Any status at all, with any texts."""
    of = draw(st.sampled_from([WORKFLOW, None]))
    tails = st.builds(Tail, text=texts, cut=st.booleans(), lost=texts | st.just(""))
    keys = st.sampled_from(["1.a.1", "1.a.2", "1.b.1", "2.s.3"]) | texts
    nodes = st.sampled_from(["1.a", "1.b", "2.s"]) | texts
    return Report(
        WorkflowKey(draw(texts | st.just("data")), draw(texts | st.just("flow"))),
        of,
        draw(statuses(of)),
        draw(st.dictionaries(texts, texts, max_size=3)),
        draw(st.dictionaries(keys, tails, max_size=3)),
        draw(st.dictionaries(texts, st.lists(nodes, max_size=9), max_size=3)),
    )
