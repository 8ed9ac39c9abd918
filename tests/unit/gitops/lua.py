"""Lua scripts as Argo CD runs them: Lua 5.1 with the base and table libraries and two of os."""

from typing import Any

from lupa import lua51

_SAFE = """
local kept = {os = {time = os.time, date = os.date}, table = table}
local base = {
  "assert", "error", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget", "rawset",
  "select", "setmetatable", "getmetatable", "tonumber", "tostring", "type", "unpack", "_VERSION",
}
for _, name in ipairs(base) do kept[name] = _G[name] end
debug.setmetatable("", nil)    -- without the string library, texts have no methods either
return function(script, obj)
  kept.obj = obj
  local chunk = assert(loadstring(script))
  return setfenv(chunk, setmetatable({}, {__index = kept}))()
end
"""


class LuaError(Exception):
    """The script ended with an error."""


def run(script: str, obj: dict[str, Any]) -> Any:
    """Return what a script returns for the global ``obj``, as JSON would hold it."""
    machine = lua51.LuaRuntime(register_eval=False, register_builtins=False)
    execute = machine.execute(_SAFE)
    given = machine.table_from(_without_nulls(obj), recursive=True)
    try:
        return _plain(execute(script, given))
    except lua51.LuaError as error:
        raise LuaError(str(error)) from None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    """Tables become lists or dicts; an empty one, which could be either, a list."""
    if lua51.lua_type(value) != "table":
        return value
    items = dict(value.items())
    if list(items) == list(range(1, len(items) + 1)):
        return [_plain(item) for item in items.values()]
    return {str(key): _plain(item) for key, item in items.items()}
