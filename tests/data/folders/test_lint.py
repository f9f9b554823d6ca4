from __future__ import annotations

import numpy as np

from reid_tui.data.findings import Finding, sentence
from reid_tui.data.folders.lint import lint
from reid_tui.data.pool import TRAIN, UNDIVIDED, Pool, digests
from reid_tui.data.split import divided
from reid_tui.evaluation.labels import DISTRACTOR, GALLERY, QUERY

BOTH = QUERY + GALLERY


def pool(
    identities: list[int],
    *,
    roles: list[int] | None = None,
    cameras: list[int] | None = None,
    same: tuple[tuple[int, int], ...] = (),
) -> Pool:
    """All pictures differ but for those named as the same."""
    values = np.arange(len(identities), dtype=np.int64)
    for first, second in same:
        values[second] = values[first]
    images = values[:, None].view(np.uint8).reshape(-1, 1, 2, 4)
    return Pool(
        name="x",
        spec="folder:/x",
        source="a folder",
        images=np.ascontiguousarray(images),
        rows=np.arange(len(identities)),
        digests=digests(images),
        identities=np.array(identities, np.int64),
        names=tuple(f"n{label:05}" for label in range(max(identities) + 1)),
        cameras=None if cameras is None else np.array(cameras, np.int64),
        camera_names=("a", "b", "c"),
        roles=np.array(roles or [UNDIVIDED] * len(identities), np.int8),
        paths=[f"{place}.png" for place in range(len(identities))],
        image_size="2x4",
    )


def found(one: Pool) -> dict[str, Finding]:
    return {finding.code: finding for finding in lint(one, divided(one, None))}


def people(count: int, each: int = 4) -> list[int]:
    return [label for label in range(count) for _ in range(each)]


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert found(pool(people(20), cameras=[0, 1, 0, 1] * 20)) == {}


def test_identities_with_one_image_are_counted_and_the_first_three_named() -> None:
    finding = found(pool([*people(10), 10, 11, 12, 13]))["single_image"]
    assert finding.count == 4
    assert finding.examples == ("n00010", "n00011", "n00012")
    assert sentence(finding).startswith("4 training identities have one image")


def test_one_camera() -> None:
    assert found(pool(people(10), cameras=[1] * 40))["one_camera"].examples == ("b",)


def test_the_same_picture_in_train_and_test() -> None:
    roles = [TRAIN] * 20 + [BOTH] * 20
    finding = found(pool(people(10), roles=roles, same=((3, 3 + 20), (4, 25), (4, 5))))["same_in_train_and_test"]
    assert finding.count == 2
    assert finding.grave
    assert set(finding.examples) == {"3.png = 23.png", "4.png = 25.png"}


def test_the_same_picture_under_two_identities() -> None:
    finding = found(pool(people(10), same=((0, 1), (5, 9))))["same_under_two_identities"]
    assert finding.count == 1
    assert finding.examples == ("5.png = 9.png",)


def test_distractors_are_nobody_twice() -> None:
    identities = [*people(8), DISTRACTOR, DISTRACTOR]
    one = pool(identities, roles=[TRAIN] * 16 + [BOTH] * 16 + [GALLERY] * 2, same=((32, 33),))
    assert found(one) == {}


def test_queries_that_nobody_can_answer() -> None:
    identities = [*people(4), 4, 4, 5, 5, 6]
    cameras = [*[0, 1, 0, 1] * 4, 0, 0, 0, 1, 0]
    finding = found(pool(identities, roles=[TRAIN] * 16 + [BOTH] * 5, cameras=cameras))["query_without_match"]
    assert finding.count == 3
    assert finding.examples == ("n00004", "n00006")
    assert finding.grave, "three of five"
