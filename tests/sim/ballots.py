"""What people write as votes, and what each of them means: known because they meant it so.

Nothing here asks the operator's own parser.
"""

import random
from dataclasses import dataclass
from typing import Any

from tests.sim.gates import PEOPLE

Spec = dict[str, Any]
NOBODY = "nobody-is-called-so"
_HUGE = 1025


@dataclass(frozen=True, slots=True)
class Meant:
    """What a text was meant to say."""

    decision: str | None
    """approved, rejected, or a choice; None where nobody can read it."""
    by: str | None = None
    code: str | None = None
    inputs: tuple[tuple[str, str], ...] = ()
    fits: bool = True
    """Whether the inputs that it gives are such as were asked for."""
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A vote on its way into an annotation."""

    suffix: str
    """What follows the slash of the key."""
    text: str
    meant: Meant
    writer: str


def proper(suffix: str, writer: str, meant: Meant, spoken: str = "") -> Text:
    """A vote as the grammar has it; ``spoken``: the decision as it is written."""
    code = f"@{meant.code}" if meant.code is not None else ""
    by = f" by {meant.by}" if meant.by is not None else ""
    comment = f": {meant.comment}" if meant.comment is not None else ""
    lines = "".join(f"\n{name}: {value}" for name, value in meant.inputs)
    text = f"{spoken or meant.decision}{code}{by}{comment}{lines}"
    return Text(suffix, text, meant, writer)


def good_inputs(gate: Spec, chance: random.Random | None = None) -> tuple[tuple[str, str], ...]:
    """Values for everything that is asked; always the same ones without ``chance``."""
    asked = {x["name"] for x in gate.get("inputs", ())}
    found = []
    if "rows" in asked:
        found.append(("rows", chance.choice(("5", "7")) if chance else "5"))
    if "place" in asked and (chance is None or chance.random() < 0.7):
        found.append(("place", chance.choice(("dev", "prod")) if chance else "prod"))
    return tuple(found)


def bad_inputs(gate: Spec, chance: random.Random) -> tuple[tuple[str, str], ...]:
    """Values that don't fit: unknown, missing, not matching."""
    asked = {x["name"] for x in gate.get("inputs", ())}
    ways: list[tuple[tuple[str, str], ...]] = [(("colour", "red"),)]
    if "rows" in asked:
        ways += [(), (("rows", "many"),), (("rows", "5"), ("colour", "red"))]
    if "place" in asked:
        ways += [(("place", "moon"),)]
    return chance.choice(ways)


def unreadable(suffix: str, writer: str, mark: str, chance: random.Random) -> Text:
    """What isn't a vote."""
    text = chance.choice(
        (
            f"approved  by {writer}: {mark}",
            f" approved by {writer}: {mark}",
            f"Approved by {writer}: {mark}",
            f"approved, {mark}",
            f"approved by {writer}: {mark}\nand more",
            f"approved by {writer}: {mark} \x07\x1b[31m",
            f"approved by {writer}: {mark} " + "x" * _HUGE,
            f"approved by : {mark}",
            f"approved@ by {writer}: {mark}",
            f"{mark}\x00",
        )
    )
    return Text(suffix, text, Meant(None), writer)


def free(suffix: str, gate: Spec, code: str | None, mark: str, chance: random.Random) -> Text:
    """Whatever somebody may write: right, wrong, in another's name, too early, with a bad code."""
    writer = chance.choice(PEOPLE)
    kind = chance.randrange(10)
    if kind == 0:
        return unreadable(suffix, writer, mark, chance)
    decision = chance.choice(("approved", "approved", "rejected", *gate.get("choices", ())))
    if kind == 1:
        decision = "maybe"
    by: str | None = writer
    if kind == 2:
        by = None
    elif kind == 3:
        by = chance.choice((*PEOPLE, NOBODY))
    told = code if code is not None and chance.random() < 0.6 else None
    if kind == 4:
        told = "zzzzz"
    fits = kind != 5
    inputs = good_inputs(gate, chance) if fits else bad_inputs(gate, chance)
    comment = None if kind == 6 else mark
    spoken = {"approved": "approve", "rejected": "reject"}.get(decision, "")
    meant = Meant(decision, by, told, inputs, fits, comment)
    return proper(suffix, writer, meant, spoken if chance.random() < 0.3 else "")


def says(meant: Meant, gate: Spec, code: str | None) -> bool:
    """Whether the vote can be counted, whoever wrote it."""
    if meant.decision not in ("approved", "rejected", *gate.get("choices", ())):
        return False
    if meant.code != code and (meant.code is not None or gate.get("requireCode")):
        return False
    return meant.decision == "rejected" or (meant.fits and _has_all(meant, gate))


def _has_all(meant: Meant, gate: Spec) -> bool:
    given = {name for name, _ in meant.inputs}
    return all(x["name"] in given or "default" in x for x in gate.get("inputs", ()))


def effective(meant: Meant, gate: Spec) -> tuple[tuple[str, str], ...]:
    """The inputs that the vote gives, defaults included."""
    given = dict(meant.inputs)
    asked = {x["name"]: given.get(x["name"], x.get("default")) for x in gate.get("inputs", ())}
    return tuple(sorted((k, v) for k, v in asked.items() if v is not None))


__all__ = ["NOBODY", "Meant", "Text", "effective", "free", "good_inputs", "proper", "says"]
