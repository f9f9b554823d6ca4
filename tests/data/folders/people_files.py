"""The generated pedestrians, or a few of them, as a person's own files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from reid_tui.data.dataset import Dataset, ImageSet


def put(path: Path, image: np.ndarray) -> None:
    """(C, H, W) as a picture that loses nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image.transpose(1, 2, 0) if len(image) == 3 else image[0]).save(path)


def numbered(data: Dataset) -> list[tuple[str, str, int, int, np.ndarray]]:
    """Part, identity, camera from 1, number within both, pixels: in the order of the set."""
    rows = []
    parts: tuple[tuple[str, ImageSet, tuple[str, ...]], ...] = (
        ("train", data.train, data.train_identity_names),
        ("test", data.test, data.identity_names),
    )
    for part, images, names in parts:
        assert images.cameras is not None
        seen: dict[tuple[int, int], int] = {}
        for place, key in enumerate(zip(images.identities.tolist(), images.cameras.tolist(), strict=True)):
            seen[key] = seen.get(key, -1) + 1
            rows.append((part, names[key[0]], key[1] + 1, seen[key], images.images[place]))
    return rows


def as_folder(data: Dataset, root: Path, *, split: bool = True) -> Path:
    """train/P001/c1_0.png, or without the part."""
    for part, name, camera, number, image in numbered(data):
        put(root / (part if split else "") / name / f"c{camera}_{number}.png", image)
    return root


def as_market(data: Dataset, root: Path) -> Path:
    """As Market-1501 names them; the first image of each person by each camera is a query."""
    for part, name, camera, number, image in numbered(data):
        folder = "bounding_box_train" if part == "train" else "bounding_box_test" if number else "query"
        put(root / folder / f"{int(name[1:]):04}_c{camera}s1_{number:06}_00.png", image)
    return root


def as_csv(data: Dataset, root: Path) -> Path:
    """One folder of pictures, and a table beside it."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / "people.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "identity", "camera", "split"])
        for row, (part, name, camera, _, image) in enumerate(numbered(data)):
            put(root / "images" / f"{row:05}.png", image)
            table.writerow([f"images/{row:05}.png", name, camera, part])
    return root / "people.csv"
