"""Which pictures a person means: a data set, files as a source lists them, any folder of pictures, or one picture.

Nothing of a folder has to be labelled here, and one identity is enough: this is looked through, not trained on.

Legend: N pictures, M rows of pixels, C channels, H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from reid_tui.data import catalog
from reid_tui.data.facts import camera_name
from reid_tui.data.findings import sentence
from reid_tui.data.folders import cache, sources, tree
from reid_tui.data.folders.index import KEY_BYTES, content_digest, full_path
from reid_tui.errors import DataError, UsageError, why
from reid_tui.evaluation.labels import GALLERY, QUERY
from reid_tui.text import printable
from reid_tui.using.pictures import decoded, fitted_pixels

if TYPE_CHECKING:
    from reid_tui.config import DataOptions
    from reid_tui.data.catalog import Report
    from reid_tui.data.dataset import Dataset, IntArray, RoleArray, UInt8Array
    from reid_tui.data.folders.listing import Box, Listing
    from reid_tui.training.card import ModelCard

BOTH: Final = QUERY + GALLERY
_ALL_BUT_ONE: Final = 1.0
"""Share of the pictures that may be unreadable: what can be read is looked through."""


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures with what is known of each, and their pixels at a network's size."""

    source: str
    """One printable line: what they are and where."""
    paths: tuple[str, ...]
    """(N,) absolute, or the name of a data set, a slash and a number. Not safe to print."""
    identities: tuple[str | None, ...]
    """(N,) as their source spells them; None where nobody knows."""
    cameras: tuple[str | None, ...]
    """(N,)"""
    boxes: tuple[Box | None, ...]
    """(N,) parts of the files; None for all of it."""
    roles_N: RoleArray
    """(N,) `QUERY`, `GALLERY`, their sum, or 0 where the source does not divide them."""
    digests_N: UInt8Array
    """(N, 16) of the pixels: equal where they are."""
    images: UInt8Array
    """(M, C, H, W); may be mapped."""
    rows_N: IntArray
    """(N,) of `images`."""
    root: str = ""
    """What need not be said of the paths: the folder that they start from, with a slash behind it."""
    kept_in: Path | None = None
    """Folder in which what is computed of them may be kept; None: nowhere."""
    notes: tuple[str, ...] = ()
    """What a person is to know of them: printable lines."""

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, place: int) -> str:
        """What a picture is called in a line for a person: short, and not safe to print."""
        return self.full_name(place).removeprefix(self.root)

    def full_name(self, place: int) -> str:
        """The same wherever one stands; not safe to print."""
        path, box = self.paths[place], self.boxes[place]
        return path if box is None else f"{path} [{','.join(map(str, box))}]"

    def image(self, place: int, card: ModelCard) -> UInt8Array:
        """(C, H, W) of one picture at the network's size, in colour where it has some."""
        image = self.images[int(self.rows_N[place])]
        return fitted_pixels(image, replace(card, channels=len(image)))

    def pixels(self, places_n: IntArray, card: ModelCard) -> UInt8Array:
        """(n, C, H, W) of some pictures, as the network takes them."""
        images = self.images[self.rows_N[places_n]]
        if images.shape[1:] == (card.channels, card.height, card.width):
            return images
        return np.stack([fitted_pixels(image, card) for image in images])

    def of(self, places_n: IntArray) -> Pictures:
        """Some of them."""
        chosen = places_n.tolist()

        def some(values: tuple[object, ...]) -> tuple[object, ...]:
            return tuple(values[place] for place in chosen)

        return replace(
            self,
            **{name: some(getattr(self, name)) for name in ("paths", "identities", "cameras", "boxes")},  # type: ignore[arg-type]
            roles_N=self.roles_N[places_n],
            digests_N=self.digests_N[places_n],
            rows_N=self.rows_N[places_n],
        )


def pictures(options: DataOptions, card: ModelCard, report: Report, *, label: str, labelled: bool = True) -> Pictures:
    """The pictures that a person means.

    Args:
        options: their `data` is a data set's name, of which the test images are taken; a source's prefix and a path; a
            folder; a table; or a picture.
        card: of the network that is to see them.
        report: told how far it is.
        label: how the command line calls it.
        labelled: whether the folders of a path without a prefix tell whom a picture shows.

    Raises:
        ReidTuiError: nothing is there, or none of it can be read.
    """
    spec = options.data
    if not spec:
        raise UsageError(f"{label} must not be empty; name a picture, a folder or a data set")
    if _is_array_set(spec):
        return _of_data_set(catalog.load(options, report), spec)
    prefix, colon, _ = spec.partition(":")
    if colon and prefix in sources.SOURCES:
        return _of_files(sources.listing(options, report, fewest=0), card, report)
    path = _there(spec, label)
    if path.is_dir() and (not labelled or set(sources.fitting(path)) <= {"folder"}):
        return _of_files(tree.everything(str(path), options, report, labelled=labelled), card, report)
    if path.is_dir() or sources.fitting(path):
        return _of_files(sources.listing(options, report, fewest=0), card, report)
    return _of_one(path, card)


def _is_array_set(spec: str) -> bool:
    from reid_tui.data.folders import torchvision_files

    prefix, _, name = spec.partition(":")
    return not catalog.in_files(spec) or (prefix == "torchvision" and bool(torchvision_files.layout(name).arrays))


def _there(spec: str, label: str) -> Path:
    try:
        path = Path(spec).expanduser().absolute()
        path.stat()
    except (OSError, RuntimeError, ValueError) as error:
        known = ", ".join((*catalog.SPECS, *catalog.PREFIXES))
        raise DataError(
            f"{label} {printable(spec, 400)} cannot be found: {printable(why(error))}; name a picture, a folder, "
            f"or one of {known}"
        ) from error
    return path


def _of_data_set(dataset: Dataset, spec: str) -> Pictures:
    test = dataset.test
    count = len(test)
    rows_N = np.arange(count) if test.rows is None else test.rows
    names = [dataset.identity_names[label] if label >= 0 else None for label in test.identities.tolist()]
    cameras = [None] * count if test.cameras is None else [camera_name(dataset, c) for c in test.cameras.tolist()]
    digests = b"".join(content_digest(test.images[row]).tobytes() for row in rows_N.tolist())
    return Pictures(
        source=f"test images of {dataset.name}",
        paths=tuple(f"{spec}/{number}" for number in range(count)),
        identities=tuple(names),
        cameras=tuple(cameras),
        boxes=(None,) * count,
        roles_N=np.zeros(count, np.int8) if test.roles is None else test.roles,
        digests_N=np.frombuffer(digests, np.uint8).reshape(-1, KEY_BYTES),
        images=test.images,
        rows_N=rows_N,
    )


def _of_files(listing: Listing, card: ModelCard, report: Report) -> Pictures:
    read = cache.pixels(listing, f"{card.height}x{card.width}", report, most_unreadable=_ALL_BUT_ONE)
    unkept = any(finding.code == "cache_off" for finding in read.findings)
    readable = [place for place in range(len(listing.pictures)) if place not in read.unreadable]
    found = [listing.pictures[place] for place in readable]
    rows_N = np.array(readable, dtype=np.int64)
    return Pictures(
        source=listing.source,
        paths=tuple(full_path(listing, picture) for picture in found),
        identities=tuple(picture.identity for picture in found),
        cameras=tuple(picture.camera for picture in found),
        boxes=tuple(picture.box for picture in found),
        roles_N=np.array([picture.role & BOTH for picture in found], dtype=np.int8),
        digests_N=read.digests[rows_N],
        images=read.images,
        rows_N=rows_N,
        root=f"{listing.root}/",
        kept_in=None if unkept else cache.folder_of(listing.spec),
        notes=tuple(map(sentence, (*listing.findings, *read.findings))),
    )


def _of_one(path: Path, card: ModelCard) -> Pictures:
    pixels = decoded(path, card)
    return Pictures(
        source=f"the picture {printable(path, 400)}",
        paths=(str(path),),
        identities=(None,),
        cameras=(None,),
        boxes=(None,),
        roles_N=np.zeros(1, np.int8),
        digests_N=content_digest(pixels)[None],
        images=pixels[None],
        rows_N=np.zeros(1, np.int64),
        root=f"{path.parent}/",
    )
