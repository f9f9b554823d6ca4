from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from reid_tui.errors import DataError, RunError, UsageError
from reid_tui.using import comparing, pair_grid
from reid_tui.using.comparing import all_distances, judge, pair, pair_distances, points
from reid_tui.using.model import silent
from reid_tui.using.pair_grid import check_size, grid, side
from tests.using.shades import FITTED, Shades, shade, shades_model


def test_the_equal_error_unless_a_rate_is_asked_for() -> None:
    assert judge(FITTED, None, 0.5).point.threshold == 10
    assert judge(FITTED, 0.1, 0.5).point.threshold == 20
    assert judge(FITTED, 0.01, 0.5).same(np.array([5.0, 5.001])).tolist() == [True, False]


def test_a_rate_that_was_not_fitted_is_told_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"--far 0\.001: the 4,000 different pairs support 0\.1, 0\.01; name one"):
        judge(FITTED, 0.001, 0.5)
    only = replace(FITTED, points=FITTED.points[:1])
    with pytest.raises(UsageError, match="support none; leave --far out"):
        judge(only, 0.01, 0.5)


def test_a_prior_shifts_the_probability() -> None:
    at = np.array([10.0])
    assert judge(FITTED, None, 0.5).probability(at)[0] == pytest.approx(0.5)
    assert judge(FITTED, None, 0.01).probability(at)[0] == pytest.approx(0.01)


def test_each_picture_is_embedded_once_whatever_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "_BATCH", 3)
    network = Shades()
    values = [7, 9, 7, 9, 30, 7, 41, 30]
    paths = [shade(tmp_path / f"{number}.png", value) for number, value in enumerate(values)]
    found = points([*paths, *paths[::-1]], shades_model(network), silent)
    assert sum(network.batches) == 4
    assert found.embeddings_ND[found.rows(paths), 0].tolist() == values


def test_what_cannot_be_read_is_told_and_the_others_are_embedded(tmp_path: Path) -> None:
    good, bad = shade(tmp_path / "a.png", 5), str(tmp_path / "b.png")
    Path(bad).write_bytes(b"no picture")
    found = points([bad, good, str(tmp_path / "gone.png")], shades_model(), silent)
    assert found.row_of == {good: 0}
    assert list(found.unreadable) == [bad, str(tmp_path / "gone.png")]
    assert "b.png cannot be used: no picture of a known format" in found.unreadable[bad]


def test_an_embedding_that_is_not_finite_names_the_picture(tmp_path: Path) -> None:
    class Ruined(Shades):
        def __call__(self, images_NCHW: np.ndarray) -> np.ndarray:
            return np.where(super().__call__(images_NCHW) > 100, np.nan, 1).astype(np.float32)

    dark, light = shade(tmp_path / "dark.png", 5), shade(tmp_path / "light.png", 200)
    for compared in (lambda: pair(dark, light, shades_model(Ruined())),
                     lambda: points([dark, light], shades_model(Ruined()), silent)):  # fmt: skip
        with pytest.raises(RunError, match=r"light\.png .*not finite"):
            compared()


def test_two_pictures(tmp_path: Path) -> None:
    a, b, again = (shade(tmp_path / f"{name}.png", value) for name, value in (("a", 5), ("b", 17), ("c", 5)))
    assert (pair(a, b, shades_model()).distance, pair(a, b, shades_model()).very_same) == (12, False)
    assert (pair(a, again, shades_model()).distance, pair(a, again, shades_model()).very_same) == (0, True)


def test_distances_equal_those_of_a_loop_in_blocks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(7, 5)), rng.normal(size=(4, 5)) + 100
    slow = [[np.sqrt(((a - b) ** 2).sum()) for b in second] for a in first]
    monkeypatch.setattr(comparing, "_BLOCK", 9)
    np.testing.assert_allclose(all_distances(first, second), slow, rtol=1e-9)
    np.testing.assert_allclose(pair_distances(first[:4], second), np.diagonal(slow), rtol=1e-12)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Two people of two pictures each, one of whose pictures lies there twice, and one outside all folders."""
    for name, value in (("ann/1", 10), ("ann/2", 14), ("bob/1", 100), ("bob/2", 110), ("bob/3", 100), ("loose", 12)):
        shade(tmp_path / "in" / f"{name}.png", value)
    return tmp_path / "in"


def test_within_a_folder_each_two_pictures_are_a_pair_once(folders: Path) -> None:
    one = side(str(folders), silent)
    assert one.names == ("ann/1.png", "ann/2.png", "bob/1.png", "bob/2.png", "bob/3.png", "loose.png")
    found = grid(one, None, points(one.paths, shades_model(), silent))
    assert (found.count, found.very_same, found.accepted(10)) == (14, 1, 5)
    means = found.folder_means()
    assert means.first == means.second == ("ann", "bob", str(folders))
    assert means.count_HK.tolist() == [[1, 6, 2], [6, 2, 3], [2, 3, 0]]
    np.testing.assert_allclose(means.mean_HK[0], [4, (90 + 100 + 90 + 86 + 96 + 86) / 6, 2])
    assert np.isnan(means.mean_HK[2, 2])
    slow = [abs(a - b) for a, b in combinations((10, 14, 100, 110, 100, 12), 2) if a != b]
    assert found.mean == pytest.approx(np.mean(slow))


def test_between_folders_a_picture_in_both_does_not_count(folders: Path) -> None:
    first, second = side(str(folders / "ann"), silent), side(str(folders), silent)
    found = grid(first, second, points((*first.paths, *second.paths), shades_model(), silent))
    assert found.distances_QG.shape == (2, 6)
    assert (found.count, found.very_same) == (10, 2)
    assert found.folder_means().first == (str(folders / "ann"),)


def test_a_picture_beside_a_folder_of_nothing_but_itself(folders: Path) -> None:
    (folders / "bob" / "2.png").unlink()
    first, second = side(str(folders / "bob" / "1.png"), silent), side(str(folders / "bob"), silent)
    found = grid(first, second, points((*first.paths, *second.paths), shades_model(), silent))
    assert (found.count, found.very_same, found.mean) == (0, 2, 0)


def test_a_folder_without_pictures_or_with_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no picture"):
        side(str(tmp_path), silent)
    shade(tmp_path / "1.png", 3)
    one = side(str(tmp_path), silent)
    with pytest.raises(DataError, match="holds one picture"):
        grid(one, None, points(one.paths, shades_model(), silent))
    (tmp_path / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"no picture can be read; .*1\.png cannot be used: empty file"):
        grid(one, None, points(one.paths, shades_model(), silent))


def test_more_pairs_than_memory_holds_are_refused(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_grid, "MOST_PAIRS", 35)
    one = side(str(folders), silent)
    with pytest.raises(DataError, match="6 pictures and 6 pictures make 36 pairs, and at most 35"):
        check_size(one, one)
