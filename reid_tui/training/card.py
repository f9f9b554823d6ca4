"""What is needed to use a trained network, apart from its weights; read as if a stranger wrote it. No torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from reid_tui.config import LIMITS
from reid_tui.evaluation.operating import Fitted, Knot, OperatingPoint, Pairs, is_rate
from reid_tui.text import printable

if TYPE_CHECKING:
    from reid_tui.config import RunConfig
    from reid_tui.data.dataset import Dataset

MOST_NAMES: Final = 10_000
"""Identity names that travel along; of more none do."""
MOST_NAME_BYTES: Final = 2**18
"""Of them in a manifest, which may hold those of the one before too, and is read to 2**20 bytes only. The same holds
for a run's config, and for the first line of its log."""
_AROUND_NAME: Final = 12
"""Bytes of a manifest about each: indentation, comma and line's end."""
MOST_KNOTS: Final = 256
_LONGEST: Final = 400
"""Characters of a text."""
_LARGEST_COUNT: Final = 10**15
_FARTHEST: Final = 1e18


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """How pictures become embeddings, and what their distances mean.

    Pixels are uint8 and divided by 255; a picture is resampled to the size without keeping its aspect.
    """

    channels: int
    """1 (grey) or 3 (RGB)."""
    height: int
    width: int
    embedding_dim: int
    normalized: bool
    """Whether embeddings have length 1."""
    data: str
    """Short name of what it was trained on."""
    identities: int
    """How many it was trained on."""
    identity_names: tuple[str, ...] = ()
    """Of these, printable; empty where they are more than `MOST_NAMES` or `MOST_NAME_BYTES`."""
    fitted: Fitted | None = None
    """None where nothing was evaluated yet, and in older checkpoints."""
    fitted_step: int | None = None
    """Whose weights' distances it was fitted to; those of the checkpoint may be newer."""


def carried(names: tuple[str, ...]) -> tuple[str, ...]:
    """Identity names that a run's files and events can hold: all of them, or none where they are too many."""
    fits = len(names) <= MOST_NAMES and sum(len(json.dumps(n)) + _AROUND_NAME for n in names) <= MOST_NAME_BYTES
    return names if fits else ()


def model_card(config: RunConfig, data: Dataset) -> ModelCard:
    """The card of a run's network, before anything is fitted."""
    channels, height, width = data.train.shape
    names = data.train_identity_names
    return ModelCard(
        channels=channels,
        height=height,
        width=width,
        embedding_dim=config.embedding_dim,
        normalized=config.normalize,
        data=data.name,
        identities=len(names),
        identity_names=carried(names),
    )


def card_json(card: ModelCard) -> dict[str, Any]:
    """As plain objects, lists, texts and finite numbers."""
    return asdict(card)


def card_from(value: object) -> ModelCard:
    """Read what `card_json` wrote, as if a stranger had.

    Raises:
        ValueError: it is no card, or a value is out of its range.
    """
    given = _object(value, "card")
    side = LIMITS["image_side"]
    fitted, step = given.get("fitted"), given.get("fitted_step")
    card = ModelCard(
        channels=_count(given, "channels", 1, 3),
        height=_count(given, "height", 1, int(side.high)),
        width=_count(given, "width", 1, int(side.high)),
        embedding_dim=_count(given, "embedding_dim", 1, int(LIMITS["embedding_dim"].high)),
        normalized=_flag(given, "normalized"),
        data=_text(given.get("data"), "data"),
        identities=_count(given, "identities", 0),
        identity_names=tuple(
            _text(name, "identity_names")
            for name in _list(given.get("identity_names", []), "identity_names", MOST_NAMES)
        ),
        fitted=None if fitted is None else fitted_from(fitted),
        fitted_step=None if step is None else _count(given, "fitted_step", 0),
    )
    if card.channels == 2:
        raise ValueError("channels is 2")
    if len(card.identity_names) not in (0, card.identities):
        raise ValueError(f"{len(card.identity_names)} identity_names of {card.identities} identities")
    return card


def fitted_from(value: object, *, calibrated: bool = True) -> Fitted:
    """Thresholds, their rates and the calibration out of untrusted JSON.

    Args:
        value: as JSON gives it.
        calibrated: whether the calibration must be there.

    Raises:
        ValueError: it is none, a value is out of its range, or they contradict each other.
    """
    given = _object(value, "fitted")
    points = tuple(_point(item) for item in _list(given.get("points"), "points", 16))
    if not points or points[0].asked is not None or any(point.asked is None for point in points[1:]):
        raise ValueError("points do not begin with that of the equal error")
    for before, after in pairwise(points[1:]):
        if not (before.asked or 0) > (after.asked or 0) or before.threshold < after.threshold:
            raise ValueError("points do not fall")
    return Fitted(
        points=points,
        fitted=_pairs(given.get("fitted")),
        reported=_pairs(given.get("reported")),
        knots=_knots(given.get("knots"), 1 if calibrated else 0),
        apart=_flag(given, "apart"),
    )


def _point(value: object) -> OperatingPoint:
    given = _object(value, "point")
    asked = given.get("asked")
    if asked is not None and not 0 < _rate(asked, "asked") < 1:
        raise ValueError(f"asked is {asked}")
    return OperatingPoint(
        asked=None if asked is None else float(asked),
        threshold=_distance(given.get("threshold"), "threshold"),
        far=_rate(given.get("far"), "far"),
        frr=_rate(given.get("frr"), "frr"),
        far_interval=_interval(given.get("far_interval"), "far_interval"),
        frr_interval=_interval(given.get("frr_interval"), "frr_interval"),
    )


def _pairs(value: object) -> Pairs:
    found = _list(value, "pairs", 3)
    if len(found) != 3:
        raise ValueError("pairs are no three counts")
    return Pairs(*(_whole(count, "pairs", 0, _LARGEST_COUNT) for count in found))


def _knots(value: object, fewest: int) -> tuple[Knot, ...]:
    knots = []
    items = _list(value, "knots", MOST_KNOTS)
    if len(items) < fewest:
        raise ValueError("there are no knots")
    for item in items:
        found = _list(item, "knot", 4)
        if len(found) != 4:
            raise ValueError("a knot has not four numbers")
        knots.append(Knot(_distance(found[0], "knot"), *(_rate(rate, "knot") for rate in found[1:])))
    if not all(0 < knot.probability < 1 for knot in knots):
        raise ValueError("a probability is 0 or 1")
    for before, after in pairwise(knots):
        rises = before.distance < after.distance and before.far <= after.far and before.tar <= after.tar
        if not rises or before.probability < after.probability:
            raise ValueError("knots do not rise")
    return tuple(knots)


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is no object")  # noqa: TRY004  one kind of error for all that is wrong
    return value


def _list(value: object, name: str, most: int) -> list[Any]:
    if not isinstance(value, list | tuple) or len(value) > most:
        raise ValueError(f"{name} is no list of at most {most}")
    return list(value)


def _flag(given: dict[str, Any], name: str) -> bool:
    if not isinstance(given.get(name), bool):
        raise ValueError(f"{name} is not true or false")  # noqa: TRY004
    return bool(given[name])


def _count(given: dict[str, Any], name: str, low: int, high: int = _LARGEST_COUNT) -> int:
    return _whole(given.get(name), name, low, high)


def _whole(value: object, name: str, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name} is no whole number from {low} to {high}")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or value != printable(value, _LONGEST):
        raise ValueError(f"{name} is no printable text")
    return value


def _distance(value: object, name: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _FARTHEST:
        raise ValueError(f"{name} is no distance")
    return float(value)


def _rate(value: object, name: str) -> float:
    if not is_rate(value):
        raise ValueError(f"{name} is no rate")
    return float(value)


def _interval(value: object, name: str) -> tuple[float, float]:
    ends = [_rate(end, name) for end in _list(value, name, 2)]
    if len(ends) != 2 or ends[0] > ends[1]:
        raise ValueError(f"{name} has not two ends")
    return ends[0], ends[1]
