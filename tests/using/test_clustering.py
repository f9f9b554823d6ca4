"""Grouping: against slow obvious ways, within bounded memory, and into a table that `csv:` reads."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from reid_tui.config import GROUPINGS, DataOptions, GroupingName
from reid_tui.data import catalog
from reid_tui.errors import UsageError
from reid_tui.using import clustering, grouping
from reid_tui.using.clustering import Group, clustered, default_far
from reid_tui.using.comparing import judge
from reid_tui.using.gallery import open_gallery
from reid_tui.using.grouping import Groups
from reid_tui.using.model import Model
from tests.using.conftest import EACH, PEOPLE
from tests.using.places import by_hand, options, quiet


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))


def groups_of(points: np.ndarray, threshold: float, method: GroupingName) -> set[frozenset[int]]:
    found = clustered(points.astype(np.float32), threshold, method, quiet)
    return {frozenset(group.places_M.tolist()) for group in found}


def by_average(points: np.ndarray, threshold: float) -> set[frozenset[int]]:
    """Join the two groups that are nearest on average, as long as they are near enough."""
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    groups = [[number] for number in range(len(points))]
    while len(groups) > 1:
        apart, first, second = min(
            (distance[np.ix_(groups[a], groups[b])].mean(), a, b) for a in range(len(groups)) for b in range(a)
        )
        if apart > threshold:
            break
        groups[second] += groups.pop(first)
    return set(map(frozenset, groups))


def by_links(points: np.ndarray, threshold: float) -> set[frozenset[int]]:
    """Whoever can be reached by steps that are short enough."""
    near = np.linalg.norm(points[:, None] - points[None], axis=2) <= threshold
    for _ in points:
        near = near @ near
    return {frozenset(np.flatnonzero(row).tolist()) for row in near}


@pytest.mark.parametrize("threshold", [0.3, 0.8, 1.7])
def test_as_the_slow_ways(threshold: float) -> None:
    rng = np.random.default_rng(5)
    centres = rng.standard_normal((6, 4)) * 1.5
    points = (centres[rng.integers(0, 6, 48)] + rng.standard_normal((48, 4)) * 0.25).astype(np.float32)
    wide = points.astype(np.float64)
    assert groups_of(points, threshold, "average") == by_average(wide, threshold)
    assert groups_of(points, threshold, "dbscan") == by_links(wide, threshold)


@pytest.mark.parametrize("method", GROUPINGS)
def test_a_distance_that_is_just_the_threshold_is_the_same(method: GroupingName) -> None:
    line = np.array([[0.0], [1.0], [3.0]])
    assert groups_of(line, 1.0, method) == {frozenset({0, 1}), frozenset({2})}
    assert groups_of(line[:1], 1.0, method) == {frozenset({0})}


def test_the_largest_group_first_and_in_it_the_most_typical_picture() -> None:
    points = np.array([[9.0], [0.0], [1.0], [0.4], [9.1], [50.0]], np.float32)
    found = clustered(points, 2.0, "average", quiet)
    assert [group.places_M.tolist() for group in found] == [[3, 1, 2], [0, 4], [5]]
    pairs = [1.0, 0.4, 0.6]
    assert found[0].spread == pytest.approx(np.sqrt(np.mean(np.square(pairs))), rel=1e-6)
    assert found[2].spread == 0


def test_what_does_not_fit_in_memory_is_refused_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.zeros((30, 2), np.float32)
    monkeypatch.setattr(clustering, "MOST_AVERAGE", 29)
    monkeypatch.setattr(clustering, "MOST_NEIGHBOURS", 899)
    with pytest.raises(UsageError, match=r"30 pictures are too many .* take --method dbscan"):
        clustered(points, 1.0, "average", quiet)
    with pytest.raises(UsageError, match=r"more than 899 pairs .* ask for a lower --far"):
        clustered(points, 1.0, "dbscan", quiet)
    monkeypatch.setattr(clustering, "MOST_NEIGHBOURS", 900)
    monkeypatch.setattr(clustering, "_CHUNK_BYTES", 7 * 8 * 30)
    assert len(clustered(points, 1.0, "dbscan", quiet)) == 1


def test_the_rate_that_groups_best() -> None:
    fitted = by_hand(1.0, far_01=0.9, far_001=0.5, far_0001=0.2)
    assert (default_far(fitted, "average"), default_far(fitted, "dbscan")) == (0.01, 0.001)
    assert (default_far(by_hand(1.0, far_01=0.9), "average"), default_far(by_hand(1.0), "dbscan")) == (0.1, None)


def grouped(model: Model, place: object, groups: list[list[int]]) -> Groups:
    gallery = open_gallery(model, options(place), quiet, label="FOLDER", labelled=False)
    made = [Group(np.array(places), 0.5) for places in groups]
    return Groups(model, judge(by_hand(1.0), None), "average", gallery, made)


def printed(found: Groups, width: int, *, terminal: bool) -> list[str]:
    file = io.StringIO()
    grouping.print_on(Console(file=file, width=width, force_terminal=terminal, color_system=None), found)
    return file.getvalue().split("\n")


def test_the_table_is_read_again(trained_model: Model, people: Path, tmp_path: Path) -> None:
    each = [list(range(EACH * person, EACH * (person + 1))) for person in range(PEOPLE)]
    content, left_out = grouped(trained_model, people, each).as_csv()
    (tmp_path / "groups.csv").write_bytes(content)
    assert left_out == 0
    dataset = catalog.load(DataOptions(data=f"csv:{tmp_path / 'groups.csv'}", holdout="2"), quiet)
    assert {*dataset.train_identity_names, *dataset.identity_names} == {f"group-{n + 1}" for n in range(PEOPLE)}
    assert len(dataset.train) + len(dataset.test) == PEOPLE * EACH


def test_boxes_and_names_that_are_no_text(trained_model: Model, people: Path, tmp_path: Path) -> None:
    file = next(people.rglob("*.png"))
    (tmp_path / "in.csv").write_text(f'path,identity,box\n{file},a,"0,0,9,9"\n{file},b,"3,3,9,9"\n')
    content, _ = grouped(trained_model, tmp_path / "in.csv", [[0], [1]]).as_csv()
    assert content.decode().splitlines() == [
        "path,identity,box",
        f'{file},group-1,"0,0,9,9"',
        f'{file},group-2,"3,3,9,9"',
    ]
    (tmp_path / "odd").mkdir()
    for name in (b"\xff.png", b"a,\nb.png", b"plain.png"):
        shutil.copy(file, os.fsdecode(os.fsencode(tmp_path / "odd") + b"/" + name))
    content, left_out = grouped(trained_model, tmp_path / "odd", [[0, 1], [2]]).as_csv()
    assert left_out == 1
    (tmp_path / "groups.csv").write_bytes(content)
    dataset = open_gallery(trained_model, options(f"csv:{tmp_path / 'groups.csv'}"), quiet, label="X")
    assert [Path(path).name for path in dataset.pictures.paths] == ["a,\nb.png", "plain.png"]


def test_a_data_set_has_no_files_to_name(trained_model: Model, people: Path) -> None:
    found = grouped(trained_model, people, [[0]])
    object.__setattr__(found.gallery.pictures, "root", "")
    with pytest.raises(UsageError, match="leave -o out"):
        found.as_csv()


@pytest.mark.parametrize("width", [80, 120])
def test_what_a_person_sees(trained_model: Model, people: Path, width: int) -> None:
    count = PEOPLE * EACH
    found = grouped(trained_model, people, [list(range(20)), [20, 21], *([n] for n in range(22, count))])
    lines = printed(found, width, terminal=True)
    assert max(map(len, lines)) <= width
    assert lines[0] == "group-1: 20 pictures, spread 0.500"
    assert any(line.startswith(f"{count} pictures in 2 groups, {count - 22} alone") for line in lines)
    words = printed(found, 10_000, terminal=False)
    assert words[0].split() == ["identity", "pictures", "spread", "most", "typical", "pictures"]
    assert words[1].split()[:4] == ["group-1", "20", "0.500", "person-0/c1_0.png,"]
    whole = json.loads(json.dumps(found.as_object()))
    assert [group["size"] for group in whole["groups"]][:3] == [20, 2, 1]
    assert sum(len(group["pictures"]) for group in whole["groups"]) == count
