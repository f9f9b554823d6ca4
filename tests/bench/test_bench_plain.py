"""The plain loop is the tutorial: its size, its pairs, its loss, and that it learns."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from reid_tui.bench import plain
from reid_tui.data.dataset import Dataset, ImageSet, fingerprint
from reid_tui.errors import OK, USAGE, DataError


def striped(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Two classes: bright rows at the top, bright rows at the bottom."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 2
    images = generator.integers(0, 60, (count, 28, 28)).astype(np.uint8)
    images[labels == 0, :8] += 180
    images[labels == 1, -8:] += 180
    return images, labels


def test_the_network_has_the_tutorials_parameters() -> None:
    assert sum(parameter.numel() for parameter in plain.PlainNetwork().parameters()) == 315_010


def test_the_loss_of_a_pair_by_hand() -> None:
    first, second = torch.zeros(3, 2), torch.tensor([[3.0, 4.0], [0.3, 0.4], [3.0, 4.0]])
    loss = plain.ContrastiveLoss(1.0)(first, second, torch.tensor([1.0, 0.0, 0.0]))
    assert float(loss) == pytest.approx((25 + 0.25 + 0) / 3, rel=1e-4)


def test_half_of_the_partners_show_the_same_class() -> None:
    images, labels = striped()
    images[:, 0, 0] = labels * 255  # the class can be read off a pixel
    pairs = plain.PairDataset(images, labels)
    assert len(pairs) == 400
    same = []
    for index in range(400):
        first, second, kind = pairs[index]
        assert first.shape == (1, 28, 28)
        assert first.dtype == torch.float32
        assert float(first[0, 0, 0]) == labels[index]
        assert (first[0, 0, 0] == second[0, 0, 0]) == bool(kind)
        same.append(float(kind))
    assert 0.4 < np.mean(same) < 0.6


@pytest.mark.slow
def test_it_learns() -> None:
    run = plain.train_plain(*striped(), steps=20)
    assert len(run.losses) == 20
    assert all(math.isfinite(loss) for loss in run.losses)
    assert np.mean(run.losses[-5:]) < 0.5 * np.mean(run.losses[:3])
    assert run.pairs_per_s == 0.0, "no pace before the warm-up is over"


def test_a_process_answers_with_its_pace(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    images, labels = striped(128)
    split = ImageSet(images[:, None], labels)
    dataset = Dataset("x", split, split, ("a", "b"), ("a", "b"), "test", unseen=False, fingerprint=fingerprint(split))
    monkeypatch.setattr(plain, "load", lambda *_: dataset)
    monkeypatch.setattr(plain, "WARM_UP_STEPS", 2)
    assert plain.main(["--data", "fashion-mnist", "--steps", "4"]) == OK
    answer = json.loads(capsys.readouterr().out)
    assert answer["pairs_per_s"] > 0
    assert len(answer["losses"]) == 4
    assert answer["device"]


def test_other_images_are_refused_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    split = ImageSet(np.zeros((4, 3, 64, 32), dtype=np.uint8), np.arange(4))
    dataset = Dataset("x", split, split, (), (), "test", unseen=True, fingerprint="")
    monkeypatch.setattr(plain, "load", lambda *_: dataset)
    assert plain.main([]) == USAGE
    assert "28x28" in capsys.readouterr().err

    def missing(*_: object) -> Dataset:
        raise DataError("no such data")

    monkeypatch.setattr(plain, "load", missing)
    assert plain.main([]) == USAGE
    assert capsys.readouterr().err == "no such data\n"
