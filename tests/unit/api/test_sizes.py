"""What a pod's texts take once their references are replaced: told before anything is built."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.api.specs import Spec, faults, node, spec
from tests.unit.build.samples import start_of, workflow_of
from tidegate.api.references import replaced
from tidegate.api.sizes import MAX_POD_TEXTS, Measure, size_of_value
from tidegate.build.escape import escape
from tidegate.build.job import job_manifest

ANY = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
PIECES = ["$(params.p)", "$(nodes.a.outputs.o)", "$$(params.p)", "$", '"', "\n", "é", "x"]
KIB = "x" * 1024
AT_MOST = "are possible; pass large data by a volume or a ConfigMap"
TOO_LONG = f"takes 131072 bytes with its references replaced; 131071 {AT_MOST}"


def too_large(kib: int) -> str:
    took = f"spec.nodes[a]: its texts take {kib} KiB together with its references replaced"
    return f"{took}; 512 KiB {AT_MOST}"


def with_param(*args: str, value: str = KIB, **fields: Any) -> Spec:
    given = [{"name": "p", "value": value}]
    return spec(node("a", args=list(args), **fields), params=given)


@given(st.lists(st.sampled_from(PIECES)).map("".join), ANY, ANY)
def test_what_is_told_is_what_the_replacing_makes(text: str, param: str, output: str) -> None:
    values = {"params.p": param, "nodes.a.outputs.o": output}
    measured = Measure({"p": param}).text(text)
    if measured is None:
        assert "$(" not in text
        return
    size = measured.with_values({"nodes.a.outputs.o": size_of_value(output)})
    sent = replaced(text, lambda name: escape(values[name]))
    assert size.program == len(replaced(text, values.get).encode())
    assert size.sent == len(orjson.dumps(sent)) - 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (with_param("$(params.p)" * 127), []),
        (with_param("$(params.p)" * 128),
         [f"spec.nodes[a].args[0]: {TOO_LONG}"]),
        (with_param("$(params.p)" * 127 + "x" * 1023), []),
        (with_param("$(params.p)" * 64, value="é" * 1024),
         [f"spec.nodes[a].args[0]: {TOO_LONG}"]),
        (with_param(env=[{"name": "é", "value": "$(params.p)" * 127 + "x" * 1021}]),
         [f"spec.nodes[a].env[é].value: {TOO_LONG}"]),
        (with_param(*["$(params.p)"] * 512), []),
        (with_param(*["$(params.p)"] * 513),
         [too_large(513)]),
        (with_param(*["$(params.p)"] * 257, value="$" * 1024),
         [too_large(514)]),
    ],
)  # fmt: skip
def test_what_no_program_can_be_given_is_refused(given: Spec, expected: list[str]) -> None:
    assert faults(given) == expected


def test_a_small_spec_can_t_make_a_large_job() -> None:
    bomb = with_param("$(params.p)" * 4000, value="$" * 32768)
    assert faults(bomb) == [f"spec.nodes[a].args[0]: {TOO_LONG.replace('131072', '131072000')}"]
    texts = ["$(params.p)"] * (MAX_POD_TEXTS // 65536)
    job = job_manifest(workflow_of(with_param(*texts, value="$" * 32768)), start_of("a"))
    assert MAX_POD_TEXTS <= len(orjson.dumps(job)) < MAX_POD_TEXTS + 4096


def test_what_a_node_lends_its_fallback_counts() -> None:
    env = [{"name": f"P{i}", "value": "$(params.p)" * 100} for i in range(3)]
    standby = node("s", args=["$(params.p)" * 120] * 2)
    params = [{"name": "p", "value": KIB}]
    raw = spec(node("a", fallback="s", env=env), standbys=[standby], params=params)
    told = "its texts take 540 KiB together with its references replaced"
    assert faults(raw) == [
        f"spec.nodes[a].fallback: s with the variables of a: {told}; 512 KiB {AT_MOST}"
    ]
