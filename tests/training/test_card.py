"""The card of a trained network: written and read again, in a manifest that can always be read, never from a liar."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from reid_tui.config import RunConfig
from reid_tui.data.dataset import Dataset
from reid_tui.evaluation.operating import Fitted, Knot, OperatingPoint, Pairs
from reid_tui.training.card import MOST_NAMES, ModelCard, card_from, card_json, model_card
from reid_tui.training.checkpoint import load_latest, read_manifest, save_checkpoint
from reid_tui.training.manifest import LARGEST_MANIFEST
from tests.training.small import save_small, small_config, state_at

HALF = (0.0, 0.5)
FITTED = Fitted(
    points=(
        OperatingPoint(None, 0.6125, 0.04, 0.05, (0.02, 0.07), (0.03, 0.08)),
        OperatingPoint(0.1, 0.75, 0.11, 0.01, HALF, HALF),
        OperatingPoint(0.01, 0.5, 0.009, 0.2, HALF, HALF),
    ),
    fitted=Pairs(32, 10_000, 20_000),
    reported=Pairs(31, 9_000, 19_000),
    knots=(Knot(0.0, 0.0, 0.1, 0.999), Knot(0.5, 0.01, 0.8, 0.9), Knot(2.25, 1.0, 1.0, 0.001)),
)
CARD = ModelCard(
    channels=3,
    height=64,
    width=32,
    embedding_dim=16,
    normalized=True,
    data="pedestrians",
    identities=3,
    identity_names=("Zoë", "b", "c"),
    fitted=FITTED,
    fitted_step=384,
)


def save(folder: Path, card: ModelCard | None, value: int = 1) -> Path:
    tensors = {"a": torch.full((3,), value)}
    return save_checkpoint(folder, tensors, state_at(8), small_config(), "data", "epoch", card)


def test_a_card_comes_back_as_it_was(tmp_path: Path) -> None:
    save(tmp_path, CARD)
    assert load_latest(tmp_path)[0].manifest.card == CARD
    assert card_from(card_json(CARD)) == CARD


def test_an_older_manifest_has_no_card(tmp_path: Path) -> None:
    path = save_small(tmp_path, 8, 1).with_suffix(".json")
    value = json.loads(path.read_text())
    del value["card"], value["digest"]
    path.write_text(json.dumps(value))
    assert load_latest(tmp_path)[0].manifest.card is None


def test_the_card_of_a_checkpoint_that_is_replaced_stays_in_force_with_it(tmp_path: Path) -> None:
    tensors = save(tmp_path, CARD)
    before = tensors.read_bytes()
    save(tmp_path, dataclasses.replace(CARD, fitted=None), value=2)
    tensors.write_bytes(before)  # as if the new ones had never been written
    assert load_latest(tmp_path)[0].manifest.card == CARD


def test_a_card_says_what_the_run_has(tiny: Dataset, tiny_config: RunConfig) -> None:
    card = model_card(dataclasses.replace(tiny_config, embedding_dim=5, normalize=True), tiny)
    assert card == ModelCard(
        channels=1,
        height=28,
        width=28,
        embedding_dim=5,
        normalized=True,
        data="tiny",
        identities=6,
        identity_names=tiny.train_identity_names,
    )


@pytest.mark.parametrize(
    ("name", "travel"), [("person {:04}", True), ("p" * 40, False), ("\u9648" * 4 + "{:04}", False)]
)
def test_a_manifest_with_many_names_can_always_be_read(
    tmp_path: Path, tiny: Dataset, tiny_config: RunConfig, name: str, travel: bool
) -> None:
    """Also one that holds the manifest before, and every number with all its digits."""
    names = tuple(name.format(place) for place in range(MOST_NAMES))
    knots = tuple(Knot(place / 7e-3, place / 300.7, place / 300.7, 1 - (place + 1) / 300.7) for place in range(256))
    card = dataclasses.replace(
        model_card(tiny_config, dataclasses.replace(tiny, train_identity_names=names)),
        fitted=dataclasses.replace(FITTED, knots=knots),
    )
    assert card.identities == MOST_NAMES
    assert bool(card.identity_names) == travel
    for value in (1, 2):
        path = save(tmp_path, card, value).with_suffix(".json")
    assert path.stat().st_size < LARGEST_MANIFEST * 0.8
    assert read_manifest(path).card == card


def test_of_more_names_than_that_none_travel(tiny: Dataset, tiny_config: RunConfig) -> None:
    names = tuple(str(place) for place in range(MOST_NAMES + 1))
    card = model_card(tiny_config, dataclasses.replace(tiny, train_identity_names=names))
    assert (card.identities, card.identity_names) == (MOST_NAMES + 1, ())


HUGE = 10**400
NAN = float("nan")
WRONG: list[tuple[str, object]] = [
    ("channels", 2),
    ("channels", 3.0),
    ("channels", True),
    ("height", 0),
    ("width", HUGE),
    ("embedding_dim", -1),
    ("embedding_dim", 10**6),
    ("normalized", 1),
    ("data", None),
    ("data", "a\x1b[2J"),
    ("data", "x" * 5000),
    ("identities", 4),
    ("identities", -3),
    ("identity_names", "abc"),
    ("identity_names", ["a", "b"]),
    ("identity_names", ["a", "b", "\u202ec"]),
    ("identity_names", ["a", "b", 3]),
    ("identity_names", ["x"] * (MOST_NAMES + 1)),
    ("fitted", []),
    ("fitted_step", -1),
    ("fitted_step", 1.5),
    ("fitted.points", []),
    ("fitted.points", {}),
    ("fitted.points.0.asked", 0.1),
    ("fitted.points.1.asked", None),
    ("fitted.points.1.asked", 0.001),
    ("fitted.points.1.asked", 1),
    ("fitted.points.1.threshold", 0.25),
    ("fitted.points.0.threshold", -0.5),
    ("fitted.points.0.threshold", NAN),
    ("fitted.points.0.threshold", HUGE),
    ("fitted.points.0.threshold", True),
    ("fitted.points.0.far", 1.5),
    ("fitted.points.0.far", "0.1"),
    ("fitted.points.0.frr", NAN),
    ("fitted.points.0.frr", HUGE),
    ("fitted.points.0.far_interval", [0.5, 0.1]),
    ("fitted.points.0.far_interval", [0.5]),
    ("fitted.points.0.frr_interval", None),
    ("fitted.fitted", [32, 100]),
    ("fitted.reported", [32, 100, -1]),
    ("fitted.reported", [32, 100, 1.0]),
    ("fitted.apart", None),
    ("fitted.knots", []),
    ("fitted.knots", [[0.0, 0.0, 0.0, 0.5]] * 257),
    ("fitted.knots.0", [0.0, 0.0, 0.1]),
    ("fitted.knots.1", [0.0, 0.01, 0.8, 0.9]),
    ("fitted.knots.1", [0.5, 0.01, 0.05, 0.9]),
    ("fitted.knots.1", [0.5, 0.01, 0.8, 0.9999]),
    ("fitted.knots.2", [2.25, 0.001, 1.0, 0.001]),
    ("fitted.knots.2", [2.25, 1.0, 1.0, 0.0]),
    ("fitted.knots.0", [0.0, 0.0, 0.1, 1.0]),
    ("fitted.knots.2", [float("inf"), 1.0, 1.0, 0.001]),
]


def changed(where: str, wrong: object) -> Any:
    """The JSON of a card with one value replaced."""
    card = json.loads(json.dumps(card_json(CARD)))
    *inner, last = (int(part) if part.isdigit() else part for part in where.split("."))
    place = card
    for part in inner:
        place = place[part]
    place[last] = wrong
    return card


@pytest.mark.parametrize(("where", "wrong"), WRONG, ids=[f"{where}={str(wrong)[:20]}" for where, wrong in WRONG])
def test_a_value_that_no_card_has_is_refused(where: str, wrong: object) -> None:
    with pytest.raises(ValueError, match=r"^[ -~]{4,100}$"):
        card_from(changed(where, wrong))


@pytest.mark.parametrize("name", [*card_json(CARD), *(f"fitted.{name}" for name in card_json(CARD)["fitted"])])
def test_what_is_missing_is_refused_or_has_a_default(name: str) -> None:
    card = json.loads(json.dumps(card_json(CARD)))
    *inner, last = name.split(".")
    del (card["fitted"] if inner else card)[last]
    if name in ("identity_names", "fitted", "fitted_step"):
        card_from(card)
        return
    with pytest.raises(ValueError, match=r"^[ -~]{4,100}$"):
        card_from(card)


@pytest.mark.parametrize("value", [None, [], "card", 7, {}])
def test_what_is_no_card_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"^[ -~]{4,100}$"):
        card_from(value)


def test_a_card_that_lies_makes_its_manifest_unusable_and_the_one_before_is_taken(tmp_path: Path) -> None:
    save_small(tmp_path, 4, 1)
    path = save(tmp_path, CARD).with_suffix(".json")
    value = json.loads(path.read_text())
    del value["digest"]
    value["card"]["fitted"]["points"][0]["threshold"] = -1
    path.write_text(json.dumps(value))
    checkpoint, passed_over = load_latest(tmp_path)
    assert checkpoint.manifest.state.step == 4
    assert passed_over == ["step-00000008.json: threshold is no distance"]
