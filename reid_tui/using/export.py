"""A run's network as a file that others compute with, checked against the run before it is kept."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.errors import ReidTuiError, UsageError, advice
from reid_tui.files import write_whole
from reid_tui.text import printable
from reid_tui.training.card import card_json
from reid_tui.using.model import open_model, silent
from reid_tui.using.onnx_network import CARD, STEP
from reid_tui.using.pictures import fitted_pixels

if TYPE_CHECKING:
    from pathlib import Path

    from reid_tui.data.catalog import Report
    from reid_tui.data.dataset import UInt8Array
    from reid_tui.training.card import ModelCard
    from reid_tui.using.model import FloatArray, Model
    from reid_tui.using.torch_export import Format
    from reid_tui.using.torch_network import TorchNetwork

ENDINGS: Final = (".onnx", ".safetensors", ".pt2")
EXTRA: Final = ("onnx", "onnxscript", "onnxruntime")
"""Modules that ONNX needs."""
CHECKED: Final = 100
"""Images on which the file is held against the network."""
TOLERANCE: Final = 1e-4
"""Largest difference of a number of an embedding, in units of the largest number of them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written."""

    path: Path
    size: int
    """Bytes."""
    opset: int | None
    """Of ONNX."""
    run: str
    step: int | None
    images: int
    """On which it was checked."""
    source: str
    """Of these; printable."""
    difference: float
    """Largest between a number of the file's embeddings and of the network's."""
    threshold: float | None
    """That travels along."""
    note: tuple[str, ...]
    """What is to be known besides; printable."""


def check_target(target: Path, *, force: bool) -> None:
    """Find out early whether the file may and can be written; nothing is.

    Raises:
        UsageError: it may not, or what its format needs is not installed.
    """
    if target.suffix not in ENDINGS:
        raise UsageError(f"-o must end in {', '.join(ENDINGS)}, not {printable(target, 400)!r}")
    if target.is_dir() or not target.parent.is_dir():
        what = "is a folder" if target.is_dir() else "lies in no folder that is there"
        raise UsageError(f"{printable(target, 400)} {what}; name another file with -o")
    if target.exists() and not force:
        raise UsageError(f"{printable(target, 400)} is there; give --force to replace it, or name another file")
    missing = [name for name in EXTRA if target.suffix == ".onnx" and importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"to export ONNX needs {', '.join(missing)}; install with: pip install 'reid-tui[export]', or take "
            ".safetensors"
        )


def export(run: str, target: Path, runs_dir: Path, *, force: bool = False, report: Report = silent) -> Exported:
    """Write the network of a run into a file, whole or not at all.

    Args:
        run: its path, its name, or latest.
        target: its ending says the format.
        runs_dir: where names are looked for.
        force: replace a file that is there.
        report: told what is done.

    Raises:
        ReidTuiError: it cannot be exported, or computes something else than the network; nothing is written.
    """
    check_target(target, force=force)
    report("opening the run")
    model = open_model(run, runs_dir)
    from reid_tui.using.torch_export import FORMATS, OPSET
    from reid_tui.using.torch_network import TorchNetwork

    if not isinstance(model.network, TorchNetwork):
        raise UsageError(f"{printable(run, 400)} is exported already; name a run")
    card, images_NCHW, source, note = _gathered(model, report)
    report(f"writing and checking {target.name}")
    content, points_ND = _written(model, model.network, card, images_NCHW, FORMATS[target.suffix])
    difference = _checked(points_ND, model.embed_pixels(images_NCHW), target)
    check_target(target, force=force)
    try:
        write_whole(target, content)
    except OSError as error:
        raise UsageError(
            f"cannot write {printable(target, 400)}: {advice(error, 'name another file with -o', ', or ')}"
        ) from error
    return Exported(
        path=target,
        size=len(content),
        opset=OPSET if target.suffix == ".onnx" else None,
        run=model.name,
        step=model.step,
        images=len(images_NCHW),
        source=source,
        difference=difference,
        threshold=card.fitted.threshold if card.fitted else None,
        note=(*model.note, *note),
    )


def _written(
    model: Model, network: TorchNetwork, card: ModelCard, images_NCHW: UInt8Array, form: Format
) -> tuple[bytes, FloatArray]:
    """A file's content, and the (N, D) that somebody computes with it who has nothing else.

    Raises:
        ReidTuiError: there is no such content.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporters' remarks are for those who write networks
            content = form.write(network.module, card, _told(model, network, card))
            return content, form.read(content, network.module)(images_NCHW)
    except ReidTuiError:
        raise
    except Exception as error:  # what a network cannot be exported for comes in many ways
        said = printable(error, 300)
        raise ReidTuiError(f"{printable(model.name)} cannot be exported so: {said}; take another format") from error


def _checked(points_ND: FloatArray, expected_ND: FloatArray, target: Path) -> float:
    """The largest difference.

    Raises:
        ReidTuiError: it is too large.
    """
    if points_ND.shape != expected_ND.shape:
        raise ReidTuiError(
            f"{target.name} gives embeddings of {points_ND.shape} instead of {expected_ND.shape}; nothing was kept"
        )
    difference = float(np.abs(points_ND - expected_ND).max())
    allowed = TOLERANCE * float(np.abs(expected_ND).max())
    if not difference <= allowed:  # true for NaN too
        raise ReidTuiError(
            f"{target.name} differs from the network by {difference:.2g}, more than the {allowed:.2g} of rounding; "
            "nothing was kept"
        )
    return difference


def _gathered(model: Model, report: Report) -> tuple[ModelCard, UInt8Array, str, list[str]]:
    """The card with thresholds where there are any, images for the check, whose they are, and what is to be said."""
    note = []
    card = model.card
    try:
        fitted = model.fitted(report)
        if card.fitted is None:
            card = dataclasses.replace(card, fitted=fitted, fitted_step=model.step)
    except ReidTuiError as error:
        note.append(f"no threshold travels along: {error}")
    try:
        dataset = model.dataset(report)
    except ReidTuiError as error:
        note.append(f"checked on generated images: {error}")
        return card, _generated(card, CHECKED), "generated", note
    count = len(dataset.test)
    own = dataset.test.take(np.linspace(0, count - 1, min(CHECKED, count)).astype(np.int64))
    if count >= CHECKED:
        return card, own, dataset.name, note
    return card, np.concatenate([own, _generated(card, CHECKED - count)]), f"{dataset.name} and generated", note


def _generated(card: ModelCard, count: int) -> UInt8Array:
    """Blotches of all sizes, the same each time."""
    rng = np.random.default_rng(0)
    sides = rng.integers(1, 33, size=(count, 2))
    return np.stack([fitted_pixels(rng.integers(0, 256, (*side, 3), dtype=np.uint8), card) for side in sides])


def _told(model: Model, network: TorchNetwork, card: ModelCard) -> dict[str, str]:
    """What travels in the file."""
    return {
        CARD: json.dumps(card_json(card), allow_nan=False),
        STEP: "" if model.step is None else str(model.step),
        "reid_tui.run": printable(model.name),
        "reid_tui.network": json.dumps(dataclasses.asdict(network.options)),
    }
