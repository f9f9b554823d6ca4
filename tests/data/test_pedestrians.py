from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from reid_tui.data.pedestrians.generate import pedestrians

if TYPE_CHECKING:
    from reid_tui.data.dataset import Dataset, ImageSet


def splits(people_set: Dataset) -> tuple[ImageSet, ImageSet]:
    return people_set.train, people_set.test


def test_sizes_and_names(people_set: Dataset) -> None:
    assert people_set.name == "pedestrians"
    for split, identities, names in zip(
        splits(people_set), (128, 64), (people_set.train_identity_names, people_set.identity_names), strict=True
    ):
        assert split.images.shape[1:] == (3, 64, 32)
        counts = np.bincount(split.identities)
        assert len(counts) == identities == len(names) == len(set(names))
        assert counts.min() >= 16


def test_test_identities_are_other_people(people_set: Dataset) -> None:
    assert people_set.unseen
    assert not set(people_set.identity_names) & set(people_set.train_identity_names)


def test_every_identity_is_seen_by_every_camera_alike(people_set: Dataset) -> None:
    for split in splits(people_set):
        assert split.cameras is not None
        table = np.zeros((split.identities.max() + 1, 4), dtype=int)
        np.add.at(table, (split.identities, split.cameras), 1)
        assert (table == table[0, 0]).all()
        assert table[0, 0] >= 4


@pytest.mark.slow
def test_set_is_the_same_every_time_whatever_the_state_of_chance(people_set: Dataset) -> None:
    state = np.random.get_state()
    np.random.seed(123)
    again = pedestrians("asked for")
    np.random.set_state(state)
    assert again.fingerprint == people_set.fingerprint
    for split, other in zip(splits(people_set), splits(again), strict=True):
        assert np.array_equal(split.images, other.images)
    assert again.source == "pedestrians, asked for"


def test_no_two_images_are_equal(people_set: Dataset) -> None:
    for split in splits(people_set):
        assert len({image.tobytes() for image in split.images}) == len(split)


def test_images_use_the_range_without_sticking_to_its_ends(people_set: Dataset) -> None:
    for split in splits(people_set):
        assert split.images.min() == 0
        assert split.images.max() == 255
        assert ((split.images == 0) | (split.images == 255)).mean() < 0.1


def test_cameras_see_in_different_light(people_set: Dataset) -> None:
    split = people_set.test
    assert split.cameras is not None
    colors = np.array([split.images[split.cameras == camera].mean(axis=(0, 2, 3)) for camera in range(4)])
    gaps = np.abs(colors[:, None] - colors[None]).max(axis=2)[~np.eye(4, dtype=bool)]
    assert gaps.min() > 10


def test_raw_pixels_do_not_solve_the_task_but_hold_what_solves_it(people_set: Dataset) -> None:
    split = people_set.test
    cameras = split.cameras
    assert cameras is not None
    pixels = split.images.reshape(len(split), -1).astype(np.float64)

    def rank1(points: np.ndarray) -> float:
        squares = (points**2).sum(axis=1)
        distances = squares[:, None] + squares - 2 * points @ points.T
        same = split.identities[:, None] == split.identities
        distances[same & (cameras[:, None] == cameras)] = np.inf
        return float((split.identities[distances.argmin(axis=1)] == split.identities).mean())

    clothes = np.concatenate(
        [np.median(split.images[:, :, top : top + 9, 13:19], axis=(2, 3)) for top in (16, 25, 34, 43)], axis=1
    )
    for camera in range(4):
        part = clothes[cameras == camera]
        clothes[cameras == camera] = (part - part.mean(axis=0)) / part.std(axis=0)
    assert rank1(pixels) < 0.3
    assert rank1(clothes) > 0.7
