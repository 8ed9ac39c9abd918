"""How a log is kept within one ConfigMap."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.golden.stories import failed_with_fallback
from tests.unit.engine.builders import rows
from tests.unit.report.reading import complaints
from tests.unit.report.volumes import NOON, section, tails
from tidegate.report.markdown import render
from tidegate.report.model import Tail
from tidegate.report.volume import (
    LIMIT,
    TAIL_LIMIT,
    Mark,
    Volume,
    composed,
    digest_input,
    going_on,
    is_full,
    size,
    tail_of,
)

# --- the mark


def test_a_mark_is_read_as_it_was_written() -> None:
    mark = Mark(3, "abc", over=True, start=17, room="2026-11-22T12:00:00+00:00", next="a-log-2")
    assert Mark.parse(mark.dump()) == mark
    assert Mark.parse(Mark(0).dump()) == Mark(0)


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "null", "{}", '{"run":"1"}', '{"run":1,"start":"x"}', '{"run":true}']
)
def test_what_people_put_in_its_place_is_no_mark(text: str) -> None:
    assert Mark.parse(text) is None


def test_what_a_newer_version_adds_to_a_mark_is_left_alone() -> None:
    assert Mark.parse('{"run":1,"status":"x","more":[1]}') == Mark(1, "x")


def test_edits_after_the_end_are_nothing_to_tell_and_the_order_of_keys_is_nothing_at_all() -> None:
    one = {"phase": "Failed", "run": 1, "observedGeneration": 1, "conditions": [1]}
    untold = {
        "observedGeneration": 9,
        "requests": {"rerun": "x"},
        "ignored": ["1"],
        "authors": ["ann"],
    }
    other = {"run": 1, "phase": "Failed", **untold}
    assert digest_input(one) == digest_input(other)
    assert digest_input(one) != digest_input(one | {"phase": "Succeeded"})
    assert digest_input({"phase": "Cancelled"}) == digest_input({"phase": "Cancelled", "run": 0})


# --- runs


def test_the_present_run_is_written_anew_and_earlier_ones_stay_as_they_are() -> None:
    first = composed(composed(Volume(), section("# run 1, half\n")), section("# run 1, whole\n"))
    assert first.text == "# run 1, whole\n"
    second = composed(first, section("# run 2, half\n", run=2))
    second = composed(second, section("# run 2, whole\n", run=2))
    assert second.text == "# run 1, whole\n\n# run 2, whole\n"
    again = composed(second, section("# run 2, whole\n", run=2))
    assert again == second, "the same again changes nothing"


def test_an_invalid_spec_is_no_run_and_leaves_no_trace() -> None:
    invalid = composed(Volume(), section("# invalid\n", run=0))
    assert composed(invalid, section("# run 1\n")).text == "# run 1\n"


def test_a_text_whose_mark_is_lost_is_kept() -> None:
    orphaned = Volume(None, {"log.md": "# run 1\n"})
    assert composed(orphaned, section("# run 2\n", run=2)).text == "# run 1\n\n# run 2\n"


@pytest.mark.parametrize(
    ("stands", "run", "over", "outdated"),
    rows({
        "a later run": (Mark(2), 1, True, True),
        "an earlier run": (Mark(1, over=True), 2, False, False),
        "the run's end": (Mark(1, over=True), 1, False, True),
        "the run's end, again": (Mark(1, over=True), 1, True, False),
        "the run": (Mark(1), 1, False, False),
        "an invalid spec": (Mark(0, over=True), 0, False, False),
        "nothing": (None, 1, False, False),
    }),
)  # fmt: skip
def test_what_a_paused_process_would_tell_takes_the_place_of_nothing_later(
    stands: Mark | None, run: int, over: bool, outdated: bool
) -> None:
    assert Volume(stands).outdates(run, over=over) is outdated


# --- tails and images


@pytest.mark.parametrize(
    "tail",
    [
        Tail("one\ntwo"),
        Tail(""),
        Tail("the end", cut=True),
        Tail("", lost="its pod was gone"),
    ],
    ids=["text", "nothing", "cut", "lost"],
)
def test_a_tail_is_read_as_it_was_written(tail: Tail) -> None:
    volume = composed(Volume(), section(tails={"1.a.1": tail}))
    assert volume.tails(1) == {"1.a.1": tail}
    assert volume.tails(2) == {}


def test_a_program_can_not_speak_for_the_operator() -> None:
    volume = composed(Volume(), section(tails={"1.a.1": Tail("[tidegate] its pod was gone")}))
    assert volume.tails(1)["1.a.1"] == Tail(" [tidegate] its pod was gone")


def test_images_are_kept_once_each_with_the_nodes_that_ran_them() -> None:
    images = {"x": ("1.a", "1.b"), "y": ("1.c", "1.a")}
    volume = composed(Volume(), section(images=images))
    assert volume.data["images.json"] == '{"x":["1.a","1.b"],"y":["1.c","1.a"]}'
    assert volume.images() == images
    assert "images" not in volume.text


@pytest.mark.parametrize("odd", ["x", "[]", '{"a":1}', '{"a":[1,{}]}'])
def test_images_that_people_garbled_are_none(odd: str) -> None:
    assert not any(Volume(None, {"images.json": odd}).images().values())


@pytest.mark.parametrize("limit", [32 * 1024, LIMIT])
def test_images_that_have_no_room_are_left_out_and_the_log_says_so(limit: int) -> None:
    said = "The images of some nodes had no room here and are left out.\n"
    wide = "y" * 1024
    images = {f"{i:03}{wide}": (f"1.n{i}", f"1.m{i}") for i in range(500)}

    def pairs(found: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
        return [(image, key) for image, keys in found.items() for key in keys]

    full = section(images=images, render=lambda n: "x" * n, **tails(500, 4000))
    volume = composed(Volume(), full, limit)
    assert size(volume.data) <= limit
    assert pairs(volume.images()) == pairs(images)[: len(pairs(volume.images()))] != []
    assert volume.text.count(said) == 1
    again = composed(volume, section(images=volume.images()), limit)
    assert again.text.count(said) == 1, "what is left out is no longer known, but that it is"
    assert (
        said
        not in composed(volume, section("# run 2\n", run=2), limit).text.partition("# run 2")[2]
    )


@pytest.mark.parametrize(
    ("output", "lines", "tail"),
    rows({
        "few lines": ("a\nb\n", 5, Tail("a\nb")),
        "more lines than wanted": ("a\nb\nc\n", 2, Tail("b\nc", cut=True)),
        "nothing": ("", 5, Tail("")),
        "colours and a bell": ("\x1b[31mred\x1b[0m\x07\n", 5, Tail("red")),
        "a progress bar": ("10%\r50%\r100%\ndone\n", 5, Tail("100%\ndone")),
    }),
)  # fmt: skip
def test_a_tail_is_the_last_lines_fit_to_be_read(output: str, lines: int, tail: Tail) -> None:
    assert tail_of(output, lines) == tail


def test_a_tail_is_bounded_in_bytes_too() -> None:
    tail = tail_of("ä" * TAIL_LIMIT, 5)
    assert len(tail.text.encode()) <= TAIL_LIMIT
    assert tail.cut


# --- room


def test_the_oldest_tails_go_first_and_the_log_says_so() -> None:
    volume = composed(Volume(), section(**tails(200, 8000)))
    kept = sorted(volume.tails(1))
    assert size(volume.data) <= LIMIT
    assert kept[-1] == "1.n0199.1"
    assert kept == [f"1.n{i:04}.1" for i in range(200 - len(kept), 200)]
    assert volume.mark is not None
    last_dropped = NOON + timedelta(seconds=200 - len(kept) - 1)
    assert volume.mark.room == last_dropped.isoformat()
    assert f"had ended by {last_dropped:%Y-%m-%d %H:%M:%S} UTC are left out" in volume.text


def test_what_had_no_room_is_remembered_for_as_long_as_the_run_is_told() -> None:
    volume = composed(Volume(), section(**tails(200, 8000)))
    again = composed(volume, section())
    assert again.mark is not None
    assert volume.mark is not None
    assert again.mark.room == volume.mark.room
    assert "are left out" in again.text
    later = composed(volume, section(run=2))
    assert later.mark is not None
    assert later.mark.room == ""


def test_tails_of_earlier_runs_go_before_those_of_this_one() -> None:
    volume = composed(Volume(), section(**tails(100, 5000)))
    volume = composed(volume, section("# run 2\n", run=2, **tails(150, 5000, run=2)))
    assert len(volume.tails(2)) == 150
    assert 0 < len(volume.tails(1)) < 100
    assert volume.mark is not None
    assert volume.mark.room == "", "earlier runs are over; nobody looks for their tails"


def test_that_tails_of_earlier_runs_had_no_room_is_said_once() -> None:
    said = "Tails of run 2, or of runs before it, had no room here and are left out.\n"
    volume = composed(Volume(), section(**tails(1, 10)), limit=40_000)
    volume = composed(volume, section("# a · run 2\n", run=2, **tails(40, 700, 2)), limit=40_000)
    assert "had no room" not in volume.text
    third = section("# a · run 3\n", run=3, **tails(40, 700, 3))
    volume = composed(volume, third, limit=40_000)
    assert said in volume.text
    volume = composed(volume, third, limit=40_000)
    assert volume.text.count(said) == 1
    volume = composed(volume, section("# a · run 4\n", run=4), limit=40_000)
    assert volume.text.endswith(f"{said}\n# a · run 4\n")


def test_a_section_gets_as_much_room_as_earlier_runs_leave() -> None:
    budgets: list[int] = []

    def render(budget: int) -> str:
        budgets.append(budget)
        return "x" * budget

    before = Volume(Mark(1, "x"), {"log.md": "y" * (LIMIT // 2 - 10)})
    volume = composed(before, section(run=2, render=render))
    assert size(volume.data) <= LIMIT
    assert budgets[0] >= LIMIT // 3


def test_the_next_run_goes_on_elsewhere_once_half_is_text() -> None:
    half = Volume(Mark(1, "x"), {"log.md": "y" * (LIMIT // 2 + 1), "1.a.1.txt": "tail"})
    assert is_full(half, 2)
    assert not is_full(half, 1), "a run isn't torn apart"
    assert not is_full(composed(Volume(), section()), 2)
    ended = going_on(half, "a-log-2")
    assert ended.text.endswith("The log goes on in the ConfigMap `a-log-2`.\n")
    assert ended.mark == Mark(1, "x", next="a-log-2")
    assert ended.data["1.a.1.txt"] == "tail"


def test_in_the_last_one_the_oldest_runs_go() -> None:
    log = render(failed_with_fallback())
    runs = "\n".join(log.replace("run 1", f"run {n}", 1) for n in range(1, 300))
    volume = composed(Volume(Mark(299, "x"), {"log.md": runs}), section("# run 300\n", run=300))
    assert size(volume.data) <= LIMIT
    assert volume.text.startswith(
        "Earlier runs had no room here and are left out.\n\n# flow · run "
    )
    assert "# flow · run 299 · Failed\n" in volume.text
    assert volume.text.endswith("# run 300\n")


def test_the_oldest_runs_go_whole_wherever_their_text_would_be_cut() -> None:
    report = failed_with_fallback()
    printed = Tail("# x\n<img src=http://e.example>\n[pay here](http://e.example) @everyone\n```\n")
    log = render(replace(report, tails={"1.extract.3": printed, "1.extract.4": printed}))
    assert complaints(log) == []
    assert "\n# x\n" in log
    runs = [log.replace("run 1", f"run {n}", 1) for n in range(1, 7)]
    before = Volume(Mark(6, "x"), {"log.md": "\n".join(runs)})
    note = "Earlier runs had no room here and are left out.\n"
    whole = ["\n".join(runs[gone:]) for gone in range(7)]
    found = set()
    for limit in range(500, 2 * len(before.text.encode()), 37):
        volume = composed(before, section("# run 7\n", run=7), limit)
        earlier = volume.earlier(7).removeprefix(note).removeprefix("\n")
        found.add(whole.index(earlier))
    assert found == {2, 3, 4, 5, 6}, "room for the next one is made as well"


@pytest.mark.parametrize("limit", [32 * 1024, 64 * 1024, 256 * 1024])
def test_a_smaller_limit_holds_too(limit: int) -> None:
    before = composed(Volume(), section("x" * 100_000, **tails(50, 4000)))
    volume = composed(before, section(render=lambda n: "y" * n, **tails(50, 4000)), limit)
    assert size(volume.data) <= limit
