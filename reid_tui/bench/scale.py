"""What a run costs as its images and identities grow: one table with the slope of each cost.

`python -m reid_tui.bench.scale [--images N] [--folder FOLDER]` writes a hundredth, a tenth and all of N small pictures
below the folder, a temporary one unless it is named, and measures each set in a process of its own with one thread.
Ten pictures show each identity: five are trained on, the others are queries, a hundredth of all, and gallery. Costs are
in seconds of the processor and bytes, so that other work on the machine does not show.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import struct
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rich.box import MARKDOWN
from rich.table import Table

from reid_tui.bench.processes import run
from reid_tui.bench.report import number, this_machine
from reid_tui.console import console_on, print_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from rich.console import Console

IMAGES: Final = 1_000_000
PARTS: Final = (100, 10, 1)
SIDE: Final = 16
PER_IDENTITY: Final = 5
ASKING: Final = 10
"""One in so many test identities has a query."""
ONE_SIZE: Final = (sys.executable, "-m", "reid_tui.bench.scale_one")
_LONGEST_S: Final = 4 * 3600.0


def write_set(root: Path, images: int) -> None:
    """Noisy PNG of as many colours as identities, below train/, query/ and gallery/."""
    rng = np.random.default_rng(0)
    identities = images // (2 * PER_IDENTITY)
    colours = rng.integers(20, 236, (identities, 1, 1, 3))
    for part in ("train", "test"):
        for identity in range(identities):
            noise = rng.integers(-20, 21, (PER_IDENTITY, SIDE, SIDE, 3))
            asks = part == "test" and identity % ASKING == 0
            for place, pixels in enumerate((colours[identity] + noise).astype(np.uint8)):
                split = "train" if part == "train" else "query" if asks and place == 0 else "gallery"
                folder = root / split / f"{identity:06d}"
                if place < 2:
                    folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{place}.png").write_bytes(_png(pixels))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """(H, W, 3) as a file, several times faster than by Pillow."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # each begins with the number of its filter, none
    rows[:, 1:] = pixels.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes(), 1)), (b"IEND", b""))
    chunks = [struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def slope(sizes: Sequence[int], values: Sequence[float]) -> float:
    """By how many powers of ten a cost grows with a power of ten of images: 0 where it does not, 1 where in proportion.

    NaN where it is not known.
    """
    first, last = values[0], values[-1]
    if not (first > 0 and last > 0):
        return math.nan
    return math.log(last / first) / math.log(sizes[-1] / sizes[0])


def table(sizes: Sequence[int], found: Sequence[dict[str, float]]) -> Table:
    """A row for each cost, a column for each size, and the slope."""
    made = Table(box=MARKDOWN)
    made.add_column("what")
    for size in sizes:
        made.add_column(f"{size:,} images", justify="right")
    made.add_column("slope", justify="right")
    for name in found[-1]:
        values = [part.get(name, math.nan) for part in found]
        made.add_row(name, *map(number, values), number(round(slope(sizes, values), 2)))
    return made


def measured(folder: Path, images: int) -> dict[str, Any]:
    """Costs of a set of so many images, which is written where it is not there yet, by what they are."""
    root = folder / f"{images}"
    if not root.exists():
        write_set(root, images)
    environment = ("env", "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", f"XDG_CACHE_HOME={folder / 'caches'}")
    output, _ = run((*environment, *ONE_SIZE, str(root), str(images)), _LONGEST_S)
    costs: dict[str, Any] = json.loads(output)
    return costs


def measure(console: Console, folder: Path, images: int) -> None:
    """Measure all sizes, and print the table."""
    sizes = [images // part for part in PARTS]
    found = []
    for size in sizes:
        print_line(console_on(sys.stderr), f"scale: {size:,} images")
        found.append(measured(folder, size))
    console.print(table(sizes, found))
    print_line(console, f"{this_machine('cpu')}.")


def main(arguments: Sequence[str]) -> None:
    """Parse, measure, and leave nothing in a temporary folder."""
    parser = argparse.ArgumentParser(prog="python -m reid_tui.bench.scale", description="What grows with the images.")
    parser.add_argument("--images", type=int, default=IMAGES, help="of the largest set, at least 20,000")
    parser.add_argument("--folder", type=Path, help="where the sets are, or are written and stay")
    asked = parser.parse_args(arguments)
    if asked.images < 20_000:
        parser.error("--images must be at least 20000: a hundredth of them must have something to be found")
    with tempfile.TemporaryDirectory(prefix="reid-tui-scale-") as temporary:
        folder = asked.folder or Path(temporary)
        measure(console_on(sys.stdout), Path(os.path.abspath(folder)), asked.images)  # noqa: PTH100


if __name__ == "__main__":
    main(sys.argv[1:])
