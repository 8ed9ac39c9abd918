"""Large runs and small budgets: what gives way, and that the log says so."""

from tests.golden.stories import STORIES, Story, graph_of
from tests.unit.engine.builders import PATIENT, node, spec
from tests.unit.report.mermaid import Graph, parse_mermaid
from tests.unit.report.reading import READER, complaints
from tidegate.report.markdown import MIN_BYTES, render
from tidegate.report.model import Report, Tail, attempt_key

LINES = "\n".join(f"line {i}" for i in range(20))


def graph_in(log: str) -> Graph:
    (text,) = [t.content for t in READER.parse(log) if t.type == "fence" and t.info == "mermaid"]
    return parse_mermaid(text)


def rows_in(log: str) -> int:
    return sum(token.type == "tr_open" for token in READER.parse(log)) - 1


def all_failed(count: int, tail: str = LINES) -> Report:
    story = Story(spec(*(node(f"n{i}", retry=PATIENT) for i in range(count)), parallelism=500))
    while story.running:
        story.fails(*sorted(story.running))
        story.advance(60)
    return story.told({attempt_key(1, f"n{i}", 3): Tail(tail) for i in range(count)})


def test_all_of_500_nodes_stand_in_the_table_and_the_graph_is_drawn_as_waves() -> None:
    story = Story(spec(*graph_of(500), parallelism=500))
    story.succeeds(*sorted(story.running))
    log = render(story.told())
    assert complaints(log) == []
    assert rows_in(log) == 500
    assert "500 nodes with 900 dependencies, drawn as waves." in log
    graph = graph_in(log)
    assert [text for text, _ in graph.boxes.values()][:2] == [
        "wave 1: 50 Succeeded",
        "wave 2: 50 Running",
    ]
    assert len(graph.edges) == 9


def test_a_chain_of_500_nodes_is_drawn_in_few_boxes() -> None:
    story = Story(spec(*(node(f"n{i}", f"n{i - 1}" if i else "") for i in range(500))))
    graph = graph_in(render(story.told()))
    assert len(graph.boxes) == 50
    assert graph.boxes["w491"] == ("waves 491 to 500: 10 Pending", "Pending")


def test_a_graph_with_more_edges_than_git_hosts_draw_is_drawn_as_waves() -> None:
    first = [node(f"a{i}") for i in range(20)]
    second = [node(f"b{i}", " ".join(n["name"] for n in first)) for i in range(20)]
    log = render(Story(spec(*first, *second)).told())
    assert "40 nodes with 400 dependencies, drawn as waves." in log
    assert list(graph_in(log).boxes) == ["w1", "w2"]


def test_500_failures_are_told_in_full_in_brief_and_in_the_table() -> None:
    log = render(all_failed(500))
    assert complaints(log) == []
    assert log.count("All that attempt 3 wrote:") == 20
    assert "480 more, in fewer words:" in log
    assert "- and 380 more: the table has them" in log
    assert "n0, n1, n2, n3 and 496 more: attempt 3 failed finally, exit code 1" in log
    assert rows_in(log) == 500


def test_with_less_room_less_is_told_of_each_thing() -> None:
    report = all_failed(200)
    sizes = []
    for budget in (200_000, 40_000, 20_000, 10_000):
        log = render(report, budget)
        assert complaints(log) == []
        sizes.append(len(log.encode()))
        assert sizes[-1] <= budget
        assert "**n0** failed after 3 attempts." in log
    assert sizes == sorted(sizes, reverse=True)
    assert "10 of 200 nodes, those in trouble first of all." in log


def test_what_has_no_room_at_all_is_named_and_failures_come_first() -> None:
    wide = "😀" * 200
    names = [f"n{i}" for i in range(10)]
    given = spec(
        *(node(name, fallback="s") for name in names),
        standbys="s",
        params=[{"name": f"p{i}", "value": wide} for i in range(9)],
    )
    story = Story(given)
    for _ in range(2):
        story.fails(*sorted(story.running))
    keys = [attempt_key(1, name, number) for name in names for number in (1, 2)]
    log = render(story.told(dict.fromkeys(keys, Tail(f"{wide}\n" * 9))), MIN_BYTES)
    assert complaints(log) == []
    assert len(log.encode()) <= MIN_BYTES
    assert "What went wrong" in log
    assert "\nLeft out, as there was no room: " in log


def test_no_budget_is_too_small_for_the_title() -> None:
    log = render(STORIES["hostile"](), 0)
    assert log.startswith("# flow · run 1 · Failed\n")
    assert len(log.encode()) <= MIN_BYTES


def test_failures_that_status_had_no_room_for_are_counted() -> None:
    report = all_failed(1)
    failed = report.status.nodes["n0"]
    ends = (failed.failures[0], failed.failures[2])
    nodes = {"n0": failed.model_copy(update={"failures": ends})}
    status = report.status.model_copy(update={"nodes": nodes})
    log = render(Report(report.key, report.workflow, status))
    assert "- attempt 2: no longer kept in status" in log


def test_of_a_spec_that_has_changed_since_the_run_no_graph_is_drawn() -> None:
    story = Story(spec(node("a"), node("b", "a")))
    story.succeeds("a")
    story.succeeds("b")
    assert "```mermaid" in render(story.told())
    story.edit(nodes=[node("b"), node("c", "b")])
    log = render(story.told())
    assert "```mermaid" not in log
    assert "| a    | 1    | ✓ Succeeded |" in log
