from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from reid_tui.config import OPTIMIZERS, NetworkOptions
from reid_tui.errors import CheckpointError
from reid_tui.learning.networks import build_network
from reid_tui.learning.optimizers import STATE, build_optimizer, load_state, state_tensors

CPU = torch.device("cpu")


def small() -> nn.Sequential:
    """Two tensors of one shape, one of them without decay: an order that is not kept shows."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 144), nn.Linear(144, 2)
        )
    return layers.to(memory_format=torch.channels_last)


def build(name: str, model: nn.Module, weight_decay: float = 0.0) -> Optimizer:
    return build_optimizer(name, model.parameters(), 1e-2, weight_decay, CPU)


def train(model: nn.Module, optimizer: Optimizer, steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        images = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        model(images).square().mean().backward()
        optimizer.step()


def weights(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_adam_as_it_comes_is_the_tutorials_bit_for_bit() -> None:
    found = []
    for own in (True, False):
        model = build_network(NetworkOptions("tutorial", 2), 3, 16, 16, seed=0)
        plain = torch.optim.Adam(model.parameters(), lr=1e-2, fused=True)
        optimizer = build("adam", model) if own else plain
        assert len(optimizer.param_groups) == 1
        assert {k: v for k, v in optimizer.param_groups[0].items() if k != "params"} == {
            k: v for k, v in plain.param_groups[0].items() if k != "params"
        }
        images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
        for _ in range(3):
            optimizer.zero_grad()
            model(images).square().mean().backward()
            optimizer.step()
        found.append(weights(model))
        names = {f"adam.{i}.{k}": v[k] for i, v in optimizer.state_dict()["state"].items() for k in STATE["adam"]}
        tensors = state_tensors("adam", optimizer, list(model.parameters()))
        assert list(tensors) == list(names)
        assert all(torch.equal(tensors[name], names[name]) for name in names)
    assert same(*found)


def slow_sgd(model: nn.Module, weight_decay: float, steps: range) -> None:
    """Nesterov's momentum, written out."""
    velocity: dict[nn.Parameter, Tensor] = {}
    for step in steps:
        model.zero_grad()
        images = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        model(images).square().mean().backward()
        with torch.no_grad():
            for value in model.parameters():
                gradient = value.grad + (weight_decay * value if value.ndim > 1 else 0)
                velocity[value] = 0.9 * velocity[value] + gradient if value in velocity else gradient.clone()
                value -= 1e-2 * (gradient + 0.9 * velocity[value])


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_sgd_equals_the_slow_loop(weight_decay: float) -> None:
    mine, other = small(), small()
    train(mine, build("sgd", mine, weight_decay), range(5))
    slow_sgd(other, weight_decay, range(5))
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(mine.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_decay_spares_biases_and_norms(name: str) -> None:
    model = small()
    optimizer = build(name, model, 0.5)
    decayed = {id(value) for group in optimizer.param_groups if group["weight_decay"] for value in group["params"]}
    expected = {id(module.weight) for module in model if isinstance(module, nn.Conv2d | nn.Linear)}
    assert decayed == expected
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0, 0.5}
    assert all(group["fused"] for group in optimizer.param_groups)
    held = [value for group in optimizer.param_groups for value in group["params"]]
    assert len(held) == len(list(model.parameters()))


def test_adamw_without_a_decay_has_none() -> None:
    mine, adam = small(), small()
    train(mine, build("adamw", mine), range(3))
    train(adam, build("adam", adam), range(3))
    assert same(weights(mine), weights(adam))


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_continues_bit_for_bit_after_loading(name: str, weight_decay: float) -> None:
    model, other = small(), small()
    optimizer = build(name, model, weight_decay)
    train(model, optimizer, range(3))
    parameters = list(model.parameters())
    saved = {key: value.clone() for key, value in state_tensors(name, optimizer, parameters).items()}
    assert set(saved) == {f"{name}.{i}.{key}" for i in range(len(parameters)) for key in STATE[name]}
    other.load_state_dict(model.state_dict())
    resumed = build(name, other, weight_decay)
    load_state(name, resumed, list(other.parameters()), saved)
    train(model, optimizer, range(3, 6))
    train(other, resumed, range(3, 6))
    assert same(weights(model), weights(other))
    kernel = other[0].weight
    momentum = resumed.state[kernel][STATE[name][-1]]
    assert momentum.stride() == kernel.stride()


def test_names_do_not_depend_on_the_decay() -> None:
    model = small()
    parameters = list(model.parameters())
    optimizer = build("adamw", model, 0.1)
    train(model, optimizer, range(2))
    tensors = state_tensors("adamw", optimizer, parameters)
    for index, parameter in enumerate(parameters):
        assert torch.equal(tensors[f"adamw.{index}.exp_avg"], optimizer.state[parameter]["exp_avg"])
    without = build("adamw", model)
    load_state("adamw", without, parameters, tensors)
    for parameter in parameters:
        assert torch.equal(without.state[parameter]["exp_avg"], optimizer.state[parameter]["exp_avg"])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_before_the_first_step_there_is_no_state(name: str) -> None:
    model = small()
    optimizer, parameters = build(name, model), list(model.parameters())
    assert state_tensors(name, optimizer, parameters) == {}
    train(model, optimizer, range(1))
    load_state(name, optimizer, parameters, {"network.0.bias": torch.zeros(4)})
    assert state_tensors(name, optimizer, parameters) == {}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("fault", ["missing", "shape", "type"])
def test_what_does_not_fit_changes_nothing(name: str, fault: str) -> None:
    model = small()
    optimizer, parameters = build(name, model), list(model.parameters())
    train(model, optimizer, range(2))
    before = {key: value.clone() for key, value in state_tensors(name, optimizer, parameters).items()}
    damaged, broken = {key: value + 1 for key, value in before.items()}, f"{name}.3.{STATE[name][0]}"
    value = damaged.pop(broken)
    if fault != "missing":
        damaged[broken] = value[None] if fault == "shape" else value.double()
    with pytest.raises(CheckpointError, match=f"state {broken} is missing or does not fit; resume from an older"):
        load_state(name, optimizer, parameters, damaged)
    after = state_tensors(name, optimizer, parameters)
    assert all(torch.equal(after[key], before[key]) for key in before)


def test_the_state_of_another_optimiser_is_refused() -> None:
    model = small()
    optimizer, parameters = build("sgd", model), list(model.parameters())
    train(model, optimizer, range(1))
    saved = state_tensors("sgd", optimizer, parameters)
    with pytest.raises(CheckpointError, match="of --optimizer sgd, not adamw"):
        load_state("adamw", build("adamw", model), parameters, saved)


def test_what_is_not_trained_has_no_state() -> None:
    model = small()
    model[0].requires_grad_(requires_grad=False)
    optimizer, parameters = build("adam", model, 0.1), list(model.parameters())
    train(model, optimizer, range(2))
    saved = state_tensors("adam", optimizer, parameters)
    assert not any(key.startswith(("adam.0.", "adam.1.")) for key in saved)
    load_state("adam", optimizer, parameters, saved)
    assert list(state_tensors("adam", optimizer, parameters)) == list(saved)


def test_an_unknown_name_is_the_callers_fault() -> None:
    with pytest.raises(ValueError, match="lion"):
        build("lion", small())


STEP = """
import sys, torch
from reid_tui.config import OPTIMIZERS
from reid_tui.learning.optimizers import build_optimizer, load_state, state_tensors

for name in OPTIMIZERS:
    weight = torch.nn.Parameter(torch.ones(2, 2))
    optimizer = build_optimizer(name, [weight], 0.1, 0.1, torch.device("cpu"))
    weight.square().sum().backward()
    optimizer.step()
    assert not weight.equal(torch.ones(2, 2)) and weight.requires_grad
    optimizer.zero_grad()
    assert weight.grad is None
    load_state(name, optimizer, [weight], state_tensors(name, optimizer, [weight]))
assert "torch._dynamo" not in sys.modules
"""


@pytest.mark.slow
def test_no_step_imports_the_compiler() -> None:
    subprocess.run([sys.executable, "-c", STEP], check=True)
