"""Checks of each node and standby by itself: its image, script, references, backoff, exit codes.

As with the checks across nodes, what has the wrong type is passed over.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from tidegate.api.checks import objects
from tidegate.api.duration import format_duration, parse_backoff, shorten
from tidegate.api.effective import main_container
from tidegate.api.faults import item_label
from tidegate.api.fields import MAX_ARGUMENT, MAX_CAP
from tidegate.api.json_values import compact, value_fault
from tidegate.api.references import find_references
from tidegate.api.scope import Names, Scope
from tidegate.api.spec import Backoff
from tidegate.api.template_checks import reference_faults, rest_faults, template_faults
from tidegate.constants import MAX_OUTPUT_BYTES
from tidegate.errors import Fault

_NO_IMAGE: Final = (
    "is missing: set it here, in spec.defaults.image or in the template's container main"
)
_OF_MAIN: Final = ("shell", "env", "envFrom", "workingDir", "resources", "volumeMounts")
"""Short hands in which nothing is replaced, but for the values in env."""


def task_faults(raw: Mapping[str, Any], names: Names) -> Iterator[Fault]:
    """What is wrong with any task or with the defaults of the spec ``raw``, checkpoints aside."""
    given = raw.get("defaults")
    defaults: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    yield from _shared_faults(defaults, "spec.defaults", names.scope_of_defaults())
    has_image = bool(
        defaults.get("image") or main_container(_map(defaults, "template")).get("image")
    )
    for field in ("nodes", "standbys"):
        for index, task in objects(raw.get(field)):
            if field == "nodes" and task.get("checkpoint") is not None:
                continue
            path = f"spec.{field}[{item_label(task, index)}]"
            yield from _shared_faults(task, path, _scope(field, task, names))
            yield from _script_faults(task, path)
            yield from _output_faults(task, f"{path}.outputs")
            own = task.get("image") or main_container(_map(task, "template")).get("image")
            if not (own or has_image):
                yield Fault(f"{path}.image", _NO_IMAGE)


def _map(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def _scope(field: str, task: Mapping[str, Any], names: Names) -> Scope:
    name = str(task.get("name"))
    return names.scope_of_node(name) if field == "nodes" else names.scope_of_standby(name)


def _shared_faults(task: Mapping[str, Any], path: str, scope: Scope) -> Iterator[Fault]:
    yield from reference_faults(task, path, scope)
    yield from rest_faults({field: task.get(field) for field in _OF_MAIN}, path)
    if retry := _map(task, "retry"):
        yield from _backoff_faults(_map(retry, "backoff"), f"{path}.retry.backoff")
        yield from _exit_code_faults(_map(retry, "exitCodes"), f"{path}.retry.exitCodes")
    if (template := task.get("template")) is not None:
        yield from template_faults(template, f"{path}.template", scope)


def _script_faults(task: Mapping[str, Any], path: str) -> Iterator[Fault]:
    script = task.get("script")
    if not isinstance(script, str):
        return
    others = [field for field in ("command", "args") if task.get(field)]
    if others:
        yield Fault(f"{path}.script", f"excludes {' and '.join(others)}; keep one of them")
    if len(script) <= MAX_ARGUMENT < len(script.encode(errors="replace")):
        yield Fault(f"{path}.script", f"is too long; at most {MAX_ARGUMENT} bytes are possible")
    for reference in find_references(script):
        shown = f"$({shorten(reference.expression)})"
        yield Fault(
            f"{path}.script",
            f"{shown} isn't replaced in a script; pass it through env: "
            f"{{name: VALUE, value: {shown}}}, and use $VALUE",
        )


def _output_faults(task: Mapping[str, Any], path: str) -> Iterator[Fault]:
    names: set[str] = set()
    defaults: dict[str, Any] = {}
    for _, item in objects(task.get("outputs")):
        if not isinstance(name := item.get("name"), str):
            continue
        if name in names:
            yield Fault(path, f"{shorten(name)} is declared twice")
        names.add(name)
        if "default" in item and not value_fault(item["default"]):
            defaults[name] = item["default"]
    size = len(compact(defaults).encode(errors="replace"))
    if size > MAX_OUTPUT_BYTES:
        message = f"defaults take {size} bytes together; at most {MAX_OUTPUT_BYTES} are possible"
        yield Fault(path, message)


def param_faults(raw: Mapping[str, Any]) -> Iterator[Fault]:
    """Params of the spec ``raw`` that are given twice."""
    seen: set[str] = set()
    for index, param in objects(raw.get("params")):
        if isinstance(name := param.get("name"), str):
            if name in seen:
                yield Fault(f"spec.params[{index}].name", f"{shorten(name)} is given twice")
            seen.add(name)


def _backoff_faults(backoff: Mapping[str, Any], path: str) -> Iterator[Fault]:
    plain = Backoff()
    base, cap = _duration(backoff, "base", plain.base), _duration(backoff, "cap", plain.cap)
    if cap is not None and cap > MAX_CAP:
        yield Fault(f"{path}.cap", "must be at most 24h")
    if base is not None and cap is not None and cap < base:
        default = "" if backoff.get("cap") else " (its default)"
        yield Fault(
            f"{path}.cap",
            f"{format_duration(cap)}{default} is less than base, {format_duration(base)}",
        )


def _duration(backoff: Mapping[str, Any], field: str, default: timedelta) -> timedelta | None:
    if field not in backoff:
        return default
    try:
        return parse_backoff(backoff[field])
    except ValueError:
        return None


def _exit_code_faults(codes: Mapping[str, Any], path: str) -> Iterator[Fault]:
    lists = [codes.get(field) for field in ("retry", "fail")]
    retry, fail = (
        {code for code in given if isinstance(code, int)} if isinstance(given, list) else set()
        for given in lists
    )
    if both := sorted(retry & fail):
        yield Fault(path, f"{', '.join(map(str, both))} in retry and in fail; keep one of them")
