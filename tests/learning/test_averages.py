from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from reid_tui.errors import CheckpointError
from reid_tui.learning.averages import WeightAverage


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 2))
    return layers.to(memory_format=torch.channels_last)


def train(model: nn.Module, averages: list[WeightAverage], steps: range) -> list[dict[str, Tensor]]:
    """Some steps of a real training; the network's numbers after each."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    course = []
    for step in steps:
        optimizer.zero_grad()
        images = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        model(images).square().mean().backward()
        optimizer.step()
        for average in averages:
            average.update(average.share(step))
        course.append({name: value.clone() for name, value in model.state_dict().items()})
    return course


@pytest.mark.parametrize("decay", [0.0, 0.6, 0.99])
def test_equals_the_slow_loop(decay: float) -> None:
    model = network()
    expected = {name: value.double() for name, value in model.state_dict().items()}
    average = WeightAverage(model, decay)
    for step, numbers in enumerate(train(model, [average], range(1, 31)), start=1):
        kept = min(decay, (1 + step) / (10 + step))
        for name, value in numbers.items():
            expected[name] = kept * expected[name] + (1 - kept) * value.double()
    for name, value in average.network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            assert value == 30
        else:
            assert torch.allclose(value.double(), expected[name], rtol=1e-5, atol=1e-6), name


def test_continues_bit_for_bit_after_restore() -> None:
    model = network()
    whole = WeightAverage(model, 0.9)
    train(model, [whole], range(1, 6))
    saved = {name: value.clone() for name, value in (whole.tensors() | {"network.x": torch.zeros(1)}).items()}
    resumed = WeightAverage(model, 0.9)
    resumed.restore(saved)
    train(model, [whole, resumed], range(6, 12))
    for name, value in whole.tensors().items():
        assert name.startswith("average.")
        assert value.is_contiguous()
        assert torch.equal(value, resumed.tensors()[name]), name


def test_the_averaged_network_is_apart_from_the_one_in_training() -> None:
    model = network()
    average = WeightAverage(model, 0.9)
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(9))
    before, storages = average.network(images), [value.data_ptr() for value in average.network.parameters()]
    course = train(model, [], range(1, 3))
    assert torch.equal(average.network(images), before)
    average.update(average.share(2))
    assert not torch.equal(average.network(images), before)
    assert [value.data_ptr() for value in average.network.parameters()] == storages
    assert all(torch.equal(value, course[-1][name]) for name, value in model.state_dict().items())
    assert not any(module.training for module in average.network.modules())
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    assert model.training
    assert average.network[0].weight.is_contiguous(memory_format=torch.channels_last)


def damaged(name: str) -> dict[str, Tensor]:
    tensors = WeightAverage(network(), 0.9).tensors()
    match name:
        case "missing":
            del tensors["average.3.bias"]
        case "too many":
            tensors["average.9.bias"] = torch.zeros(1)
        case "shape":
            tensors["average.3.bias"] = torch.zeros(3)
        case "type":
            tensors["average.3.bias"] = torch.zeros(2, dtype=torch.float64)
    return tensors


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", r"average is of another network: 3.bias is no such tensor there and \(2,\) torch.float32 here"),
        ("too many", r"9.bias is \(1,\) torch.float32 there and no such tensor here"),
        ("shape", r"3.bias is \(3,\) torch.float32 there"),
        ("type", r"3.bias is \(2,\) torch.float64 there"),
    ],
)
def test_what_does_not_fit_changes_nothing(name: str, message: str) -> None:
    average = WeightAverage(network(), 0.9)
    for value in average.network.parameters():
        value.zero_()
    with pytest.raises(CheckpointError, match=message):
        average.restore(damaged(name))
    assert not any(value.any() for value in average.network.parameters())


def test_a_checkpoint_without_an_average() -> None:
    with pytest.raises(CheckpointError, match="no average of the weights; resume without --average-weights"):
        WeightAverage(network(), 0.9).restore({"network.3.bias": torch.zeros(2)})
