"""Data sets by name. The one door into this package: a set is a row in `LOADERS` and a module that loads it.

Light: what a set needs is imported when it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from reid_tui.config import flag
from reid_tui.data.folders.sources import SOURCES, canonical, is_path
from reid_tui.errors import DataError
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reid_tui.config import DataOptions
    from reid_tui.data.dataset import Dataset
    from reid_tui.data.idx.download import Opener
    from reid_tui.data.idx.sets import IdxSource

AUTO: Final = "auto"
AUTO_FETCH_S: Final = 5.0
"""So long `auto` tries to fetch before it takes the generated set."""
FETCH_S: Final = 1800.0


class Report(Protocol):
    """Told in one-line sentences what is going on, and how much of it is done where that is known."""

    def __call__(self, text: str, done: int = 0, total: int = 0) -> None:
        """Take note. What it raises ends the loading."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a loader is told."""

    name: str
    data_dir: str | None
    """Folder searched first, and where fetched files are kept. None: the environment's or the user's."""
    report: Report
    opener: Opener | None = None
    """Opens addresses for reading; None is the network."""
    sources: Mapping[str, IdxSource] | None = None
    """The sets of idx files by name; None is those there are."""


def _mnist_family(request: Request, fetch_s: float = FETCH_S) -> Dataset:
    from reid_tui.data.idx import download, load, sets

    source = (request.sources or sets.SOURCES)[request.name]
    opener = request.opener or download.open_https
    return load.load_idx(source, request.data_dir, request.report, fetch_s=fetch_s, opener=opener)


def _pedestrians(request: Request, source: str = "generated") -> Dataset:
    from reid_tui.data.pedestrians.generate import pedestrians

    request.report("drawing pedestrians")
    return pedestrians(source)


def _auto(request: Request) -> Dataset:
    """Fashion-MNIST where it is found or fetched soon, else pedestrians; `source` says which and why."""
    from reid_tui.data.idx.download import FetchError

    try:
        found = _mnist_family(replace(request, name="fashion-mnist"), AUTO_FETCH_S)
        return replace(found, choice="auto: found")
    except FetchError as error:
        reason = str(error.__cause__ or error)
        source = f"generated, because Fashion-MNIST was not found and not fetched: {reason}"
        return replace(_pedestrians(request, source), choice="auto: no Fashion-MNIST here")


LOADERS: Final[dict[str, Callable[[Request], Dataset]]] = {
    AUTO: _auto,
    "fashion-mnist": _mnist_family,
    "mnist": _mnist_family,
    "kmnist": _mnist_family,
    "pedestrians": _pedestrians,
}
SPECS: Final = tuple(LOADERS)
"""Names that `--data` may say."""
PREFIXES: Final = tuple(f"{prefix}:" for prefix in SOURCES)
"""What it may say before a path."""


def in_files(spec: str) -> bool:
    """Whether it names files of a person's own, rather than a data set by name."""
    return spec not in LOADERS


def accepted(spec: str) -> str:
    """A specification that a person wrote, with its path made absolute; a path without a prefix stays without one.

    Raises:
        DataError: it names no data set, and nothing that is there or can be read as one.
    """
    if spec in LOADERS:
        return spec
    _check_known(spec)
    found = canonical(spec)
    return found if spec.partition(":")[0] in SOURCES else str(Path(spec).expanduser().resolve())


def spellings(spec: str) -> list[str]:
    """How files may be known that were read once, also where they are gone: with their prefix, or with any.

    A bare path may have been looked through as a folder, whatever it is to be trained on.
    """
    prefix, _, rest = spec.partition(":")
    own = prefix in SOURCES
    found = [] if own else [f"folder:{Path(spec).expanduser().resolve()}"]
    try:
        return list(dict.fromkeys([canonical(spec), *found]))
    except DataError:
        prefixes, path = ([prefix], rest) if own else (list(SOURCES), spec)
        return list(dict.fromkeys([*(f"{prefix}:{Path(path).expanduser().absolute()}" for prefix in prefixes), *found]))


def _check_known(spec: str) -> None:
    if not is_path(spec):
        raise DataError(
            f"--data must be one of {', '.join(SPECS)}, a path, or one of {', '.join(PREFIXES)} before a path, "
            f"not {printable(spec)!r}"
        )


def load(
    options: DataOptions,
    report: Report,
    *,
    opener: Opener | None = None,
    sources: Mapping[str, IdxSource] | None = None,
) -> Dataset:
    """Load a data set; for the arguments see `DataOptions` and `Request`.

    Raises:
        DataError: unknown name, a damaged file (never passed over), or files neither found nor fetched.
    """
    if options.exclude is not None:
        from reid_tui.data.exclude import without

        whole = load(replace(options, exclude=None), report, opener=opener, sources=sources)
        return without(whole, options.exclude, report)
    spec = options.data
    if spec in LOADERS:
        for name in ("image_root", "image_size", "camera_pattern"):
            if getattr(options, name) is not None:
                raise DataError(f"{flag(name)} is for pictures in files, not for {spec}; leave it out")
        return _held_out(LOADERS[spec](Request(spec, options.data_dir, report, opener, sources)), options, report)
    _check_known(spec)
    from reid_tui.data.folders.load import load_files

    return load_files(options, report)


def _held_out(dataset: Dataset, options: DataOptions, report: Report) -> Dataset:
    """Without the identities that are to be kept out of training, if any are."""
    if options.holdout is None:
        return dataset
    from reid_tui.data.pool import pooled
    from reid_tui.data.split import divided, told

    divided_set = replace(divided(pooled(dataset), options.holdout), choice=dataset.choice)
    for line in told(divided_set):
        report(line)
    return divided_set
