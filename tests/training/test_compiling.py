"""`--compile`: refused where no compiler works, left off where it does not pay, of the same values where it does."""

from __future__ import annotations

import dataclasses
import functools
import shutil
from collections.abc import Callable
from typing import Any

import pytest
import torch

from reid_tui.config import RunConfig, RunOptions, resolve
from reid_tui.data.dataset import Dataset
from reid_tui.errors import UsageError
from reid_tui.training.compiling import compiled_where_it_pays
from reid_tui.training.learner import Learner
from reid_tui.training.steps.compiled import CompiledCosts
from reid_tui.training.steps.eager import EagerSteps
from tests.conftest import IDENTITIES

CPU = torch.device("cpu")


def config_of(**asked: Any) -> RunConfig:
    return resolve(RunOptions(batch_size=16, seed=3, compile=True, **asked), "fashion-mnist", IDENTITIES)


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A compiler that gives back what it was given, and a list of what was called of it."""
    seen: list[str] = []

    def compiler(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def compiled(*given: Any) -> Any:
            seen.append(function.__name__)
            return function(*given)

        return compiled

    monkeypatch.setattr(torch, "compile", compiler)
    return seen


@pytest.mark.parametrize(
    ("compiled", "plainly", "pays"), [(2e-3, 3e-3, True), (3e-3, 2e-3, False), (2e-3, 2e-3, False)]
)
def test_it_is_used_where_it_pays(
    compiled: float, plainly: float, pays: bool, tiny: Dataset, monkeypatch: pytest.MonkeyPatch, untouched: list[str]
) -> None:
    now, take = [0.0], EagerSteps.take

    def timed(steps: EagerSteps, *batch: Any) -> Any:
        now[0] += compiled if isinstance(steps._costs, CompiledCosts) else plainly
        return take(steps, *batch)

    monkeypatch.setattr(EagerSteps, "take", timed)
    config = compiled_where_it_pays(config_of(), tiny.train, CPU, lambda: now[0])
    assert config.compile is pays
    said = f"{'' if pays else 'not '}compiled: {compiled * 1000:.1f} ms a step, {plainly * 1000:.1f} without"
    assert config.compile_why == said


@pytest.mark.parametrize(
    ("asked", "compiled"), [({}, "of"), ({"miner": "distance"}, "points"), ({"loss": "supcon"}, "points")]
)
def test_what_draws_or_is_foreign_is_not_compiled(
    asked: dict[str, Any], compiled: str, tiny: Dataset, untouched: list[str]
) -> None:
    learner = Learner(config_of(**asked), tiny.train, CPU)
    plain = Learner(dataclasses.replace(config_of(**asked), compile=False), tiny.train, CPU)
    pairs = learner.draw(0)[:16]
    results = [[one.step(pairs, step) for step in range(3)] for one in (learner, plain)]
    assert repr(results[0]) == repr(results[1])  # NaN is not equal to itself
    assert untouched[1:] == [compiled] * 3


def test_without_a_compiler_it_is_refused_in_one_line(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_function: object) -> object:
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\nand a long story")

    monkeypatch.setattr(torch, "compile", none)
    with pytest.raises(
        UsageError, match=r"--compile: torch finds no compiler that works here \(.*\); leave"
    ) as refused:
        Learner(config_of(), tiny.train, CPU)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
@pytest.mark.filterwarnings("ignore")  # the compiler's own
@pytest.mark.parametrize("asked", [{}, {"model": "bn", "miner": "margin"}], ids=str)
def test_compiled_steps_are_those_without_within_a_thousandth(asked: dict[str, Any], tiny: Dataset) -> None:
    """At a small learning rate: Adam's first steps make whole ones of rounding."""
    learner = Learner(config_of(**asked, lr=1e-5), tiny.train, CPU)
    plain = Learner(dataclasses.replace(config_of(**asked, lr=1e-5), compile=False), tiny.train, CPU)
    pairs = learner.draw(0)
    for step in range(3):
        if step == 2:
            learner.margin = plain.margin = 1.5
        of_step = pairs[16 * step : 16 * step + 16]
        assert learner.step(of_step, step).loss == pytest.approx(plain.step(of_step, step).loss, rel=1e-3)


@pytest.mark.slow
def test_a_compiler_that_is_not_there_is_found_out(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor import config as inductor

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, dynamic=True))  # nothing kept is used
    with inductor.patch({"cpp.cxx": (None, "/no/compiler"), "force_disable_caches": True}), pytest.raises(UsageError):
        Learner(config_of(), tiny.train, CPU)
