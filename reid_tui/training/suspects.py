"""Images that a person suspects of a wrong label, in `suspects.csv` of the run: what `--exclude` reads."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from reid_tui.data.exclude import own_rows
from reid_tui.data.facts import camera_name
from reid_tui.files import read_regular, write_whole
from reid_tui.training.events import SuspectMarked

if TYPE_CHECKING:
    from pathlib import Path

    from reid_tui.data.dataset import Dataset, ImageSet
    from reid_tui.training.keeper import Keeper

FILE: Final = "suspects.csv"
COLUMNS: Final = ("path", "split", "row", "identity", "camera", "step", "distance")
_LARGEST: Final = 16 * 2**20


class Suspects:
    """The file is read anew each time: a person may have written in it."""

    def __init__(self, dataset: Dataset, keeper: Keeper) -> None:
        """Take what the rows are of, and who knows where the run lies."""
        self._dataset = dataset
        self._keeper = keeper

    def mark(self, event: SuspectMarked) -> None:
        """Write a row, or take it out.

        Raises:
            OSError: the file can be neither read nor written.
            ValueError: what is there is no such file.
        """
        path = self._keeper.folder() / FILE
        images = self._images(event.split)
        row = {
            "path": event.path,
            "split": event.split,
            "row": str(own_rows(images)[event.row]),
            "identity": event.identity,
            "camera": event.camera,
            "step": str(event.step),
            "distance": f"{event.distance:.6g}",
        }
        kept = [other for other in _rows(path) if (other["split"], other["row"]) != (row["split"], row["row"])]
        content = io.StringIO(newline="")
        writer = csv.DictWriter(content, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*kept, row] if event.marked else kept)
        write_whole(path, content.getvalue().encode("utf-8", "surrogateescape"))

    def described(self, split: str, row: int, *, step: int, distance: float, marked: bool) -> SuspectMarked:
        """The event of a mark on an image, by its place in the split."""
        images, dataset = self._images(split), self._dataset
        names = dataset.train_identity_names if split == "train" else dataset.identity_names
        return SuspectMarked(
            step=step,
            split=split,
            row=row,
            identity=names[images.identities[row]] if images.identities[row] >= 0 else "",
            camera="" if images.cameras is None else camera_name(dataset, int(images.cameras[row])),
            path=dataset.path_of(images, row),
            distance=distance,
            marked=marked,
        )

    def _images(self, split: str) -> ImageSet:
        return self._dataset.train if split == "train" else self._dataset.test


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        content = read_regular(path, _LARGEST)
    except FileNotFoundError:
        return []
    reader = csv.DictReader(io.StringIO(content.decode("utf-8", "surrogateescape"), newline=""))
    if not {"split", "row"} <= set(reader.fieldnames or ()):
        raise ValueError(f"{FILE} has no columns split and row")
    return [{name: line.get(name) or "" for name in COLUMNS} for line in reader]
