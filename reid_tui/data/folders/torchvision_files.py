"""`torchvision:NAME`: sets that torchvision lays out, where they lie in the data folder. Nothing is fetched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reid_tui.data.folders import tree
from reid_tui.data.folders.listing import Listing, Picture
from reid_tui.data.folders.noticed import findings
from reid_tui.data.folders.walk import walk
from reid_tui.data.pool import TRAIN
from reid_tui.errors import DataError
from reid_tui.evaluation.labels import GALLERY, QUERY
from reid_tui.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from reid_tui.config import DataOptions
    from reid_tui.data.catalog import Report


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a set lies below the data folder."""

    name: str
    """Of torchvision's class."""
    folders: tuple[str, ...]
    """The first that is there is taken."""
    arrays: bool
    """Whether its images come out of few large files."""
    fetched: bool = True
    """Whether torchvision's class can fetch it."""


LAYOUTS: Final = {
    layout.name.lower(): layout
    for layout in (
        Layout("Omniglot", ("omniglot-py",), arrays=False),
        Layout(
            "LFWPeople",
            ("lfw-py/lfw_funneled", "lfw-py/lfw-deepfunneled", "lfw-py/lfw"),
            arrays=False,
            fetched=False,
        ),
        Layout("CIFAR10", ("cifar-10-batches-py",), arrays=True),
        Layout("CIFAR100", ("cifar-100-python",), arrays=True),
        Layout("SVHN", ("",), arrays=True),
        Layout("EMNIST", ("EMNIST/raw",), arrays=True),
    )
}
NAMES: Final = tuple(layout.name for layout in LAYOUTS.values())
_OMNIGLOT: Final = {"images_background": TRAIN, "images_evaluation": QUERY + GALLERY}


def layout(name: str) -> Layout:
    """The set of a name, in any case.

    Raises:
        DataError: there is none.
    """
    if name.lower() not in LAYOUTS:
        raise DataError(f"torchvision: knows {', '.join(NAMES)}, not '{printable(name)}'")
    return LAYOUTS[name.lower()]


def found(layout: Layout, data_dir: str | None, wanted: tuple[str, ...] = ("",)) -> tuple[Path, str]:
    """The data folder in which the set lies, and below it the set's own.

    Args:
        layout: of the set.
        data_dir: folder searched first; then the environment's and the user's.
        wanted: names that must be there below the set's folder.

    Raises:
        DataError: it lies nowhere.
    """
    from reid_tui.data.idx.locate import places

    bases = places(data_dir).bases
    for base in bases:
        for folder in layout.folders:
            if all((base / folder / name).exists() for name in wanted):
                return base.resolve(), folder
    looked = ", ".join(printable(base / layout.folders[0], 400) for base in bases) or "any folder"
    names = f" with {' and '.join(wanted)}" if any(wanted) else ""
    code = {"EMNIST": ", split='balanced'", "SVHN": ", split='train'"}.get(layout.name, "")
    how = (
        f"fetch it with torchvision.datasets.{layout.name}(DIR{code}, download=True)"
        if layout.fetched
        else "fetch it by hand and unpack it there"
    )
    raise DataError(f"{layout.name} is not in {looked}{names}; {how} and name the folder with --data-dir DIR")


def listing(name: str, options: DataOptions, report: Report) -> Listing:
    """The pictures of a set that comes as files.

    Raises:
        DataError: unknown, or it lies nowhere.
    """
    which = layout(name)
    if which.arrays:
        raise ValueError(f"{which.name} comes as arrays; see `torchvision_arrays`")
    if which.name == "Omniglot":
        pictures = _omniglot(which, options, report)
    else:
        base, folder = found(which, options.data_dir)
        pictures = tree.listing(str((base / folder).resolve()), options, report)
    return replace(
        pictures,
        spec=f"torchvision:{which.name}",
        name=which.name.lower(),
        source=f"{which.name} in {printable(pictures.root, 400)}",
    )


def _omniglot(which: Layout, options: DataOptions, report: Report) -> Listing:
    """Trained on the alphabets of `images_background`, tested on the characters of others."""
    base, folder = found(which, options.data_dir, tuple(_OMNIGLOT))
    root = (base / folder).resolve()
    walked = walk(root, report, tuple(_OMNIGLOT))
    parts = [(file, file.path.split("/")) for file in walked.files]
    outside = [file.path for file, part in parts if len(part) != 4]
    return Listing(
        spec="",
        name="",
        source="",
        root=root,
        pictures=tuple(
            Picture(file.path, f"{alphabet}/{character}", None, _OMNIGLOT[half], file.size, file.changed_ns)
            for file, (half, alphabet, character, *_) in (pair for pair in parts if len(pair[1]) == 4)
        ),
        findings=findings({"outside_identities": outside}) + walked.findings,
    )
