"""k-reciprocal re-ranking against the paper word by word, set by set."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from reid_tui.evaluation import reranking
from reid_tui.evaluation.labels import DISTRACTOR, GALLERY, JUNK, QUERY, Labels
from reid_tui.evaluation.ranking import MAX_BYTES
from reid_tui.evaluation.reranking import Reranking
from reid_tui.evaluation.retrieval import query_scores, retrieval_scores


def slow_distances(points: np.ndarray, k1: int, k2: int, weight: float) -> np.ndarray:
    """All re-ranked distances of some images, by whole matrices and Python's sets."""
    count = len(points)
    squared = np.array([[math.dist(a, b) ** 2 for b in points] for a in points])
    largest = squared.max(axis=1, keepdims=True)
    near = squared / np.where(largest == 0, 1, largest)

    def order(i: int) -> list[int]:
        return sorted(range(count), key=lambda j: (j != i, np.float32(squared[i, j]), j))

    rank = [order(i) for i in range(count)]

    def mutual(i: int, k: int) -> set[int]:
        return {j for j in rank[i][: k + 1] if i in rank[j][: k + 1]}

    encoded = np.zeros((count, count))
    for i in range(count):
        own = mutual(i, k1)
        wide = set(own)
        for j in own:
            theirs = mutual(j, round(k1 / 2))
            if len(theirs & own) > 2 / 3 * len(theirs):
                wide |= theirs
        for j in wide:
            encoded[i, j] = math.exp(-near[i, j])
        encoded[i] /= encoded[i].sum()
    averaged = np.array([encoded[rank[i][:k2]].mean(axis=0) for i in range(count)])
    common = np.array([[np.minimum(a, b).sum() for b in averaged] for a in averaged])
    return weight * near + (1 - weight) * (1 - common / (2 - common))


def clouds(images: int, identities: int, dim: int, seed: int) -> tuple[Tensor, np.ndarray]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(identities, (images,), generator=generator)
    centres = torch.randn(identities, dim, generator=generator)
    return centres[labels] + torch.randn(images, dim, generator=generator), labels.numpy()


def fast_distances(points: Tensor, labels: Labels, **settings: float) -> np.ndarray:
    gallery = torch.from_numpy(labels.gallery)
    return Reranking(points, labels, **settings)(torch.from_numpy(labels.queries), gallery).numpy()


@pytest.mark.parametrize(
    ("images", "k1", "k2", "weight"),
    [(150, 20, 6, 0.3), (90, 7, 1, 0.0), (60, 3, 4, 1.0), (12, 20, 30, 0.5), (1, 2, 1, 0.3)],
)
def test_equals_the_paper_word_by_word(images: int, k1: int, k2: int, weight: float) -> None:
    points, identities = clouds(images, 9, 4, seed=images)
    expected = slow_distances(points.double().numpy(), k1, k2, weight)
    found = fast_distances(points, Labels(identities), k1=k1, k2=k2, weight=weight)
    assert found == pytest.approx(expected, abs=1e-6)


def test_equals_it_where_most_distances_are_equal() -> None:
    points = torch.from_numpy(np.random.default_rng(2).integers(0, 3, (80, 2)).astype(np.float32)) + 100
    expected = slow_distances(points.double().numpy(), 6, 3, 0.3)
    assert fast_distances(points, Labels(np.zeros(80, np.int64)), k1=6, k2=3) == pytest.approx(expected, abs=1e-6)


def all_kinds(images: int = 140) -> tuple[Tensor, Labels]:
    points, identities = clouds(images, 12, 4, seed=5)
    identities = np.where(identities == 10, JUNK, np.where(identities == 11, DISTRACTOR, identities))
    generator = np.random.default_rng(1)
    roles = generator.choice([QUERY, GALLERY, QUERY + GALLERY], images).astype(np.int8)
    return points, Labels(identities, generator.integers(0, 3, images), roles)


def test_junk_takes_no_part_and_distractors_do() -> None:
    points, labels = all_kinds()
    part = np.union1d(labels.queries, labels.gallery)
    assert set(np.unique(labels.identities_N[part])) == {DISTRACTOR, *range(10)}
    expected = slow_distances(points[part].double().numpy(), 20, 6, 0.3)
    queries, gallery = np.searchsorted(part, labels.queries), np.searchsorted(part, labels.gallery)
    assert fast_distances(points, labels) == pytest.approx(expected[np.ix_(queries, gallery)], abs=1e-6)


def test_chunks_and_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    points, labels = all_kinds()
    whole = query_scores(points, labels, distances=Reranking(points, labels))
    monkeypatch.setattr(reranking, "ROWS", 9)
    monkeypatch.setattr(reranking, "BLOCK_BYTES", 200)
    parts = query_scores(points, labels, distances=Reranking(points, labels), max_bytes=MAX_BYTES // 8000)
    assert np.array_equal(whole.precision_Q, parts.precision_Q)
    assert np.array_equal(whole.first_Q, parts.first_Q)


def test_the_galleries_are_those_of_every_ranking() -> None:
    points, labels = all_kinds()
    plain, again = query_scores(points, labels), query_scores(points, labels, distances=Reranking(points, labels))
    assert np.array_equal(plain.identities_Q, again.identities_Q)
    one, other = retrieval_scores(plain, labels), retrieval_scores(again, labels)
    assert (one.protocol, one.queries, one.gallery) == (other.protocol, other.queries, other.gallery)
    assert one.map != other.map


def test_it_finds_more_where_neighbours_are_of_one_identity() -> None:
    generator = torch.Generator().manual_seed(1)
    centres = torch.randn(20, 8, generator=generator).repeat_interleave(15, 0)
    points = centres + 0.7 * torch.randn(300, 8, generator=generator)
    labels = Labels(np.repeat(np.arange(20), 15))
    plain = retrieval_scores(query_scores(points, labels), labels)
    again = retrieval_scores(query_scores(points, labels, distances=Reranking(points, labels)), labels)
    assert again.map > plain.map + 0.05


def test_a_collapsed_network_is_not_flattered() -> None:
    labels = Labels(np.random.default_rng(0).permutation(np.arange(200) // 2))
    points = torch.full((200, 8), 0.3)
    assert retrieval_scores(query_scores(points, labels, distances=Reranking(points, labels)), labels).map < 0.05


def test_what_go_on_raises_ends_the_work() -> None:
    points, labels = all_kinds()

    def go_on() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        Reranking(points, labels, go_on=go_on)
