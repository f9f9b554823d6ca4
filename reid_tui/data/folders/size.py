"""To which size pictures are brought where nobody said: from the headers of some of them."""

from __future__ import annotations

import os
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from reid_tui.data.folders.decode import UnreadableError, upright_size
from reid_tui.data.folders.index import full_path
from reid_tui.data.folders.reading import regular

if TYPE_CHECKING:
    from reid_tui.data.folders.listing import Listing, Picture

MOST_HEADERS: Final = 64
SMALLEST_SIDE: Final = 16
LARGEST_SIDE: Final = 128
"""Sides between which pictures of one size stay as they are."""
TALL: Final = 1.5
"""Height over width from which a picture is called tall."""


class ImageSize(NamedTuple):
    """A size, and why it is that."""

    size: str
    """HxW."""
    why: str
    """One clause for the person, with what else might be wanted."""


def default_size(listing: Listing) -> ImageSize:
    """The size that fits most of at most `MOST_HEADERS` pictures, spread evenly over the listing."""
    pictures = listing.pictures
    count = min(MOST_HEADERS, len(pictures))
    found = [_size(listing, pictures[number * len(pictures) // count]) for number in range(count)]
    sizes = [size for size in found if size is not None]
    if len(set(sizes)) == 1 and all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in sizes[0]):
        height, width = sizes[0]
        looked_at = "" if count == len(pictures) else f" {count} looked at"
        return ImageSize(f"{height}x{width}", f"all{looked_at} are {height}x{width}")
    if listing.upright:
        return ImageSize("128x64", "128x64, usual for people; --image-size 256x128 is the field's")
    aspect = median(height / width for height, width in sizes) if sizes else 1.0
    if aspect >= TALL:
        return ImageSize("128x64", "128x64, as most are tall; --image-size HxW takes another")
    if aspect <= 1 / TALL:
        return ImageSize("64x128", "64x128, as most are wide; --image-size HxW takes another")
    return ImageSize("64x64", "64x64, as most are about square; --image-size HxW takes another")


def _size(listing: Listing, picture: Picture) -> tuple[int, int] | None:
    """Height and width of what is seen of it; None where that cannot be read."""
    if picture.box is not None:
        return (picture.box.height, picture.box.width) if min(picture.box[2:]) > 0 else None
    try:
        with regular(full_path(listing, picture)) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
            return upright_size(file)
    except UnreadableError:
        return None
