"""Where images may come from: one row each in `SOURCES`.

Light: help and completion read the prefixes, so what lists pictures is imported when it is called.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reid_tui.config import flag
from reid_tui.errors import DataError, UsageError, why
from reid_tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from reid_tui.config import DataOptions
    from reid_tui.data.catalog import Report
    from reid_tui.data.folders.listing import Listing
    from reid_tui.data.pool import Pool


def _late(module: str, function: str, *first: str) -> Callable[..., Any]:
    """A function of a module beside this one, which is imported when it is called."""

    def call(*arguments: object) -> object:
        return getattr(import_module(f"{__package__}.{module}"), function)(*first, *arguments)

    return call


def _never(_: Path) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of place that images lie in."""

    lists: Callable[[str, DataOptions, Report], Listing]
    """Says which pictures there are; gets the absolute path, or the name, that stands behind the prefix."""
    help: str
    """One line."""
    fits: Callable[[Path], Path | None] = _never
    """What of a path without a prefix it would take, None where it does not fit."""
    options: tuple[str, ...] = ()
    """Those of `DataOptions` that only some sources can use, and this one can."""
    by_path: bool = True
    """Whether a path stands behind the prefix."""


def _benchmark(prefix: str, text: str) -> Source:
    return Source(_late("benchmarks", "listing", prefix), text, _late("benchmarks", "fits", prefix))


SOURCES: Final[dict[str, Source]] = {
    "folder": Source(
        _late("tree", "listing"),
        "one folder per identity, below train/, query/, gallery/ or not",
        _late("tree", "fits"),
        ("camera_pattern",),
    ),
    "csv": Source(
        _late("table", "listing"),
        "a table with the columns path and identity",
        _late("table", "fits"),
        ("camera_pattern", "image_root"),
    ),
    "market1501": _benchmark("market1501", "bounding_box_train, query, bounding_box_test"),
    "dukemtmc": _benchmark("dukemtmc", "the same folders, with names such as 0001_c2_f0046182.jpg"),
    "veri776": _benchmark("veri776", "image_train, image_query, image_test"),
    "cuhk03": _benchmark("cuhk03", "detected or labeled, with market1501's folders in it"),
    "msmt17": Source(_late("msmt17", "listing"), "train, test and list files", _late("msmt17", "fits")),
    "torchvision": Source(
        _late("torchvision_files", "listing"),
        "Omniglot, LFWPeople, CIFAR10, CIFAR100, SVHN or EMNIST in --data-dir",
        by_path=False,
    ),
}
"""By prefix. A source is added by one function and one row."""


@dataclass(frozen=True, slots=True)
class _Place:
    prefix: str
    place: str
    """Absolute path, or a name."""
    recognised: bool = False
    """Whether the prefix was found out."""


def is_path(spec: str) -> bool:
    """Whether a spec that is no data set's name has a prefix, or is a path."""
    return any(mark in spec for mark in ":/.~") or (bool(spec) and os.path.lexists(spec))


def canonical(spec: str) -> str:
    """What opens the same from anywhere: a prefix, a colon, and an absolute path or a name.

    Raises:
        DataError: nothing is there, or no source or two fit a path without a prefix.
    """
    place = _place(spec)
    return f"{place.prefix}:{place.place}"


def listing(options: DataOptions, report: Report, fewest: int = 2) -> Listing:
    """The pictures that a spec names; not for sets that come as arrays.

    Args:
        options: their `data` is the spec.
        report: told what is going on.
        fewest: identities that there must be.

    Raises:
        DataError: they cannot be listed, or show too few identities.
        UsageError: an option is of no use to the source.
    """
    place = _place(options.data)
    _refuse_unused(place.prefix, options)
    if place.recognised:
        report(f"{printable(place.place, 400)} is taken as {place.prefix}")
    found = SOURCES[place.prefix].lists(place.place, options, report)
    _check(found, fewest)
    return replace(found, source=f"{found.source}, taken as {place.prefix}") if place.recognised else found


def arrays(options: DataOptions, report: Report) -> Pool | None:
    """The images of a set that comes as arrays; None for all others.

    Raises:
        DataError: they cannot be read.
        UsageError: an option is of no use to the source.
    """
    from reid_tui.data.folders import torchvision_files

    prefix, _, name = options.data.partition(":")
    if prefix != "torchvision" or not torchvision_files.layout(name).arrays:
        return None
    from reid_tui.data.folders.torchvision_arrays import pool

    _refuse_unused(prefix, options)
    return pool(name, options.data_dir, report)


def fitting(path: Path) -> dict[str, Path]:
    """What each source would take of an absolute path, by prefix, where it fits.

    Raises:
        DataError: it cannot be looked at.
    """
    try:
        return {prefix: place for prefix, source in SOURCES.items() if (place := source.fits(path)) is not None}
    except OSError as error:
        raise DataError(f"{printable(path, 400)} cannot be read: {why(error)}; see that you may read it") from error


def _place(spec: str) -> _Place:
    prefix, colon, rest = spec.partition(":")
    if not colon or prefix not in SOURCES:
        return _recognised(spec)
    if not rest:
        raise DataError(
            f"--data {prefix}: names nothing; write {prefix}:{'PATH' if SOURCES[prefix].by_path else 'NAME'}"
        )
    if not SOURCES[prefix].by_path:
        from reid_tui.data.folders import torchvision_files

        return _Place(prefix, torchvision_files.layout(rest).name)
    return _Place(prefix, str(_there(rest)))


def _there(text: str, more: str = "") -> Path:
    """The absolute path of what is there, without links but for that of a file: a table's paths start beside it."""
    try:
        path = Path(text).expanduser()
        whole = path.resolve(strict=True)
        return path.parent.resolve() / path.name if whole.is_file() else whole
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(
            f"--data {printable(text, 400)} cannot be found: {printable(why(error))}; name what is there{more}"
        ) from error


def _recognised(spec: str) -> _Place:
    """The only source that fits a path."""
    path = _there(spec, f", or one of the sources {', '.join(f'{name}:' for name in SOURCES)}" if ":" in spec else "")
    shown = printable(path, 400)
    found = fitting(path)
    if len(found) > 1:
        both = " or ".join(f"{prefix}:{printable(place, 400)}" for prefix, place in found.items())
        raise DataError(f"{shown} may be read in more than one way; say {both}")
    for prefix, place in found.items():
        return _Place(prefix, str(place), recognised=True)
    raise DataError(f"{shown} {_contents(path)}")


def _contents(path: Path) -> str:
    """What there is that fits no source, and what was looked for, as a clause."""
    from reid_tui.data.folders import table, tree
    from reid_tui.data.folders.noticed import shown

    if not path.is_dir():
        return f"is neither a folder nor a table ({', '.join(table.ENDINGS)})"
    found = table.tables(path)
    named = f"; its tables are {shown([file.name for file in found])}" if found else ""
    tried = ", ".join(prefix for prefix, source in SOURCES.items() if source.fits is not _never)
    return f"{tree.contents(path)}{named}; it fits none of {tried}; {tree.WANTED}"


def _refuse_unused(prefix: str, options: DataOptions) -> None:
    for name in sorted({name for source in SOURCES.values() for name in source.options}):
        if getattr(options, name) is not None and name not in SOURCES[prefix].options:
            users = " and ".join(f"{other}:" for other, source in SOURCES.items() if name in source.options)
            raise UsageError(f"{flag(name)} is of no use to {prefix}:, only to {users}; leave it out")


def _check(found: Listing, fewest: int) -> None:
    from reid_tui.data.folders.noticed import told

    more = f" ({told(found.findings)})" if found.findings else ""
    if not found.pictures:
        raise DataError(f"{found.source}: no picture{more}; see that it is what you meant")
    identities = {picture.identity for picture in found.pictures} - {None}
    if len(identities) < fewest:
        names = ", ".join(f"'{printable(name)}'" for name in identities) or "nobody"
        raise DataError(f"{found.source}: all pictures show one identity, {names}{more}; at least two are needed")
