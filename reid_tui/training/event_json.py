"""Events as JSON: what `train --json` prints and `events.jsonl` keeps, one object a line. Loads without torch."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, Final, get_args

from reid_tui.config import RunConfig
from reid_tui.evaluation.hub import Hub
from reid_tui.training.card import fitted_from
from reid_tui.training.events import EVENT_TYPES, AnyEvent, DatasetFacts, Phase

_SIMPLE: Final[dict[str, type]] = {"int": int, "str": str, "bool": bool}
_LEFT_OUT: Final = frozenset(
    {
        "origin",
        "note",
        "done",
        "total",
        "tar_at_far",
        "intervals",
        "fitted",
        "full",
        "left_out",
        "ramp",
        "hub",
        "problem",
    }
)
"""Said only where there is something to say."""
_INTERVALS: Final = frozenset({"rank1", "map", "minp", "auc", "eer"})
"""Scores that have one; those of a later version are left out."""
_LARGEST: Final = 2**53
"""Of whole numbers: each has a float of its own, and fits into arrays."""
_NAMES: Final = {kind: name for name, kind in EVENT_TYPES.items()}
_FIELDS: Final = {
    kind: tuple((item.name, str(item.type)) for item in dataclasses.fields(kind) if item.compare)
    for kind in EVENT_TYPES.values()
}


def to_json(event: AnyEvent) -> dict[str, Any]:
    """The event as one flat JSON object: event, seq, time, step, then the rest. Arrays stay out.

    Non-finite numbers become null, so that every line is strict JSON.
    """
    head: dict[str, Any] = {"event": _NAMES[type(event)], "seq": event.seq, "time": event.time}
    for name, _ in _FIELDS[type(event)]:
        value = getattr(event, name)
        if name in head or (name in _LEFT_OUT and not value):
            continue
        if name in ("tar_at_far", "intervals"):
            value = {str(key): _strict(of_key) for key, of_key in value}
        if isinstance(value, float):
            value = _strict(value)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            value = dataclasses.asdict(value)
        head[name] = value
    return head


def _strict(value: Any) -> Any:  # noqa: ANN401
    """Numbers that are not finite become null."""
    if isinstance(value, tuple):
        return [_strict(part) for part in value]
    return value if math.isfinite(value) else None


def to_line(event: AnyEvent) -> str:
    """The event as one line of JSON in plain ASCII, without its end."""
    # DEL is the one control character that the encoder leaves as it is.
    return json.dumps(to_json(event), separators=(",", ":")).replace("\x7f", "\\u007f")


def from_json(value: dict[str, Any]) -> AnyEvent:
    """Read what `to_json` wrote. Unknown fields are left out, null numbers become NaN.

    Raises:
        ValueError: unknown event, missing fields, a field of another type, or not an event at all.
    """
    kind = EVENT_TYPES.get(str(value.get("event")))
    if kind is None:
        raise ValueError(f"unknown event {value.get('event')!r}")
    try:
        return kind(**{name: _read(name, declared, value[name]) for name, declared in _FIELDS[kind] if name in value})
    except TypeError as error:
        raise ValueError(f"incomplete {_NAMES[kind]} event: {error}") from error


def _read(name: str, declared: str, raw: Any) -> Any:  # noqa: ANN401
    """A field's value out of JSON, of its declared type."""
    simple = _SIMPLE.get(declared)
    if type(raw) is int and abs(raw) > _LARGEST:
        raise ValueError(f"{name} is too large")
    if simple is not None and type(raw) is simple:
        return raw
    if declared == "float" and (raw is None or type(raw) in (int, float)):
        return math.nan if raw is None else raw
    if declared == "Phase" and raw in get_args(Phase):
        return raw
    if declared.startswith("tuple[") and isinstance(raw, list):
        element = declared[6:].partition(",")[0]
        return tuple(_read(name, element, part) for part in raw)
    if isinstance(raw, dict) and declared == "Rates":
        return tuple((_rate(name, key), _read(name, "float", value)) for key, value in raw.items())
    if isinstance(raw, dict) and declared == "Intervals":
        return tuple((key, _interval(name, value)) for key, value in raw.items() if key in _INTERVALS)
    if isinstance(raw, dict) and declared == "DatasetFacts":
        return _dataset_facts(raw)
    if declared == "Fitted | None":
        return None if raw is None else fitted_from(raw, calibrated=False)
    if declared == "Hub | None":
        return None if raw is None else _hub(raw)
    if isinstance(raw, dict) and declared == "RunConfig":
        return _config(raw)
    raise ValueError(f"{name} is no {declared}")


def _rate(name: str, key: str) -> float:
    """A rate as the key of an object."""
    try:
        rate = float(key)
    except ValueError:
        rate = math.nan
    if not 0 < rate < 1:
        raise ValueError(f"{name} is not by rate")
    return rate


def _interval(name: str, raw: Any) -> tuple[float, float]:  # noqa: ANN401
    if not isinstance(raw, list) or len(raw) != 2:
        raise ValueError(f"{name} has not two ends")
    return _read(name, "float", raw[0]), _read(name, "float", raw[1])


def _hub(raw: Any) -> Hub:  # noqa: ANN401
    if not isinstance(raw, dict):
        raise ValueError("hub is no object")  # noqa: TRY004  one kind of error for all that is wrong
    return Hub(
        _read("hub", "int", raw.get("identity")),
        _read("hub", "float", raw.get("share")),
        _read("hub", "float", raw.get("errors")),
    )


def _config(raw: dict[str, Any]) -> RunConfig:
    known = {item.name: str(item.type) for item in dataclasses.fields(RunConfig)}
    return RunConfig(**{name: _setting(name, known[name], value) for name, value in raw.items() if name in known})


def _setting(name: str, declared: str, raw: Any) -> Any:  # noqa: ANN401
    kind = declared.removesuffix(" | None")
    return None if raw is None and kind != declared else _read(f"config.{name}", kind, raw)


def _dataset_facts(raw: dict[str, Any]) -> DatasetFacts:
    known = {item.name: str(item.type) for item in dataclasses.fields(DatasetFacts)}
    return DatasetFacts(**{name: _read(name, known[name], value) for name, value in raw.items() if name in known})
