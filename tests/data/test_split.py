from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reid_tui.data.dataset import Dataset, ImageSet
from reid_tui.data.pool import TRAIN, UNDIVIDED, VALIDATION, Pool, digests, pooled
from reid_tui.data.split import divided
from reid_tui.errors import DataError
from reid_tui.evaluation.labels import DISTRACTOR, GALLERY, QUERY

BOTH = QUERY + GALLERY


def pool(identities: list[int], roles: list[int] | None = None, cameras: list[int] | None = None) -> Pool:
    """One pixel an image, all different; names are such that their order is that of the labels."""
    count = len(identities)
    images = np.arange(count, dtype=np.int64)[:, None].view(np.uint8).reshape(count, 1, 2, 4)
    return Pool(
        name="x",
        spec="folder:/x",
        source="a folder",
        images=np.ascontiguousarray(images),
        rows=np.arange(count),
        digests=digests(images),
        identities=np.array(identities, np.int64),
        names=tuple(f"n{label:05}" for label in range(max(identities) + 1)),
        cameras=None if cameras is None else np.array(cameras, np.int64),
        camera_names=("a", "b", "c"),
        roles=np.array(roles or [UNDIVIDED] * count, np.int8),
        paths=[f"{place}.png" for place in range(count)],
        image_size="2x4",
    )


def people(count: int, each: int = 4) -> list[int]:
    return [label for label in range(count) for _ in range(each)]


def shown(split: ImageSet | None, names: tuple[str, ...]) -> set[str]:
    return set() if split is None else {names[label] for label in split.identities if label >= 0}


def sides(data: Dataset) -> tuple[set[str], set[str], set[str], set[str]]:
    """Identities of training, test, seen and validation."""
    return (
        shown(data.train, data.train_identity_names),
        *(shown(split, data.identity_names) for split in (data.test, data.seen, data.validation)),
    )


def test_without_a_split_a_fifth_is_tested_and_a_tenth_of_the_rest_chooses() -> None:
    data = divided(pool(people(50)), None)
    train, test, seen, validation = sides(data)
    assert (len(train), len(test), len(seen), len(validation)) == (36, 10, 0, 4)
    assert not train & test
    assert not train & validation
    assert not test & validation
    assert data.unseen
    assert set(data.held_out) == test
    assert set(data.validating) == validation
    assert len(data.train) == 4 * 36
    assert data.train.roles is data.test.roles is None


@pytest.mark.parametrize(("asked", "held"), [("7", 7), ("0.3", 15), ("2", 2), ("48", 48)])
def test_as_many_are_held_out_as_asked_for(asked: str, held: int) -> None:
    assert len(divided(pool(people(50)), asked).held_out) == held


@given(st.integers(8, 60), st.integers(0, 59))
def test_one_more_identity_moves_nobody_to_the_other_side(count: int, removed: int) -> None:
    labels = people(count)
    fewer = [label for label in labels if label != removed % count]
    before, after = divided(pool(fewer), "3"), divided(pool(labels), "3")
    new = f"n{removed % count:05}"
    assert len(set(before.held_out) - set(after.held_out)) <= 1
    assert set(after.held_out) - set(before.held_out) <= {new}


def test_who_has_one_image_is_not_held_out() -> None:
    labels = [*people(6), *range(6, 40)]
    data = divided(pool(labels), "5")
    assert all(int(name[1:]) < 6 for name in data.held_out)


@pytest.mark.parametrize(
    ("identities", "holdout", "words"),
    [
        (people(1), None, "1 identity only"),
        (people(10), "1", "keeps 1 of 10 identities"),
        (people(10), "9", "keeps 9 of 10 identities"),
        (people(10), "0.05", "keeps 0 of 10 identities"),
        (people(3), "0.5", "keeps 2 of 3 identities"),
        (list(range(10)), None, "two images or more"),
        ([0, 0, 0, 1, 1, 1, 2], None, "too few images to test with"),
    ],
)
def test_a_side_of_fewer_than_two_is_refused(identities: list[int], holdout: str | None, words: str) -> None:
    with pytest.raises(DataError, match=words) as refused:
        divided(pool(identities), holdout)
    assert "\n" not in str(refused.value)


def test_of_three_identities_a_fifth_of_the_images_is_tested() -> None:
    data = divided(pool(people(3, 20)), None)
    assert not data.unseen
    assert Counter(data.test.identities.tolist()) == {0: 4, 1: 4, 2: 4}
    assert data.train_identity_names == data.identity_names
    assert not set(data.train.rows.tolist()) & set(data.test.rows.tolist())  # type: ignore[union-attr]


def test_a_small_source_keeps_all_others_for_training() -> None:
    data = divided(pool(people(7)), None)
    assert data.validation is None
    assert len(data.train_identity_names) == 5
    assert [finding.code for finding in data.findings] == ["no_validation"]


MARKET = [0, 0, 1, 1, 2, 2, 2, 3, 3, 3, DISTRACTOR]
MARKET_ROLES = [TRAIN] * 4 + [QUERY, GALLERY, GALLERY, QUERY, GALLERY, GALLERY, GALLERY]


def test_a_split_of_its_own_stands() -> None:
    data = divided(pool(MARKET, MARKET_ROLES, [0, 1, 0, 1, 0, 1, 2, 0, 1, 2, 1]), None)
    assert data.unseen
    assert data.validation is data.seen is None
    assert data.train.identities.tolist() == [0, 0, 1, 1]
    assert data.test.identities.tolist() == [0, 0, 0, 1, 1, 1, DISTRACTOR]
    assert data.identity_names == ("n00002", "n00003")
    assert data.test.roles is not None
    assert data.test.roles.tolist() == MARKET_ROLES[4:]
    assert data.held_out == ()


def test_identities_in_both_are_told_apart_from_those_never_seen() -> None:
    labels = [*people(4, 2), *people(6, 2)]
    data = divided(pool(labels, [TRAIN] * 8 + [BOTH] * 12), None)
    train, test, seen, validation = sides(data)
    assert test == {"n00004", "n00005"}
    assert seen == train == {f"n{label:05}" for label in range(4)}
    assert validation == set()
    assert data.unseen


def test_where_all_identities_are_in_both_the_split_is_named_test() -> None:
    data = divided(pool([*people(4), *people(4)], [TRAIN] * 16 + [BOTH] * 16), None)
    assert not data.unseen
    assert data.seen is None
    assert data.train_identity_names == data.identity_names


def test_holding_out_of_a_split_with_the_same_identities_makes_unseen_and_seen() -> None:
    data = divided(pool([*people(20), *people(20)], [TRAIN] * 80 + [BOTH] * 80), "5")
    train, test, seen, validation = sides(data)
    assert (len(train), len(test), len(seen), len(validation)) == (13, 5, 13, 2)
    assert set(data.held_out) == test
    assert seen == train
    assert not validation & (train | test)


def test_holding_out_of_a_split_with_other_identities_chooses_the_checkpoint() -> None:
    labels = people(40)
    data = divided(pool(labels, [TRAIN if label < 30 else BOTH for label in labels]), "0.2")
    train, test, seen, validation = sides(data)
    assert (len(train), len(test), len(seen), len(validation)) == (24, 10, 0, 6)
    assert set(data.held_out) == set(data.validating) == validation


def test_a_validation_part_of_its_own_chooses() -> None:
    labels = people(9)
    roles = [TRAIN if label < 4 else VALIDATION if label < 6 else BOTH for label in labels]
    train, test, _, validation = sides(divided(pool(labels, roles), None))
    assert (len(train), len(test), len(validation)) == (4, 3, 2)


@pytest.mark.parametrize("roles", [[TRAIN] * 40, [BOTH] * 40])
def test_half_a_split_is_refused(roles: list[int]) -> None:
    with pytest.raises(DataError, match="it has a split, but no"):
        divided(pool(people(10), roles), None)


def test_one_camera_is_no_camera() -> None:
    assert divided(pool(people(10), cameras=[1] * 40), None).test.cameras is None


def test_fingerprint_knows_pixels_labels_and_parts() -> None:
    base = pool(people(12))
    first = divided(base, None).fingerprint
    assert divided(base, None).fingerprint == first
    assert divided(base, "4").fingerprint != first
    other = base.digests.copy()
    other[5, 3] ^= 1
    assert divided(replace(base, digests=other), None).fingerprint != first
    assert divided(replace(base, cameras=np.tile(np.arange(2), 24)), None).fingerprint != first


def test_a_named_set_can_be_divided_again(people_set: Dataset) -> None:
    data = divided(pooled(people_set), "28")
    train, test, _, validation = sides(data)
    assert test == set(people_set.identity_names)
    assert len(train) == 100
    assert validation == set(people_set.train_identity_names) - train
    place = data.train.take(np.array([0]))
    assert (place == people_set.train.images[data.train.rows[:1]]).all()  # type: ignore[index]


def test_labels_of_the_test_come_first() -> None:
    data = divided(pool(people(50)), None)
    assert data.validation is not None
    assert sorted(set(data.test.identities.tolist())) == list(range(10))
    assert sorted(set(data.validation.identities.tolist())) == list(range(10, 14))
