"""Thresholds for a network whose checkpoint has none, from the data that it was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np
import torch

from reid_tui.data import catalog
from reid_tui.errors import CheckpointError, DataError, RunError
from reid_tui.evaluation.fitting import fit_operating_points
from reid_tui.opening.same import check_same_data
from reid_tui.text import printable
from reid_tui.training.scoring import EVALUATION_SEED, all_places
from reid_tui.using.model import BATCH

if TYPE_CHECKING:
    from reid_tui.data.catalog import Report
    from reid_tui.data.dataset import Dataset
    from reid_tui.evaluation.operating import Fitted
    from reid_tui.training.manifest import Manifest
    from reid_tui.using.model import Model


def dataset_of(manifest: Manifest, report: Report) -> Dataset:
    """What a run was trained on, as far as it is on this machine: nothing is fetched.

    Raises:
        RunError: it is not here, or it has changed.
    """
    try:
        dataset = catalog.load(manifest.config.data_options(None), report, opener=_no_network)
        check_same_data(manifest, dataset)
    except (DataError, CheckpointError) as error:
        raise RunError(f"the data of the run cannot be had: {error}") from error
    return dataset


def _no_network(url: str, timeout_s: float) -> NoReturn:
    raise OSError("nothing is fetched to use a run")


def fit(model: Model, report: Report) -> Fitted:
    """Fit thresholds to the test images of what a network was trained on, as an evaluation does.

    Raises:
        RunError: they are not here, or form no pairs of one kind.
    """
    try:
        images = model.dataset(report).test
    except RunError as error:
        raise RunError(f"{printable(model.name)} has no threshold, and none can be fitted: {error}") from error
    rows = all_places(images.labels)
    points_ND = np.empty((len(images), model.card.embedding_dim), dtype=np.float32)
    for start in range(0, len(images), BATCH):
        report("fitting thresholds", start, len(images))
        part = rows[start : start + BATCH]
        points_ND[start : start + BATCH] = model.embed_pixels(images.take(part))
    labels = images.labels.of(rows)
    fitted = fit_operating_points(torch.from_numpy(points_ND), labels, seed=EVALUATION_SEED)
    if fitted is None:
        raise RunError(f"{printable(model.name)} has no threshold: its test images form no pairs; test on more of them")
    return fitted
