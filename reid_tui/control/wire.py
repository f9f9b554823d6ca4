"""Commands as JSON, one object a line: what may reach a run from another process. Loads without torch."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from typing import Any, Final, NoReturn, get_args, get_type_hints

from reid_tui.errors import UsageError
from reid_tui.text import printable
from reid_tui.training.commands import Command

LINE_LIMIT: Final = 4096
"""Bytes of a line, its newline counted."""
REASONS: Final = ("asked",)
"""Why another process may stop a run; the names of signals are for the process that got one."""


LONGEST_PATH: Final = 1000
_LARGEST: Final = 10**15


def _snake(kind: type[Command]) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


COMMANDS: Final[dict[str, type[Command]]] = {_snake(kind): kind for kind in get_args(Command)}
_FIELDS: Final[dict[str, dict[str, type]]] = {name: get_type_hints(kind) for name, kind in COMMANDS.items()}


def command_to_json(command: Command) -> dict[str, Any]:
    """`{"command": "set_margin", "value": 1.1}`: the class name in lower_snake, then its fields."""
    return {"command": _snake(type(command)), **dataclasses.asdict(command)}


def command_from_json(value: object) -> Command:
    """Accept exactly one command. Fields that have a default may be left out.

    Raises:
        UsageError: anything else; one printable line that names what is wrong.
    """
    if not isinstance(value, dict):
        raise UsageError(f'a command is an object such as {{"command": "pause"}}, not {_shown(value)}')
    name = value.get("command")
    if not isinstance(name, str) or name not in COMMANDS:
        raise UsageError(f"the command must be one of {', '.join(COMMANDS)}, not {_shown(name)}")
    types = _FIELDS[name]
    given = {key: item for key, item in value.items() if key != "command"}
    for key in given:
        if key not in types:
            raise UsageError(f"{name} has no field {_shown(key)}; it takes {', '.join(types) or 'none'}")
    kind = COMMANDS[name]
    for field in dataclasses.fields(kind):
        if field.name not in given and field.default is dataclasses.MISSING:
            raise UsageError(f"{name} needs the field {field.name!r}")
    return kind(**{key: _field(name, key, types[key], item) for key, item in given.items()})


def command_to_line(command: Command) -> bytes:
    """The line that `command_from_line` takes.

    Raises:
        UsageError: another process would refuse this command.
    """
    value = command_to_json(command)
    command_from_json(value)
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def command_from_line(line: bytes) -> Command:
    """Read a line of at most `LINE_LIMIT` bytes.

    Raises:
        UsageError: it is not UTF-8, not JSON in which every name occurs once and every number is finite, or no command.
    """
    try:
        value = json.loads(line.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise UsageError(f"a command is UTF-8 text; byte {error.start} of the line is not") from error
    except json.JSONDecodeError as error:
        raise UsageError(f"a command is one JSON object a line: {error.msg} at character {error.pos}") from error
    except RecursionError as error:
        raise UsageError("a command is one flat JSON object, this line is nested too deep") from error
    return command_from_json(value)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise UsageError("a command gives each field once; in this line one occurs twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise UsageError(f"a command's numbers are finite, not {name}")


def _field(name: str, key: str, kind: type, value: object) -> Any:  # noqa: ANN401  a value of type `kind`
    label = f"{name}'s {key}"
    if kind is float:
        return _number(label, value)
    if kind is bool:
        if not isinstance(value, bool):
            raise UsageError(f"{label} must be true or false, not {_shown(value)}")
        return value
    if kind is int:
        return _whole(label, value)
    assert kind is str, f"no rule for {label}: {kind}"
    if key == "path":
        return _path(label, value)
    if value not in REASONS:
        raise UsageError(f"{label} must be {' or '.join(map(repr, REASONS))}, not {_shown(value)}")
    return value


def _path(label: str, value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_PATH or "\0" in value or not _is_utf8(value):
        raise UsageError(f"{label} must be a path of 1 to {LONGEST_PATH} characters, not {_shown(value)}")
    return value


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _number(label: str, value: object) -> float:
    number = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    if not math.isfinite(number):
        raise UsageError(f"{label} must be a finite number, not {_shown(value)}")
    return number


def _whole(label: str, value: object) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise UsageError(f"{label} must be a whole number, not {_shown(value)}")
    return value


def _shown(value: object) -> str:
    """A few printable characters of it, whatever its size."""
    match value:
        case str():
            return printable(repr(value[:40]), 44)
        case None | bool() | float():
            return json.dumps(value)
        case int():
            return str(value) if value.bit_length() < 64 else "a huge number"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return "something else"
