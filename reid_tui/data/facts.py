"""What `reid-tui data` says of a data set, as a table and as JSON: sizes, identities, parts, what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rich.table import Table
from rich.text import Text

from reid_tui.data.findings import sentence, some
from reid_tui.evaluation.labels import GALLERY, QUERY
from reid_tui.text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from reid_tui.data.dataset import Dataset, ImageSet

_MOST_NAMES: Final = 20
_MOST_ROWS: Final = 100


def as_table(dataset: Dataset) -> RenderableType:
    """Everything, one row a fact."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for label, value in _rows(dataset):
        table.add_row(Text(label), Text(value))
    for number, finding in enumerate(dataset.findings):
        style = "bold red" if finding.grave else ""
        table.add_row(
            Text("" if number else "found"), Text(f"{'! ' if finding.grave else ''}{sentence(finding)}", style)
        )
    return table


def _rows(dataset: Dataset) -> list[tuple[str, str]]:
    channels, height, width = dataset.train.shape
    rows = [
        ("data set", printable(dataset.name)),
        ("source", printable(dataset.source, 2000)),
        ("images", ", ".join(f"{len(images):,} {name}" for name, images in splits(dataset).items())),
        ("shape", f"{height} x {width} pixels, {'RGB' if channels == 3 else 'grey'}"),
    ]
    if dataset.unseen:
        rows.append(("training identities", _counts(dataset.train, dataset.train_identity_names)))
        tested = _counts(dataset.test, dataset.identity_names)
        rows.append(("test identities", f"{tested}; none of them in training"))
    elif dataset.train_identity_names == dataset.identity_names:
        rows.append(("identities", _both_counts(dataset)))
    else:
        rows.append(("training identities", _counts(dataset.train, dataset.train_identity_names)))
        rows.append(("test identities", _counts(dataset.test, dataset.identity_names)))
    for label, names in (("held out", dataset.held_out), ("choose the best", dataset.validating)):
        if names:
            rows.append((label, f"{len(names):,} identities: {some(names)}"))
    if dataset.test.roles is not None:
        rows.append(
            ("protocol", ", ".join(f"{count:,} {name}" for name, count in _uses(dataset.test).items() if count))
        )
    rows.append(("cameras", _cameras(dataset)))
    rows.append(("fingerprint", dataset.fingerprint[:16]))
    return rows


def splits(dataset: Dataset) -> dict[str, ImageSet]:
    """What the images are used for, in words, and which those are."""
    named = {
        "training": dataset.train,
        "test": dataset.test,
        "test of trained identities": dataset.seen,
        "to choose the best": dataset.validation,
    }
    return {name: images for name, images in named.items() if images is not None}


def as_json(dataset: Dataset) -> dict[str, Any]:
    """The same for a program; names are as their source spells them, where it does."""
    parts = {"train": dataset.train, "test": dataset.test, "seen": dataset.seen, "validation": dataset.validation}
    return {
        "name": dataset.name,
        "spec": dataset.spec or dataset.name,
        "source": dataset.source,
        "fingerprint": dataset.fingerprint,
        "shape": list(dataset.train.shape),
        "unseen": dataset.unseen,
        "cameras": list(dataset.camera_names),
        **{name: _part(images) for name, images in parts.items() if images is not None},
        "held_out": list(dataset.held_out),
        "validating": list(dataset.validating),
        "findings": [
            {
                "code": finding.code,
                "count": finding.count,
                "text": finding.text,
                "examples": list(finding.examples),
                "grave": finding.grave,
            }
            for finding in dataset.findings
        ],
    }


def _part(images: ImageSet) -> dict[str, int]:
    people = images.identities[images.identities >= 0]
    facts = {"images": len(images), "identities": len(np.unique(people))}
    if images.cameras is not None:
        facts["cameras"] = len(np.unique(images.cameras))
    return facts | (_uses(images) if images.roles is not None else {})


def _uses(images: ImageSet) -> dict[str, int]:
    roles = images.labels.roles_N
    if roles is None:
        return {}
    return {
        "queries": int(((roles & QUERY > 0) & (images.identities >= 0)).sum()),
        "gallery": int((roles & GALLERY > 0).sum()),
        "distractors": int((images.identities < 0).sum()),
    }


def camera_name(dataset: Dataset, camera: int) -> str:
    """As its source calls it, else by number from 1."""
    return printable(dataset.camera_names[camera], 24) if dataset.camera_names else str(camera + 1)


def _counts(split: ImageSet, names: tuple[str, ...]) -> str:
    """Of the identities that occur."""
    counts = np.bincount(split.identities[split.identities >= 0], minlength=len(names))
    names = tuple(name for name, count in zip(names, counts, strict=True) if count)
    low, high = int(counts[counts > 0].min()), int(counts.max())
    each = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    shown = [printable(name, 24) for name in names]
    listed = ", ".join(shown) if len(shown) <= _MOST_NAMES else f"{', '.join(shown[:3])}, ... {shown[-1]}"
    return f"{len(names)} with {each} images each: {listed}"


def _both_counts(dataset: Dataset) -> str:
    names = [printable(name, 24) for name in dataset.identity_names]
    train = np.bincount(dataset.train.identities, minlength=len(names))
    test = np.bincount(dataset.test.identities, minlength=len(names))
    widest = max(map(len, names))
    rows = list(zip(names, train, test, strict=True))
    lines = [f"{name:<{widest}}  {a:>6,}  {b:>6,}" for name, a, b in rows[:_MOST_ROWS]]
    more = [f"and {len(rows) - _MOST_ROWS:,} more"] if len(rows) > _MOST_ROWS else []
    return "\n".join([f"{len(names):,}, with training and test images:", *lines, *more])


def _cameras(dataset: Dataset) -> str:
    if dataset.test.cameras is None:
        return "not known"
    counts = np.bincount(dataset.test.cameras, minlength=len(dataset.camera_names))
    numbers = ", ".join(f"{count:,}" for count in counts[:_MOST_NAMES])
    return f"{len(counts)}, with {numbers}{', ...' if len(counts) > _MOST_NAMES else ''} test images"
