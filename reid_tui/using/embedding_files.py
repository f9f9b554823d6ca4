"""Embeddings in files that other programs read: npz, CSV, and what TensorBoard's projector wants.

Labels are numbers in the order of their names. As in Market-1501, identities count from 1; 0 is a distractor, and -1
whoever is not known.

Legend: N pictures, D embedding dimensions.
"""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from reid_tui.evaluation.labels import GALLERY, QUERY
from reid_tui.text import cell, printable
from reid_tui.using.output import write_new
from reid_tui.using.pictures import fitted_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from reid_tui.data.dataset import IntArray
    from reid_tui.training.card import ModelCard
    from reid_tui.using.gallery import Gallery
    from reid_tui.using.listed import Pictures
    from reid_tui.using.model import Model

UNKNOWN: Final = -1
DISTRACTOR: Final = 0
ROLES: Final = {QUERY: "query", GALLERY: "gallery", QUERY + GALLERY: "both"}
LARGEST_SPRITE: Final = 8192
"""Pixels of a side that TensorBoard reads."""
ENDINGS: Final = (".npz", ".csv", ".tsv")
PROJECTOR: Final = "projector_config.pbtxt"


def planned(path: Path) -> tuple[Path, ...]:
    """The files that will be written for the path that a person named, that first."""
    if path.suffix != ".tsv":
        return (path,)
    return path, _beside(path, "metadata.tsv"), _beside(path, "sprite.png"), path.with_name(PROJECTOR)


def write(path: Path, gallery: Gallery, card: ModelCard) -> None:
    """Write embeddings with what is known of their pictures.

    Args:
        path: with one of the `ENDINGS`.
        gallery: what is written.
        card: of the network that embedded it.

    Raises:
        ReidTuiError: a file cannot be written.
    """
    _WRITERS[path.suffix](path, gallery, card)


def facts(model: Model, gallery: Gallery, files: Iterable[Path]) -> dict[str, Any]:
    """What was written, for JSON."""
    pictures = gallery.pictures
    return {
        "run": model.name,
        "step": model.step,
        "source": pictures.source,
        "pictures": len(pictures),
        "identities": len({identity for identity in pictures.identities if identity is not None}),
        "dimensions": model.card.embedding_dim,
        "files": list(map(str, files)),
    }


def _npz(path: Path, gallery: Gallery, _: ModelCard) -> None:
    pictures = gallery.pictures
    identities_N, identity_names = _labels(pictures)
    arrays: dict[str, np.ndarray] = {
        "embeddings": gallery.embeddings_ND,
        "identities": identities_N,
        "identity_names": np.array(identity_names, dtype=np.str_),
        "paths": np.array([pictures.full_name(place) for place in range(len(pictures))], dtype=np.str_),
    }
    if all(pictures.cameras):
        arrays["cameras"], names = _numbered(pictures.cameras)
        arrays["camera_names"] = np.array(names, dtype=np.str_)
    if pictures.roles_N.any():
        arrays["roles"] = np.array(_roles(pictures), dtype=np.str_)
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    write_new({path: content.getvalue()})


def _csv(path: Path, gallery: Gallery, _: ModelCard) -> None:
    pictures = gallery.pictures
    dimensions = gallery.embeddings_ND.shape[1]
    identities_N, _names = _labels(pictures)
    names = [cell(pictures.full_name(place)) for place in range(len(pictures))]
    heads = zip(names, identities_N.tolist(), pictures.cameras, _roles(pictures), strict=True)
    lines = [",".join(("path", "identity", "camera", "role", *(f"d{number}" for number in range(dimensions))))]
    for (name, identity, camera, role), values in zip(heads, _numbers(gallery, ","), strict=True):
        lines.append(f"{_quoted(name, str(identity), cell(camera), role)},{values}")
    write_new({path: _text(lines)})


def _quoted(*cells: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def _tsv(path: Path, gallery: Gallery, card: ModelCard) -> None:
    pictures = gallery.pictures
    names = [pictures.name(place) for place in range(len(pictures))]
    rows = [("picture", "identity", "camera"), *zip(names, pictures.identities, pictures.cameras, strict=True)]
    lines = ("\t".join(printable(text or "", 400) for text in row) for row in rows)
    height, width, sprite = _sprite(pictures, card)
    files = {name: json.dumps(_beside(path, name).name, ensure_ascii=False) for name in ("metadata.tsv", "sprite.png")}
    config = (
        f"embeddings {{\n  tensor_name: {json.dumps(path.stem, ensure_ascii=False)}\n"
        f"  tensor_path: {json.dumps(path.name, ensure_ascii=False)}\n  metadata_path: {files['metadata.tsv']}\n"
        f"  sprite {{\n    image_path: {files['sprite.png']}\n"
        f"    single_image_dim: {width}\n    single_image_dim: {height}\n  }}\n}}\n"
    )
    write_new(
        {
            path: _text(_numbers(gallery, "\t")),
            _beside(path, "metadata.tsv"): _text(lines),
            _beside(path, "sprite.png"): sprite,
            path.with_name(PROJECTOR): config.encode("utf-8", "replace"),
        }
    )


_WRITERS: Final[dict[str, Callable[[Path, Gallery, ModelCard], None]]] = dict(
    zip(ENDINGS, (_npz, _csv, _tsv), strict=True)
)


def _beside(path: Path, more: str) -> Path:
    return path.with_name(f"{path.stem}_{more}")


def _labels(pictures: Pictures) -> tuple[IntArray, list[str]]:
    """(N,) numbers, and the names that they count; the first name is that of distractors, which have none."""
    numbers_N, names = _numbered(pictures.identities)
    distractor_N = (numbers_N < 0) & (pictures.roles_N & GALLERY > 0)
    labels_N = np.where(numbers_N < 0, UNKNOWN, numbers_N + 1)
    labels_N[distractor_N] = DISTRACTOR
    return labels_N, ["", *names]


def _numbered(values: Sequence[str | None]) -> tuple[IntArray, list[str]]:
    """(N,) places in the sorted names, -1 where there is none."""
    names = sorted({value for value in values if value is not None})
    number: dict[str | None, int] = {None: -1, **{name: place for place, name in enumerate(names)}}
    return np.array([number[value] for value in values], dtype=np.int64), names


def _roles(pictures: Pictures) -> list[str]:
    return [ROLES.get(role, "") for role in pictures.roles_N.tolist()]


def _numbers(gallery: Gallery, delimiter: str) -> Iterable[str]:
    """A line for each picture, in as many digits as float32 has."""
    form = delimiter.join(["%.9g"] * gallery.embeddings_ND.shape[1])
    return (form % tuple(row) for row in gallery.embeddings_ND.tolist())


def _text(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _sprite(pictures: Pictures, card: ModelCard) -> tuple[int, int, bytes]:
    """Height and width of each picture, and all of them in a square, row by row, as PNG."""
    count = len(pictures)
    across = math.ceil(math.sqrt(count))
    height, width = (min(side, LARGEST_SPRITE // across) for side in (card.height, card.width))
    small = replace(card, channels=3, height=height, width=width)
    sheet = np.zeros((-(-count // across) * height, across * width, 3), dtype=np.uint8)
    for place in range(count):
        row, column = divmod(place, across)
        pixels = fitted_pixels(pictures.image(place, card), small).transpose(1, 2, 0)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = pixels
    content = io.BytesIO()
    Image.fromarray(sheet).save(content, "PNG")
    return height, width, content.getvalue()
