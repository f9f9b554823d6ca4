"""How soon a folder of small pictures is read, and how soon it is there at the second start.

`python -m reid_tui.bench.pictures FOLDER CACHES [COUNT FOLDERS]` measures one start, after writing as many pictures as
are named, and prints a JSON object.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from reid_tui.bench.processes import Setup, run
from reid_tui.bench.report import Result, Side
from reid_tui.data.folders import cache
from reid_tui.data.folders.listing import Listing, Picture
from reid_tui.data.pool import UNDIVIDED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ONE_START: Final = (sys.executable, "-m", "reid_tui.bench.pictures")
COUNT: Final = 10_000
FOLDERS: Final = 500
HEIGHT: Final = 64
WIDTH: Final = 32
RATE_TARGET: Final = 1500.0
SECOND_TARGET_S: Final = 1.0
_LONGEST_S: Final = 1800.0
_DRAWN: Final = 64
"""Different pictures, each with a number in its first pixels."""


def measure_pictures(setup: Setup) -> Iterator[Result]:
    """Pictures a second into an empty cache, and the seconds of a start that finds them there, listing included.

    Raises:
        ReidTuiError: a start failed.
    """
    setup.talk(f"pictures: {COUNT:,} PNG {HEIGHT}x{WIDTH} in {FOLDERS} folders are written")
    root, caches = setup.folder / "pictures", setup.folder / "caches"
    write_pictures(root, COUNT, FOLDERS)
    rates, seconds, peaks = [], [], []
    for number in range(setup.rounds):
        setup.talk(f"pictures: round {number + 1} of {setup.rounds}")
        first, second = (json.loads(run((*ONE_START, str(root), str(caches)), _LONGEST_S)[0]) for _ in range(2))
        shutil.rmtree(caches)
        rates.append(first["pictures"] / first["seconds"])
        seconds.append(second["seconds"])
        peaks.append(first["peak_mib"])
    shutil.rmtree(root)
    yield Result(
        name="pictures",
        what=f"{COUNT:,} PNG {HEIGHT}x{WIDTH}, first start",
        unit="pictures/s",
        a=Side("listed, read and kept", tuple(rates)),
        target=f">= {RATE_TARGET:,.0f}",
        met=min(rates) >= RATE_TARGET,
        note=f"in {FOLDERS} folders, whose files the system has in memory; at most {max(peaks):.0f} MiB, without torch",
    )
    yield Result(
        name="kept pictures",
        what="the same, second start",
        unit="s",
        a=Side("listed and mapped", tuple(seconds)),
        target=f"<= {SECOND_TARGET_S:g}",
        met=max(seconds) <= SECOND_TARGET_S,
    )


def write_pictures(root: Path, count: int, folders: int) -> None:
    """Small PNG with some noise, spread evenly over folders."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(_DRAWN):
        coarse = Image.fromarray(rng.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)).astype(np.int16)
        drawn.append(np.clip(smooth + rng.integers(-6, 7, smooth.shape), 0, 255).astype(np.uint8))
    for number in range(folders):
        (root / f"{number:05d}").mkdir(parents=True)
    for number in range(count):
        image = drawn[number % _DRAWN].copy()
        image[0, 0] = (number & 255, number >> 8 & 255, number >> 16 & 255)
        Image.fromarray(image).save(root / f"{number % folders:05d}" / f"{number:07d}.png")


def listed(root: Path) -> Listing:
    """All files of the folders below `root`, as people whose name is the folder's."""
    found = []
    for folder in sorted(os.scandir(root), key=lambda entry: entry.name):
        for file in sorted(os.scandir(folder), key=lambda entry: entry.name):
            facts = file.stat()
            path = f"{folder.name}/{file.name}"
            found.append(Picture(path, folder.name, None, UNDIVIDED, facts.st_size, facts.st_mtime_ns))
    return Listing(f"folder:{root}", root.name, f"folder {root}", root, tuple(found))


def one_start(root: Path) -> dict[str, Any]:
    """List a folder and bring its pictures into memory's reach."""
    before = time.perf_counter()
    listing = listed(root)
    found = cache.pixels(listing, f"{HEIGHT}x{WIDTH}", lambda text, done=0, total=0: None)
    return {
        "pictures": len(found.images),
        "seconds": time.perf_counter() - before,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main(arguments: Sequence[str]) -> None:
    """One start, in a process of its own."""
    root, caches, *numbers = arguments
    if numbers:
        write_pictures(Path(root), *(int(number) for number in numbers))
    os.environ["XDG_CACHE_HOME"] = str(Path(caches).absolute())
    sys.stdout.write(json.dumps(one_start(Path(root).absolute())) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
