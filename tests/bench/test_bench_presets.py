"""What `--precision auto` and `--preset fast` are held against."""

from __future__ import annotations

from pathlib import Path

import pytest

from reid_tui.bench import presets
from reid_tui.bench.processes import Setup
from reid_tui.training.events import AnyEvent, Evaluated, Finished, Progress
from tests.view.samples import started

PACE = 1500.0


def progress(step: int, loss: float) -> Progress:
    return Progress(
        step=step, epoch=1, loss=loss, margin=1.0, lr=1e-3, pairs_seen=64 * step, pairs_per_s=0.0, wall_s=0.0,
        skipped=0, time=step / 50,
    )  # fmt: skip


def preset_run(rank1: float, seconds: float) -> list[AnyEvent]:
    scored = Evaluated(
        step=468, epoch=1, split="test", images=10_000, rank1=rank1, map=0.8, auc=0.974, eer=0.1, threshold=0.5,
        d_prime=3.0,
    )  # fmt: skip
    return [started(), scored, Finished(step=468, reason="epochs", steps=468, wall_s=seconds, loss=0.1)]


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(rounds=2, steps=100, data="auto", data_dir=None, folder=tmp_path, talk=lambda _: None)


@pytest.mark.parametrize(("flags", "target"), [("avx2", 1.7), ("avx2 avx512_bf16", 2.8), ("avx512_bf16 amx_bf16", 3.6)])
def test_the_target_follows_the_processor(flags: str, target: float) -> None:
    assert presets.precision_target(flags) == target


@pytest.mark.parametrize(("loss", "met"), [(1.02, True), (1.04, False)])
def test_precision_has_to_be_fast_and_right(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, loss: float, met: bool
) -> None:
    def headless(_setup: Setup, _name: str, *options: str) -> list[AnyEvent]:
        return [started(), *(progress(step, 1.0 if "fp32" in options else loss) for step in range(1, 101))]

    monkeypatch.setattr(presets, "run_headless", headless)
    monkeypatch.setattr(presets, "run_plain", lambda _: {"pairs_per_s": 64 * 50 / 4})
    (result,) = presets.measure_precision(setup)
    assert [round(ratio, 6) for ratio in result.ratios()] == [4.0, 4.0]
    assert result.met is met


@pytest.mark.parametrize(("rank1", "seconds", "met"), [(0.82, 13.0, True), (0.81, 13.0, False), (0.82, 15.0, False)])
def test_fast_has_to_reach_the_plain_loops_scores_in_a_share_of_its_time(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, rank1: float, seconds: float, met: bool
) -> None:
    """Five epochs at 1,500 pairs a second take 200 s, a fourteenth of which is 14.3 s."""
    asked: list[tuple[str, ...]] = []

    def run(_setup: Setup, _name: str, *options: str) -> list[AnyEvent]:
        asked.append(options)
        return preset_run(rank1, seconds)

    monkeypatch.setattr(presets, "run_preset", run)
    monkeypatch.setattr(presets, "run_plain", lambda _: {"pairs_per_s": PACE, "batch_size": 64})
    trained, whole = presets.measure_fast(setup)
    assert [options[-1] for options in asked] == ["0", "1"]
    assert trained.b is not None
    assert trained.b.values == (200.0, 200.0)
    assert trained.met is met
    assert whole.met


def test_a_faster_precision_has_less_time(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    run = [started(precision="bf16"), *preset_run(0.82, 13.0)[1:]]
    monkeypatch.setattr(presets, "run_preset", lambda *_: run)
    monkeypatch.setattr(presets, "run_plain", lambda _: {"pairs_per_s": PACE, "batch_size": 64})
    assert not next(presets.measure_fast(setup)).met
