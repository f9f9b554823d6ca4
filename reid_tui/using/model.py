"""A trained network, whatever it is kept in: pictures in, embeddings and verdicts out.

Torch is imported only where a run is opened; an exported file needs onnxruntime alone.
Legend: N pictures, C channels, H height, W width, D embedding dimensions.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from reid_tui.errors import DataError, RunError
from reid_tui.text import printable
from reid_tui.using.pictures import fitted_pixels, read_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reid_tui.data.catalog import Report
    from reid_tui.data.dataset import Dataset, UInt8Array
    from reid_tui.evaluation.operating import Fitted
    from reid_tui.training.card import ModelCard

FloatArray = NDArray[np.float32]
Picture = str | os.PathLike[str] | NDArray[np.uint8]
"""A file, or pixels as `pictures.fitted_pixels` takes them."""
BATCH: Final = 256
"""Pictures in one forward."""
ONNX: Final = ".onnx"


def silent(text: str, done: int = 0, total: int = 0) -> None:
    """Tell nobody how far it is."""


class Network(Protocol):
    """What turns pixels into embeddings."""

    def __call__(self, images_NCHW: UInt8Array) -> FloatArray:
        """(N, D) of uint8 pixels."""


class Model:
    """A trained network at work.

    Example:
        >>> model = load_run("latest")
        >>> model.embed(["a.png", "b.png"]).shape
        (2, 64)
        >>> model.same("a.png", "b.png")
        True
    """

    def __init__(
        self,
        network: Network,
        *,
        name: str,
        step: int | None,
        card: ModelCard,
        digest: str,
        note: tuple[str, ...] = (),
        data: Callable[[Report], Dataset] | None = None,
    ) -> None:
        """Put together what `open_model` found.

        Args:
            network: computes.
            name: of the run or the file; not yet safe to print.
            step: of the run's checkpoint; None where it is not known.
            card: how pictures become embeddings.
            digest: SHA-256 (hex) of what the weights came from.
            note: lines about what was found; printable.
            data: opens what it was trained on.
        """
        self.name = name
        self.step = step
        self.card = card
        self.digest = digest
        self.note = note
        self.network = network
        self._data = data
        self._dataset: Dataset | None = None
        self._fitted = card.fitted

    def embed_pixels(
        self,
        images_NCHW: UInt8Array,
        report: Report = silent,
        *,
        named: Callable[[int], str] = "picture {}".format,
    ) -> FloatArray:
        """Embed pixels that have the network's size and channels already.

        Args:
            images_NCHW: (N, C, H, W) uint8.
            report: told how far it is; what it raises ends the work.
            named: what a picture is called in an error, by its place.

        Returns:
            (N, D).

        Raises:
            RunError: an embedding is not finite.
            ValueError: other pixels.
        """
        card = self.card
        if images_NCHW.dtype != np.uint8 or images_NCHW.shape[1:] != (card.channels, card.height, card.width):
            raise ValueError(
                f"pixels must be uint8 (N, {card.channels}, {card.height}, {card.width}), "
                f"not {images_NCHW.dtype} {images_NCHW.shape}"
            )
        count = len(images_NCHW)
        parts = (images_NCHW[start : start + BATCH] for start in range(0, count, BATCH))
        return self._embedded(parts, count, report, named)

    def embed(self, pictures: Sequence[Picture], report: Report = silent) -> FloatArray:
        """Embed pictures of any size.

        Args:
            pictures: files or arrays of pixels, in any mix.
            report: told how far it is; what it raises ends the work.

        Returns:
            (N, D) in their order.

        Raises:
            DataError: one cannot be read, or is no picture.
            RunError: an embedding is not finite.
        """
        if isinstance(pictures, str | os.PathLike) or (isinstance(pictures, np.ndarray) and pictures.ndim < 4):
            raise DataError("embed takes several pictures; put a single one in brackets")
        count = len(pictures)
        parts = (
            np.stack([self.pixels(picture) for picture in pictures[start : start + BATCH]])
            for start in range(0, count, BATCH)
        )

        def named(place: int) -> str:
            picture = pictures[place]
            return f"picture {place}" if isinstance(picture, np.ndarray) else printable(picture, 400)

        return self._embedded(parts, count, report, named)

    def pixels(self, picture: Picture) -> UInt8Array:
        """(C, H, W) of one picture, as the network takes it.

        Raises:
            DataError: it cannot be read, or is no picture.
        """
        if isinstance(picture, np.ndarray):
            return fitted_pixels(picture, self.card)
        return read_picture(picture, self.card)

    def distance(self, first: Picture | NDArray[np.floating], second: Picture | NDArray[np.floating]) -> float:
        """How far apart two pictures are, or two embeddings of this network, or one of each.

        Raises:
            DataError: one cannot be read, or is no picture.
            RunError: an embedding is not finite.
        """
        first_D, second_D = (self._one(each).astype(np.float64) for each in (first, second))
        return float(np.linalg.norm(first_D - second_D))

    def same(self, first: Picture | NDArray[np.floating], second: Picture | NDArray[np.floating]) -> bool:
        """Whether two show one identity, by the threshold at which both kinds of error are as frequent.

        Raises:
            ReidTuiError: as `distance` and `fitted`.
        """
        return self.distance(first, second) <= self.fitted().threshold

    def probability(
        self, first: Picture | NDArray[np.floating], second: Picture | NDArray[np.floating], prior: float = 0.5
    ) -> float:
        """How probably two show one identity.

        Args:
            first: a picture or an embedding.
            second: the same.
            prior: share of same pairs among those that are asked about, between 0 and 1.

        Raises:
            ReidTuiError: as `distance` and `fitted`.
        """
        distance = np.array([self.distance(first, second)])
        return float(self.fitted().probability(distance, prior)[0])

    def fitted(self, report: Report = silent) -> Fitted:
        """Thresholds and calibration: the card's, or fitted at once on the data of a run that has none yet.

        Args:
            report: told what is done, and how far it is, where something has to be done.

        Raises:
            ReidTuiError: there are none, and they cannot be fitted.
        """
        if self._fitted is None:
            from reid_tui.using.torch_fitting import fit

            self._fitted = fit(self, report)
        return self._fitted

    def dataset(self, report: Report = silent) -> Dataset:
        """The data that it was trained on; nothing is fetched for it.

        Args:
            report: told how far it is.

        Raises:
            RunError: it is not here, has changed, or an exported file does not know it.
        """
        if self._data is None:
            raise RunError(f"{printable(self.name)} does not know what data it was trained on; name the run")
        if self._dataset is None:
            self._dataset = self._data(report)
        return self._dataset

    def _one(self, what: Picture | NDArray[np.floating]) -> FloatArray:
        if isinstance(what, np.ndarray) and np.issubdtype(what.dtype, np.floating):
            if what.shape != (self.card.embedding_dim,):
                raise DataError(
                    f"an embedding of {printable(self.name)} has {self.card.embedding_dim} dimensions, "
                    f"not the shape {what.shape}"
                )
            point_D: FloatArray = what.astype(np.float32)
        else:
            point_D = self.embed([cast("Picture", what)])[0]
        return point_D

    def _embedded(
        self, parts: Iterable[UInt8Array], count: int, report: Report, named: Callable[[int], str]
    ) -> FloatArray:
        points_ND = np.empty((count, self.card.embedding_dim), dtype=np.float32)
        done = 0
        for part in parts:
            report("embedding pictures", done, count)
            points = self.network(part)
            if not np.isfinite(points).all():
                bad = done + int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
                raise RunError(
                    f"the embedding of {named(bad)} by {printable(self.name)} is not finite: its weights are ruined; "
                    "take another run"
                )
            points_ND[done : done + len(part)] = points
            done += len(part)
        return points_ND


def open_model(spec: str, runs_dir: Path, *, device: str = "cpu") -> Model:
    """Open a trained network; nothing is written, and a run that trains is not disturbed.

    Args:
        spec: a run's path, its name, or latest, of which the newest good checkpoint that verifies is taken; or a
            file that was exported as ONNX.
        runs_dir: where names are looked for.
        device: auto, cpu, cuda, cuda:N or mps; an exported file computes on the CPU.

    Raises:
        ReidTuiError: there is none, it is damaged, or of another program version.
    """
    if spec.endswith(ONNX) and not Path(spec).is_dir():
        from reid_tui.using.onnx_network import open_file

        return open_file(Path(spec))
    from reid_tui.runs.directory import RunDirectory, locate_run

    run = RunDirectory(locate_run(spec, runs_dir))
    from reid_tui.using.torch_network import open_run

    return open_run(run, device)


def load_run(
    run: str | os.PathLike[str] = "latest", *, runs_dir: str | os.PathLike[str] = "runs", device: str = "cpu"
) -> Model:
    """Open a trained network from Python.

    Args:
        run: a run's path, its name, or latest; or a file that was exported as ONNX.
        runs_dir: where names are looked for.
        device: auto, cpu, cuda, cuda:N or mps.

    Raises:
        ReidTuiError: there is none, it is damaged, or of another program version.

    Example:
        >>> from reid_tui import load_run
        >>> model = load_run("runs/latest")
        >>> points = model.embed(["a.png", "b.png"])
        >>> model.distance(points[0], points[1]), model.same("a.png", "b.png")
    """
    return open_model(os.fspath(run), Path(runs_dir), device=device)
