"""Embedding leaves no trace and keeps the order."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from reid_tui.evaluation.embed import embed


class Recorder(nn.Module):
    """Batch statistics and dropout, so that the mode shows; keeps the sizes of its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12), nn.Dropout(0.5), nn.Linear(12, 3))
        self.layers[1].eval()
        self.sizes: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.sizes.append(len(images))
        embedding: Tensor = self.layers(images)
        return embedding


def to_float(images: Tensor) -> Tensor:
    return images.float() / 255


@pytest.fixture
def images() -> Tensor:
    return torch.randint(0, 256, (10, 3, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_batches_give_what_one_forward_gives(images: Tensor) -> None:
    model = Recorder()
    embeddings = embed(model, images, batch=4, prepare=to_float)
    assert model.sizes == [4, 4, 2]
    assert embeddings.dtype == torch.float32
    assert not embeddings.requires_grad
    model.eval()
    torch.testing.assert_close(embeddings, model(to_float(images)).detach())


def test_every_mode_comes_back_also_after_an_error(images: Tensor) -> None:
    model = Recorder()
    modes = [module.training for module in model.modules()]
    assert {True, False} == set(modes)
    embed(model, images, prepare=to_float)
    assert [module.training for module in model.modules()] == modes
    with pytest.raises(RuntimeError):
        embed(model, images[:, :1], prepare=to_float)
    assert [module.training for module in model.modules()] == modes
    assert torch.is_grad_enabled()


def test_half_precision_comes_back_as_float(images: Tensor) -> None:
    model = Recorder().to(torch.bfloat16)
    assert embed(model, images, prepare=lambda part: part.to(torch.bfloat16) / 255).dtype == torch.float32


def test_no_images_are_no_embeddings(images: Tensor) -> None:
    assert embed(Recorder(), images[:0], prepare=to_float).shape == (0, 3)
