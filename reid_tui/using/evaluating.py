"""What a trained network, or anybody's embeddings, are worth on labelled pictures: the parts of `reid-tui eval`.

Legend: N images, D embedding dimensions, C channels, H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.data.catalog import spellings
from reid_tui.data.facts import camera_name
from reid_tui.data.folders.noticed import counted
from reid_tui.errors import DataError, ReidTuiError
from reid_tui.evaluation.detailed import detailed
from reid_tui.evaluation.labels import DISTRACTOR, GALLERY, JUNK, Labels
from reid_tui.text import printable
from reid_tui.training.scoring import EVALUATION_SEED, all_places
from reid_tui.using.gallery import CHUNK_BYTES, open_gallery
from reid_tui.using.given import read_given
from reid_tui.using.model import ONNX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from reid_tui.config import DataOptions
    from reid_tui.data.catalog import Report
    from reid_tui.data.dataset import Dataset, ImageSet, UInt8Array
    from reid_tui.evaluation.detailed import Detailed
    from reid_tui.evaluation.operating import Fitted
    from reid_tui.training.card import ModelCard
    from reid_tui.using.gallery import Gallery
    from reid_tui.using.given import Given
    from reid_tui.using.model import Model

    FloatArray = NDArray[np.float32]

OTHER: Final = "test"
"""Split of data that the network was not trained on, and of embeddings."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be computed besides."""

    rerank: bool = False
    far: float | None = None
    """One more rate of false acceptance."""


@dataclass(frozen=True, slots=True, eq=False)
class Subjects:
    """What scored images are called and look like."""

    names: Sequence[str]
    """Of the identity labels; not safe to print."""
    camera: Callable[[int], str]
    """Of an image; empty where none is known."""
    file: Callable[[int], str] = lambda _: ""
    """Of an image; empty where it has none."""
    image: Callable[[int], UInt8Array] | None = None
    """(C, H, W) at the network's size; None where there are no pictures."""

    def identity(self, label: int) -> str:
        """One that is safe to print."""
        return printable(self.names[label], 40) if label >= 0 else "a distractor"


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Scores of some images."""

    name: str
    labels: Labels
    detailed: Detailed
    subjects: Subjects


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """All that is told."""

    name: str
    """Of the run or the file; printable."""
    step: int | None
    data: str
    """What was scored, in one printable line."""
    dimensions: int
    splits: tuple[Split, ...]
    """The one that counts first."""
    card: Fitted | None = None
    """Thresholds that the network carries, where it is scored on other data than they were fitted on."""
    notes: tuple[str, ...] = ()
    """What a person is to know; printable."""


def evaluate_run(model: Model, asked: Asked, report: Report) -> Evaluated:
    """Score a network on the test images of the data that it was trained on, of each kind apart.

    Args:
        model: of a run.
        asked: what else to compute.
        report: told what is done; what it raises ends the work.

    Raises:
        ReidTuiError: the data is not here, or an embedding is not finite.
    """
    dataset = model.dataset(report)
    main = "unseen" if dataset.unseen else "test"
    found = {main: dataset.test, "seen": dataset.seen, "validation": dataset.validation}
    splits = [_own_split(name, images, dataset, model, asked, report) for name, images in found.items() if images]
    shape = _size(model.card.channels, model.card.height, model.card.width)
    data = f"{printable(dataset.name)}, {shape} pictures ({printable(dataset.source, 400)})"
    return Evaluated(printable(model.name), model.step, data, model.card.embedding_dim, tuple(splits), notes=model.note)


def is_own(run: str, runs_dir: Path, spec: str) -> bool:
    """Whether a specification names the data that a run was trained on.

    Raises:
        RunError: there is no such run.
    """
    if run.endswith(ONNX):
        return False
    from reid_tui.runs.directory import RunDirectory, locate_run

    config = RunDirectory(locate_run(run, runs_dir)).read_config().get("config")
    return isinstance(config, dict) and config.get("data") in (spec, *spellings(spec))


def evaluate_on(
    model: Model, options: DataOptions, asked: Asked, report: Report, *, trained_on: bool = False
) -> Evaluated:
    """Score a network on other data: its test images, or all where it is not divided.

    Args:
        model: whose size and channels the pictures are brought to.
        options: which data.
        asked: what else to compute.
        report: told what is done; what it raises ends the work.
        trained_on: whether the network was trained on a part of it.

    Raises:
        ReidTuiError: the data cannot be had, nobody says whom it shows, or an embedding is not finite.
    """
    gallery = open_gallery(model, options, report, label="--data")
    labels, subjects, left_out = _labelled(gallery, model.card)
    if not labels.matches().any():
        raise DataError(
            f"--data {printable(options.data, 400)}: no picture has another of its identity"
            f"{'' if labels.cameras_N is None else ' by another camera'}; name data that tells who is seen"
        )
    card = model.card
    notes = [*model.note, *gallery.notes, *left_out]
    if trained_on:
        notes.append(
            "the network was trained on some of these pictures; without --data its test images are scored apart"
        )
    _, channels, height, width = gallery.pictures.images.shape
    if (channels, height, width) != (card.channels, card.height, card.width):
        was, becomes = _size(channels, height, width), _size(card.channels, card.height, card.width)
        notes.append(f"pictures come as {was}, and are brought to {becomes} of the network")
    return Evaluated(
        printable(model.name),
        model.step,
        printable(gallery.pictures.source, 400),
        card.embedding_dim,
        (_split(OTHER, gallery.embeddings_ND, labels, subjects, asked, report),),
        _thresholds(model, notes, report),
        tuple(notes),
    )


def evaluate_given(path: Path, asked: Asked, report: Report, *, market: bool) -> Evaluated:
    """Score embeddings out of a file.

    Args:
        path: of an npz or CSV file.
        asked: what else to compute.
        report: told what is done; what it raises ends the work.
        market: whether identity 0 is a distractor.

    Raises:
        DataError: the file does not say what it should.
    """
    given = read_given(path, market=market, report=report)
    images, dimensions = given.embeddings_ND.shape
    data = f"{images:,} embeddings of {dimensions:,} dimensions, {len(given.identities):,} identities"
    split = _split(OTHER, given.embeddings_ND, given.labels, _of_given(given), asked, report)
    return Evaluated(printable(path, 400), None, data, dimensions, (split,))


def _split(
    name: str, embeddings_ND: FloatArray, labels: Labels, subjects: Subjects, asked: Asked, report: Report
) -> Split:
    found = detailed(embeddings_ND, labels, seed=EVALUATION_SEED, far=asked.far, rerank=asked.rerank, tell=report)
    return Split(name, labels, found, subjects)


def _own_split(name: str, images: ImageSet, dataset: Dataset, model: Model, asked: Asked, report: Report) -> Split:
    """All images of a split, in the order in which the run itself scores them at its end."""
    places_N = all_places(images.labels)
    channels, height, width = images.shape
    chunk = max(1, CHUNK_BYTES // (channels * height * width))
    embeddings_ND = np.empty((len(places_N), model.card.embedding_dim), dtype=np.float32)
    for at in range(0, len(places_N), chunk):

        def so_far(text: str, done: int = 0, total: int = 0, at: int = at) -> None:
            report(f"{text} of {name}", at + done, len(places_N) if total else 0)

        part = places_N[at : at + chunk]
        embeddings_ND[at : at + chunk] = model.embed_pixels(images.take(part), so_far)
    labels = images.labels.of(places_N)
    subjects = Subjects(
        dataset.identity_names,
        lambda place: "" if labels.cameras_N is None else camera_name(dataset, int(labels.cameras_N[place])),
        image=lambda place: images.take(places_N[place : place + 1])[0],
    )
    return _split(name, embeddings_ND, labels, subjects, asked, report)


def _labelled(gallery: Gallery, card: ModelCard) -> tuple[Labels, Subjects, list[str]]:
    """What pictures stand for, what they are called, and what is to be said of those that do not count."""
    pictures = gallery.pictures
    names = tuple(sorted({name for name in pictures.identities if name is not None}))
    number = {name: place for place, name in enumerate(names)}
    stays_N = pictures.roles_N & GALLERY > 0
    identities_N = np.array(
        [
            number[name] if name is not None else DISTRACTOR if stays else JUNK
            for name, stays in zip(pictures.identities, stays_N.tolist(), strict=True)
        ],
        dtype=np.int64,
    )
    nobody = int((identities_N == JUNK).sum())
    notes = [f"{counted(nobody, 'picture')} of nobody known do not count"] if nobody else []
    labels = Labels(identities_N, _cameras(pictures.cameras), pictures.roles_N if pictures.roles_N.any() else None)
    subjects = Subjects(
        names,
        lambda place: pictures.cameras[place] or "",
        pictures.name,
        lambda place: pictures.image(place, card),
    )
    return labels, subjects, notes


def _cameras(names: Sequence[str | None]) -> NDArray[np.int64] | None:
    """(N,) labels; None where some are not known, or all are one: nobody could be found by another."""
    known = sorted({name for name in names if name is not None})
    if len(known) < 2 or None in names:
        return None
    number: dict[str | None, int] = {name: place for place, name in enumerate(known)}
    return np.array([number[name] for name in names], dtype=np.int64)


def _of_given(given: Given) -> Subjects:
    cameras_N = given.labels.cameras_N
    return Subjects(
        given.identities,
        lambda place: "" if cameras_N is None else given.cameras[cameras_N[place]],
        lambda place: f"row {given.numbers[place]}",
    )


def _thresholds(model: Model, notes: list[str], report: Report) -> Fitted | None:
    """Those that the network carries; why there are none, where there are none, is added to the notes."""
    try:
        return model.fitted(report)
    except ReidTuiError as error:
        notes.append(str(error))
        return None


def _size(channels: int, height: int, width: int) -> str:
    return f"{height}x{width} {'RGB' if channels == 3 else 'grey'}"
