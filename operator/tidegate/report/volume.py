"""How a log is kept in a ConfigMap: its text, the tails beside it, and a mark of what it tells of.

Earlier runs are kept as the text that they ended with; the present one is rendered anew each time
and takes the place of what stood there of it.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Final, Self

import orjson

from tidegate.api.plain import lines
from tidegate.report.model import Tail

LOG: Final = "log.md"
IMAGES: Final = "images.json"
LIMIT: Final = 900 * 1024
"""Bytes of all keys and values; the API server takes 1 MiB, and other metadata counts as well."""
TAIL_LIMIT: Final = 16 * 1024
"""Bytes of one tail."""
_OURS: Final = "[tidegate] "
"""Begins a line of a tail that the operator wrote, not the program."""
_CUT: Final = f"{_OURS}only the end of it is kept"
_TXT: Final = ".txt"
_FENCE: Final = re.compile(rb"(`{3,})[^`]*")


@dataclass(frozen=True, slots=True)
class Mark:
    """What a ConfigMap of a log tells of; stands in an annotation, so that lists hold it."""

    run: int
    """The run that its last section is of."""
    status: str = ""
    """Digest of the status that was rendered; empty while tails are still to come."""
    over: bool = False
    """Whether that was the run's end: nothing that was recorded before takes its place."""
    start: int = 0
    """Characters of the text that are of earlier runs."""
    room: str = ""
    """Tails of attempts of the run that had ended by then found no room; RFC 3339."""
    next: str = ""
    """The ConfigMap in which the log goes on."""
    gave_way: int = 0
    """The latest of the earlier runs that lost tails to the run."""
    fewer_images: bool = False
    """Whether images of the run found no room."""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The mark that ``text`` is; None where it is none, as people may write to ConfigMaps."""
        try:
            read = orjson.loads(text)
            known = {one.name: read[one.name] for one in fields(cls) if one.name in read}
        except (orjson.JSONDecodeError, TypeError):
            return None
        if any(type(value) is not type(getattr(_NONE, key)) for key, value in known.items()):
            return None
        return cls(**known) if "run" in known else None

    def dump(self) -> str:
        """The mark as text."""
        said = {key: value for key, value in asdict(self).items() if value or key == "run"}
        return orjson.dumps(said).decode()


_NONE: Final = Mark(0)


def digest_input(stored: Mapping[str, Any]) -> bytes:
    """What of a stored status a log tells of, as bytes that are equal if that is."""
    silent = ("observedGeneration", "conditions", "requests", "ignored", "authors")
    told = {key: value for key, value in stored.items() if key not in silent}
    told.setdefault("run", 0)  # isn't stored before the first run
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class Volume:
    """The data of one ConfigMap of a log, and its mark."""

    mark: Mark | None = None
    data: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The log as it stands."""
        return self.data.get(LOG, "")

    def earlier(self, run: int) -> str:
        """What stands here of the runs before ``run``; an invalid spec is no run."""
        if self.mark is not None and self.mark.run in (0, run):
            return self.text[: self.mark.start]
        return self.text

    def tails(self, run: int) -> dict[str, Tail]:
        """The tails of a run, by attempt."""
        return {
            key.removesuffix(_TXT): _read(text)
            for key, text in self.data.items()
            if key.startswith(f"{run}.") and key.endswith(_TXT)
        }

    def images(self) -> dict[str, tuple[str, ...]]:
        """The images that are kept, each with the keys of the nodes that ran it."""
        try:
            read = orjson.loads(self.data.get(IMAGES, "{}"))
        except orjson.JSONDecodeError:
            return {}
        if not isinstance(read, dict):
            return {}
        lists = {image: keys for image, keys in read.items() if isinstance(keys, list)}
        return {i: tuple(k for k in keys if isinstance(k, str)) for i, keys in lists.items()}

    def outdates(self, run: int, *, over: bool) -> bool:
        """Whether what a paused process would tell of ``run`` is older than what stands here."""
        if self.mark is None or self.mark.run != run or run == 0:
            return self.mark is not None and self.mark.run > run
        return self.mark.over and not over


@dataclass(frozen=True, slots=True)
class Section:
    """The present run, as it is to be written."""

    run: int
    status: str
    """Digest of the status; empty while tails are still to come."""
    over: bool
    """Whether the run has ended."""
    tails: Mapping[str, Tail]
    images: Mapping[str, Sequence[str]]
    """Each with the keys of the nodes that ran it; the last ones go first."""
    ended: Mapping[str, datetime]
    """When the attempts ended, by attempt: the oldest tails go first."""
    render: Callable[[int], str]
    """The section's text in at most so many bytes."""


def composed(before: Volume, section: Section, limit: int = LIMIT) -> Volume:
    """The data with the section in the place of what stood there of its run, within the limit."""
    earlier = _within(before.earlier(section.run), limit // 2)
    images, fewer_images = _images(before, section, limit // 8)
    room = limit - size({LOG: earlier, **images}) - 1024
    text = _closed(section.render(max(1024, min(room, limit * 2 // 5))))
    if fewer_images:
        text += "\nThe images of some nodes had no room here and are left out.\n"
    older = {
        key: value
        for key, value in before.data.items()
        if key.endswith(_TXT) and not key.startswith(f"{section.run}.")
    }
    mine = {f"{key}{_TXT}": _written(tail) for key, tail in section.tails.items()}
    whole = {LOG: _joined(earlier, text), **images}
    kept, dropped = _fitting(older, mine, section.ended, limit - size(whole) - 256)
    until = _until(before, section, dropped)
    gave_way = _gave_way(before, section, older.keys() - kept.keys())
    if gave_way:
        whole[LOG] += (
            f"\nTails of run {gave_way}, or of runs before it, had no room here and are left out.\n"
        )
    if until:
        whole[LOG] += (
            "\nThe oldest tails had no room here: those of attempts that had ended by "
            f"{until[:19].replace('T', ' ')} UTC are left out.\n"
        )
    mark = Mark(
        run=section.run,
        status=section.status,
        over=section.over,
        start=len(earlier),
        room=until,
        gave_way=gave_way,
        fewer_images=fewer_images,
    )
    return Volume(mark, {**whole, **kept})


def is_full(before: Volume, run: int, limit: int = LIMIT) -> bool:
    """Whether ``run``, which isn't begun here, had better be told in another ConfigMap."""
    begun = before.mark is not None and before.mark.run in (0, run)
    return not begun and len(before.text.encode()) > limit // 2


def going_on(before: Volume, name: str) -> Volume:
    """The volume that says that the log goes on in ``name``."""
    text = f"{before.text.rstrip()}{_goes_on(name)}"
    mark = replace(before.mark or _NONE, next=name)
    return Volume(mark, {**before.data, LOG: text})


def as_one(first: Volume, second: Volume) -> Volume:
    """Two volumes, of which the first says that it goes on in the second, as a single one."""
    name = first.mark.next if first.mark is not None else ""
    earlier = first.text.removesuffix(_goes_on(name)).rstrip() + "\n"
    mark = replace(first.mark or _NONE, next="")
    if second.mark is not None:
        mark = replace(second.mark, start=len(earlier) + 1 + second.mark.start)
    text = _joined(earlier, second.text) if second.text else earlier
    return Volume(mark, {**first.data, **second.data, LOG: text})


def size(data: Mapping[str, str]) -> int:
    """Bytes of all keys and values."""
    return sum(len(key) + len(value.encode()) for key, value in data.items())


def tail_of(output: str, most: int, *, cut: bool = False) -> Tail:
    """The last ``most`` lines of what a program printed, fit to be read."""
    found = lines(output)
    cut = cut or len(found) > most
    text = "\n".join(found[-most:])
    if len(text.encode()) > TAIL_LIMIT:
        text, cut = text.encode()[-TAIL_LIMIT:].decode(errors="ignore"), True
    return Tail(text, cut)


def _images(before: Volume, section: Section, most: int) -> tuple[dict[str, str], bool]:
    """The section's images in at most so many bytes, and whether some of the run are left out."""
    mark, kept, room = before.mark, dict[str, list[str]](), most - len(IMAGES) - len("{}")
    left_out = mark is not None and mark.run == section.run and mark.fewer_images
    for image, key in ((image, key) for image, keys in section.images.items() for key in keys):
        new = 0 if image in kept else len(orjson.dumps(image)) + len(":[],")
        room -= new + len(key) + len('"",')
        if room < 0:
            left_out = True
            break
        kept.setdefault(image, []).append(key)
    return {IMAGES: orjson.dumps(kept).decode()} if kept else {}, left_out


def _goes_on(name: str) -> str:
    return f"\n\nThe log goes on in the ConfigMap `{name}`.\n"


def _joined(earlier: str, text: str) -> str:
    return f"{earlier}\n{text}" if earlier else text


def _within(earlier: str, limit: int) -> str:
    """What stands there of the latest of earlier runs, each run whole."""
    data = earlier.encode()
    if len(data) <= limit:
        return earlier
    least = len(data) - limit * 3 // 4
    start = next((at for at in _titles(data) if at >= least), len(data))
    rest = data[start:].decode()
    return f"Earlier runs had no room here and are left out.\n\n{rest}".rstrip() + "\n"


def _titles(log: bytes) -> Iterator[int]:
    """Where the title of each run begins; what begins alike within a block of code is none."""
    at, fence = 0, b""
    for line in log.split(b"\n"):
        if fence:
            fence = b"" if line.startswith(fence) and not line.strip(b"`") else fence
        elif opened := _FENCE.fullmatch(line):
            fence = opened[1]
        elif line.startswith(b"# "):
            yield at
        at += len(line) + 1


def _closed(text: str) -> str:
    return text.rstrip() + "\n"


def _written(tail: Tail) -> str:
    if tail.lost:
        return f"{_OURS}{tail.lost}\n"
    text = f" {tail.text}" if tail.text.startswith(_OURS) else tail.text
    return f"{_CUT}\n{text}\n" if tail.cut else f"{text}\n"


def _read(text: str) -> Tail:
    first, _, rest = text.partition("\n")
    if first == _CUT:
        return Tail(rest.removesuffix("\n"), cut=True)
    if first.startswith(_OURS):
        return Tail("", lost=first.removeprefix(_OURS))
    return Tail(text.removesuffix("\n"))


def _fitting(
    older: Mapping[str, str], mine: Mapping[str, str], ended: Mapping[str, datetime], room: int
) -> tuple[dict[str, str], list[str]]:
    """The tails that fit, and those of the present run that don't: the oldest go first."""

    def age(key: str) -> tuple[int, float, str]:
        run = key.partition(".")[0]
        at = ended.get(key.removesuffix(_TXT))
        return (int(run) if run.isdecimal() else 0, at.timestamp() if at else 0.0, key)

    kept: dict[str, str] = {}
    dropped: list[str] = []
    full = False
    for key in sorted((*older, *mine), key=age, reverse=True):
        value = mine.get(key) or older.get(key, "")
        room -= len(key) + len(value.encode())
        full = full or room < 0
        if not full:
            kept[key] = value
        elif key in mine:
            dropped.append(key.removesuffix(_TXT))
    return kept, dropped


def _until(before: Volume, section: Section, dropped: list[str]) -> str:
    known = before.mark.room if before.mark and before.mark.run == section.run else ""
    times = [section.ended[key].isoformat() for key in dropped if key in section.ended]
    return max([known, *times])


def _gave_way(before: Volume, section: Section, lost: Collection[str]) -> int:
    known = before.mark.gave_way if before.mark and before.mark.run == section.run else 0
    runs = (key.partition(".")[0] for key in lost)
    return max([known, *(int(run) for run in runs if run.isdecimal())])
