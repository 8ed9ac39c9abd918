import pytest

from tidegate.api.references import Reference, find_references, texts_of, told


@pytest.mark.parametrize(
    ("text", "expressions"),
    [
        ("", []),
        ("$(workflow.name)", ["workflow.name"]),
        ("$(workflow.nam) $(node.name)", ["workflow.nam", "node.name"]),
        ("$(params.date) $(nodes.a.outputs.b)", ["params.date", "nodes.a.outputs.b"]),
        ("$(item) $(item.name) $(item[0]) $(index)", ["item", "item.name", "item[0]", "index"]),
        ("$(workflow.)", ["workflow."]),
        ("$(items) $(indexes) $(workflow) $(nodename)", []),
        ("$(TOKEN) $(date +%F) $(node.js --version)", []),
        ("$$(workflow.name)", []),
        ("$$$(workflow.name)", ["workflow.name"]),
        ("$(workflow.name", []),
        ("$(echo $(workflow.name))", []),
        ("${workflow.name} $workflow.name", []),
    ],
)
def test_find_references(text: str, expressions: list[str]) -> None:
    assert [found.expression for found in find_references(text)] == expressions


def test_positions() -> None:
    text = "a $(workflow.run) b"
    (found,) = find_references(text)
    assert found == Reference("workflow.run", 2)
    assert text[found.position : found.end] == "$(workflow.run)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("delete $(params.x)?", "delete all?"),
        ("write $$(params.x)?", "write $(params.x)?"),
        ("$$$(params.x)", "$$all"),
        ("$$$$(params.x)", "$$$(params.x)"),
        ("$$(params.other) $(params.other)", "$(params.other) $(params.other)"),
        ("costs $$5, $$(HOME), $(HOME), $$", "costs $$5, $$(HOME), $(HOME), $$"),
        ("$$(params.x", "$$(params.x"),
        ("$(workflow.run)", "xxxxx…"),
    ],
)
def test_people_read_what_no_kubelet_halves(text: str, expected: str) -> None:
    values = {"params.x": "all", "workflow.run": "x" * 6}
    assert told(text, values.get, 5) == expected


def test_texts_of_a_container() -> None:
    container = {
        "image": "i",
        "command": ["a", 1],
        "args": ["b"],
        "env": [{"name": "C", "value": "c"}, {"value": "d"}, {"name": "E"}, "odd"],
    }
    assert list(texts_of(container)) == [
        ("image", "i", 0),
        ("command[0]", "a", 0),
        ("args[0]", "b", 0),
        ("env[C].value", "c", 2),
        ("env[1].value", "d", 2),
    ]
    assert list(texts_of({"command": "odd", "args": None})) == []


@pytest.mark.timeout(10)
def test_a_text_full_of_openings_takes_no_time_to_speak_of() -> None:
    assert find_references("$(" * 200_000) == []
    assert len(find_references("$(" * 200_000 + ")$(workflow.name)")) == 1
