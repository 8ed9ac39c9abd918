"""Reading protobuf's wire format, as far as a serialized CEL expression needs it."""

from collections.abc import Iterator


class Message:
    """A message whose fields go by their numbers; fields that aren't messages or texts aside."""

    __slots__ = ("_fields", "_messages")

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[bytes]] = {}
        self._messages: dict[int, list[Message]] = {}
        for number, value in _fields(data):
            self._fields.setdefault(number, []).append(value)

    def has(self, number: int) -> bool:
        """Whether the field is there."""
        return number in self._fields

    def blob(self, number: int) -> bytes:
        """The field's bytes, the last if there are many; empty where it is absent."""
        return self._fields.get(number, [b""])[-1]

    def text(self, number: int) -> str:
        """The field as text."""
        return self.blob(number).decode(errors="replace")

    def message(self, number: int) -> "Message":
        """The field as a message."""
        found = self.messages(number)
        return found[-1] if found else Message(b"")

    def messages(self, number: int) -> "list[Message]":
        """Every value of a repeated field."""
        if number not in self._messages:
            self._messages[number] = [Message(value) for value in self._fields.get(number, ())]
        return self._messages[number]


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        end = at
        match tag & 7:
            case 0:
                _, end = _varint(data, at)
            case 1:
                end = at + 8
            case 2:
                length, at = _varint(data, at)
                end = at + length
            case 5:
                end = at + 4
            case _:
                return
        yield tag >> 3, data[at:end]
        at = end


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the top bit says that more follow
            break
        shift += 7
    return value, at
