"""One hash over weights and optimiser state: equal for equal bits, another for anything else."""

from __future__ import annotations

import torch

from reid_tui.training.checkpoint import weights_sha256

WEIGHTS = {"network.b": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "adam.0.step": torch.tensor(3.0)}


def test_equal_bits_in_any_order_and_whatever_the_map_looked_like() -> None:
    same = {name: value.clone() for name, value in reversed(WEIGHTS.items())}
    assert weights_sha256(same) == weights_sha256(WEIGHTS)
    assert weights_sha256({**WEIGHTS, "projection.mean": torch.ones(2)}) == weights_sha256(WEIGHTS)


def test_anything_else_gives_another() -> None:
    b, step = WEIGHTS["network.b"], WEIGHTS["adam.0.step"]
    others = [
        {"network.b": b},
        {"network.c": b, "adam.0.step": step},
        {"network.b": b.reshape(4), "adam.0.step": step},
        {"network.b": b.double(), "adam.0.step": step},
        {"network.b": b.view(torch.int32), "adam.0.step": step},
        {"network.b": b.nextafter(torch.tensor(9.0)), "adam.0.step": step},
        {"network.b": b, "adam.0.step": step + 1},
        {"network.b": b, "adam.0.step": step.bfloat16()},
        {"network.b": torch.zeros(0), "adam.0.step": step},
    ]
    assert len({weights_sha256(other) for other in [WEIGHTS, *others]}) == len(others) + 1
