"""The benchmarks of person and vehicle Re-ID as they are published, in the folders and names they come with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reid_tui.data.folders.listing import Listing, Picture, run_name
from reid_tui.data.folders.noticed import findings, shown
from reid_tui.data.folders.walk import folder_at, is_folder, is_picture, walk
from reid_tui.data.pool import TRAIN
from reid_tui.errors import DataError
from reid_tui.evaluation.labels import GALLERY, QUERY
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reid_tui.config import DataOptions
    from reid_tui.data.catalog import Report
    from reid_tui.data.folders.walk import File

_NAME: Final = re.compile(r"(-1|[0-9]+)_c([0-9]+)")
"""How names of all these sets begin: identity and camera."""
_JUNK: Final = "-1"
_DISTRACTOR: Final = "0000"
_ROLES: Final = (TRAIN, QUERY, GALLERY)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One published set."""

    title: str
    example: str
    """The name of a file."""
    marks: str = ""
    """Regular expression found in names of this set, and not in those of one with the same folders."""
    folders: tuple[str, str, str] = ("bounding_box_train", "query", "bounding_box_test")
    """Of the training pictures, the queries and the gallery."""
    inside: tuple[str, ...] = ("",)
    """Folders that may hold these three; the first that does is taken."""
    upright: bool = True


BENCHMARKS: Final = {
    "market1501": Benchmark("Market-1501", "0002_c1s1_000451_03.jpg", r"^(?!.*_c[0-9]+_f)"),
    "dukemtmc": Benchmark("DukeMTMC-reID", "0001_c2_f0046182.jpg", r"_c[0-9]+_f"),
    "veri776": Benchmark(
        "VeRi-776",
        "0002_c002_00030600_0.jpg",
        folders=("image_train", "image_query", "image_test"),
        upright=False,
    ),
    "cuhk03": Benchmark("CUHK03", "0001_c1_21.png", inside=("detected", "labeled")),
}


def listing(prefix: str, place: str, _: DataOptions, report: Report) -> Listing:
    """The pictures of the benchmark that `prefix` names.

    Raises:
        DataError: a folder is missing, or no name is of the benchmark's form.
    """
    benchmark = BENCHMARKS[prefix]
    root = folder_at(Path(place), "name the folder of the unpacked set")
    found = [inside for inside in dict.fromkeys((*benchmark.inside, "")) if _is_whole(benchmark, root / inside)]
    if not found:
        below = f" in {' or '.join(benchmark.inside)}" if any(benchmark.inside) else ""
        raise DataError(
            f"{printable(root, 400)} is not {benchmark.title}: it wants the folders {', '.join(benchmark.folders)}"
            f"{below}; name the folder of the unpacked set"
        )
    folders = [str(Path(found[0], folder)) for folder in benchmark.folders]
    walked = walk(root, report, folders)
    pictures, noticed = _read(walked.files, dict(zip(folders, (TRAIN, QUERY, GALLERY), strict=True)))
    if not pictures:
        unread = f", first {shown(noticed['unread_names'])}" if noticed["unread_names"] else ""
        raise DataError(
            f"{printable(root, 400)} has no picture that is named as {benchmark.title} names them, such as "
            f"{benchmark.example}{unread}; take folder:PATH for folders of identities, or csv:FILE"
        )
    taken = "".join(f", {found[0]} and not {other}" for other in found[1:])
    return Listing(
        spec=f"{prefix}:{root}",
        name=run_name(root.name, prefix),
        source=f"{benchmark.title} in {printable(root, 400)}{taken}",
        root=root,
        pictures=pictures,
        findings=findings(noticed) + walked.findings,
        upright=benchmark.upright,
    )


def fits(prefix: str, path: Path) -> Path | None:
    """The path itself, if the benchmark's folders are there and hold its names."""
    benchmark = BENCHMARKS[prefix]
    for inside in benchmark.inside:
        if _is_whole(benchmark, path / inside):
            names = (file.name for file in (path / inside / benchmark.folders[0]).iterdir() if is_picture(file.name))
            return path if any(re.search(benchmark.marks, name) for name in names) else None
    return None


def laid_out(path: Path) -> bool:
    """Whether the folders of some benchmark are there, whatever the names in them."""
    return any(_is_whole(row, path / inside) for row in BENCHMARKS.values() for inside in row.inside)


def _is_whole(benchmark: Benchmark, folder: Path) -> bool:
    return all(is_folder(folder / name) for name in benchmark.folders)


def _read(files: Sequence[File], roles: dict[str, int]) -> tuple[tuple[Picture, ...], dict[str, list[str]]]:
    """The pictures, and what was noticed; roles by folder."""
    noticed: dict[str, list[str]] = {"junk": [], "distractors": [], "unread_names": []}
    found: list[Picture] = []
    for file in files:
        folder, _, name = file.path.rpartition("/")
        match = _NAME.match(name)
        if match is None or folder not in roles:
            noticed["unread_names"].append(file.path)
        elif match[1] == _JUNK:
            noticed["junk"].append(file.path)
        else:
            found.append(Picture(file.path, match[1], match[2], roles[folder], file.size, file.changed_ns))
    wanted = {picture.identity for picture in found if picture.role != GALLERY}
    if _DISTRACTOR in wanted:  # a set of one's own that counts people from 0
        return tuple(found), noticed
    noticed["distractors"] = [picture.path for picture in found if picture.identity == _DISTRACTOR]
    return tuple(p._replace(identity=None) if p.identity == _DISTRACTOR else p for p in found), noticed
