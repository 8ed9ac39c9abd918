"""The kinds of fields that a spec is made of: their bounds, and what the CRD says of them.

Every text and list is bounded: the API server's budget for CEL rules depends on it.
"""

from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

NAME_PATTERN: Final = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
MAX_NODES: Final = 500
MAX_STANDBYS: Final = 64
MAX_ARGUMENT: Final = 131_071
"""Bytes: the longest single argument that Linux passes to a program."""
MAX_CAP: Final = timedelta(hours=24)
MAX_PARAMS: Final = 64
MAX_PARAM: Final = 32 * 1024
"""Bytes of a param's value."""
MAX_OUTPUTS: Final = 64
"""Outputs that a node may declare."""
MAX_CONDITION: Final = 4096
"""Characters of a ``when``."""
KEY_PATTERN: Final = "^[A-Za-z_][-A-Za-z0-9_]*$"
"""Of the names of params and declared outputs."""

_LIST_TYPE: Final = "x-kubernetes-list-type"
_KEEP: Final = "x-kubernetes-preserve-unknown-fields"


def list_map(key: str) -> dict[str, Any]:
    """Of a list whose items are told apart by ``key``."""
    return {_LIST_TYPE: "map", "x-kubernetes-list-map-keys": [key]}


WHOLE: Final[dict[str, Any]] = {"x-kubernetes-map-type": "atomic"}
"""Owned and replaced whole: one entry in managedFields, which every status write goes through."""
SET: Final[dict[str, Any]] = {_LIST_TYPE: "set"}
ATOMIC: Final[dict[str, Any]] = {_LIST_TYPE: "atomic"}


def _variable(value: dict[str, Any]) -> dict[str, Any]:
    if not (isinstance(value.get("name"), str) and value["name"]):
        raise ValueError("needs a name")
    if not isinstance(value.get("value"), str | None):
        raise ValueError("value must be text; put it in quotes")  # noqa: TRY004 - pydantic
    if not isinstance(value.get("valueFrom"), dict | None):
        raise ValueError("valueFrom must be an object")  # noqa: TRY004
    return value


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("holds a NUL character, which no argument or variable can hold")
    return value


def _param(value: str) -> str:
    if len(value.encode()) > MAX_PARAM:
        raise ValueError(f"is too long; at most {MAX_PARAM} bytes are possible")
    return _no_nul(value)


def _mount(value: dict[str, Any]) -> dict[str, Any]:
    if not all(isinstance(value.get(k), str) and value[k] for k in ("name", "mountPath")):
        raise ValueError("needs a name (of a volume) and a mountPath")
    return value


def _text(description: str, most: int, least: int = 0) -> dict[str, Any]:
    bounds = {"minLength": least} if least else {}
    return {"type": "string", "description": description, "maxLength": most} | bounds


def _flag(description: str) -> dict[str, Any]:
    return {"type": "boolean", "description": description}


def foreign(required: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    """An object of Kubernetes' own; fields that are newer than this version are kept.

    Fields are declared where items have merge keys: the CRD's lock compares declared fields alone
    once one is declared.
    """
    schema: dict[str, Any] = {"type": "object", _KEEP: True, **WHOLE}
    if properties:
        schema |= {"required": list(required), "properties": properties}
    return schema


_ENV_SCHEMA: Final = foreign(
    ("name",),
    name=_text("Name of the variable.", 1024, 1),
    value=_text("Its value; references of Tidegate and of Kubernetes are replaced.", 131_071),
    valueFrom=foreign()
    | {"description": "A source for the value, as in a container of Kubernetes."},
)
_MOUNT_SCHEMA: Final = foreign(
    ("name", "mountPath"),
    name=_text("Name of a volume of the template's spec.volumes.", 63, 1),
    mountPath=_text("Where the container sees it.", 4096, 1),
    subPath=_text("Path within the volume.", 4096),
    subPathExpr=_text("Path within the volume, with $(VAR) replaced by variables.", 4096),
    readOnly=_flag("Whether it can't be written."),
    recursiveReadOnly=_text("Whether mounts below can't be written either.", 64),
    mountPropagation=_text("How mounts reach the container and back.", 64),
)

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, min_length=1, max_length=40)]
"""A DNS label of at most 40 characters."""
Key = Annotated[str, StringConstraints(pattern=KEY_PATTERN, min_length=1, max_length=63)]
"""Name of a param or an output: letters, digits, ``_`` and ``-``."""
ParamValue = Annotated[str, StringConstraints(max_length=MAX_PARAM), AfterValidator(_param)]
Cel = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CONDITION)]
Argument = Annotated[str, StringConstraints(max_length=MAX_ARGUMENT)]
Count = Annotated[int, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
ExitCode = Annotated[int, Field(strict=True, ge=1, le=255)]
EnvVar = Annotated[dict[str, Any], AfterValidator(_variable), WithJsonSchema(_ENV_SCHEMA)]
Foreign = Annotated[dict[str, Any], WithJsonSchema(foreign())]
"""Anything that Kubernetes has, kept as it is: a pod template, resources."""
VolumeMount = Annotated[dict[str, Any], AfterValidator(_mount), WithJsonSchema(_MOUNT_SCHEMA)]

Image = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Shell = Annotated[
    tuple[Argument, ...], Field(min_length=1, max_length=32, json_schema_extra=ATOMIC)
]
Env = Annotated[tuple[EnvVar, ...], Field(max_length=256, json_schema_extra=list_map("name"))]
EnvFroms = Annotated[tuple[Foreign, ...], Field(max_length=64, json_schema_extra=ATOMIC)]
Words = Annotated[tuple[Argument, ...], Field(max_length=1024, json_schema_extra=ATOMIC)]
Codes = Annotated[tuple[ExitCode, ...], Field(max_length=128, json_schema_extra=SET)]
Handlers = Annotated[tuple[Name, ...], Field(max_length=MAX_STANDBYS, json_schema_extra=ATOMIC)]
