"""The tutorial in the fastest precision that is right here, and `--preset fast`, beside the plain loop."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Final, NamedTuple

from reid_tui.bench.processes import device_of, run_headless, run_plain, run_preset
from reid_tui.bench.rates import WARM_UP_STEPS, evaluation_spans, losses, pairs_per_s
from reid_tui.bench.report import Result, Side
from reid_tui.training.events import Evaluated, Finished, RunStarted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reid_tui.bench.processes import Setup
    from reid_tui.training.events import AnyEvent

PLAIN_PAIRS: Final = 5 * 60_000
"""Of the tutorial's five epochs."""
PLAIN_SCORES: Final = (0.818, 0.793, 0.973)
"""What they reach: rank-1, mAP and AUC on all 10,000 test images."""
LOSS_WITHIN: Final = 0.03
OF_TIME: Final = {"fp32": 1 / 14}
"""The share of the plain loop's time that may be taken; 1/25 in any other precision."""
OF_COMMAND: Final = 1 / 10


class _Preset(NamedTuple):
    command_s: float
    """From the shell to the summary."""
    trained_s: float
    """Without evaluations and saves."""
    scores: tuple[float, float, float]
    precision: str
    device: str


def precision_target(flags: str) -> float:
    """Pairs a second over the plain loop's, by what the processor can."""
    names = flags.split()
    return 3.6 if "amx_bf16" in names else 2.8 if "avx512_bf16" in names else 1.7


def measure_precision(setup: Setup) -> Iterator[Result]:
    """`--precision auto` over the plain loop in pairs a second, and its mean loss beside that of fp32."""
    runs: list[list[AnyEvent]] = []
    paces: list[float] = []
    for number in range(setup.rounds):
        setup.talk(f"precision: round {number + 1} of {setup.rounds}")
        runs.append(run_headless(setup, f"precision-{number}", "--precision", "auto"))
        paces.append(run_plain(setup)["pairs_per_s"])
    fp32 = fmean(loss for _, loss in losses(run_headless(setup, "precision-fp32", "--precision", "fp32")))
    apart = fmean(loss for _, loss in losses(runs[0])) / fp32 - 1
    a = Side("--precision auto", tuple(pairs_per_s(events, WARM_UP_STEPS) for events in runs))
    b = Side("plain loop", tuple(paces))
    target = precision_target(_flags())
    yield Result(
        name="precision",
        what="tutorial preset over plain loop",
        unit="pairs/s",
        a=a,
        b=b,
        target=f">= {target:g}, loss within {LOSS_WITHIN:.0%} of fp32",
        met=median(x / y for x, y in zip(a.values, b.values, strict=True)) >= target and abs(apart) <= LOSS_WITHIN,
        device=device_of(runs[0]),
        note=f"{_precision_of(runs[0])}; mean loss {apart:+.1%} of fp32's",
    )


def measure_fast(setup: Setup) -> Iterator[Result]:
    """`--preset fast`, whole, with another seed each round, over the plain loop's five epochs at its pace."""
    presets: list[_Preset] = []
    plain: list[tuple[float, float]] = []
    for number in range(setup.rounds):
        setup.talk(f"fast: round {number + 1} of {setup.rounds}")
        presets.append(_preset(setup, number))
        plain.append(_plain_s(setup))
    precision, device = presets[0].precision, presets[0].device
    trained = Side("--preset fast", tuple(preset.trained_s for preset in presets))
    loop = Side("plain loop", tuple(loop_s for loop_s, _ in plain))
    share = OF_TIME.get(precision, 1 / 25)
    reached = all(got >= asked for preset in presets for got, asked in zip(preset.scores, PLAIN_SCORES, strict=True))
    told = "; ".join(" / ".join(f"{score:.3f}" for score in preset.scores) for preset in presets)
    yield Result(
        name="fast",
        what="time to the plain loop's scores",
        unit="s",
        a=trained,
        b=loop,
        target=f"<= 1/{1 / share:.0f} of its time, its scores",
        met=reached and _ratio(trained, loop) <= share,
        device=device,
        note=f"{precision}; rank-1 / mAP / AUC {told}",
    )
    whole = Side("reid-tui train --preset fast", tuple(preset.command_s for preset in presets))
    script = Side("plain script", tuple(script_s for _, script_s in plain))
    yield Result(
        name="fast",
        what="whole command",
        unit="s",
        a=whole,
        b=script,
        target=f"<= 1/{1 / OF_COMMAND:.0f} of its time",
        met=_ratio(whole, script) <= OF_COMMAND,
        device=device,
        note="the script without its embedding of the test images",
    )


def _preset(setup: Setup, seed: int) -> _Preset:
    before = time.perf_counter()
    events = run_preset(setup, f"fast-{seed}", "--preset", "fast", "--seed", str(seed))
    seconds = time.perf_counter() - before
    scored = next(event for event in reversed(events) if isinstance(event, Evaluated))
    scored_s = sum(until - since for since, until in evaluation_spans(events))
    trained = next(event.wall_s for event in events if isinstance(event, Finished)) - scored_s
    scores = scored.rank1, scored.map, scored.auc
    return _Preset(seconds, trained, scores, _precision_of(events), device_of(events))


def _plain_s(setup: Setup) -> tuple[float, float]:
    """Seconds of the loop's five epochs at the pace of `steps`, and of its whole process."""
    before = time.perf_counter()
    answer = run_plain(setup)
    pace = answer["pairs_per_s"]
    start = time.perf_counter() - before - setup.steps * answer["batch_size"] / pace
    return PLAIN_PAIRS / pace, PLAIN_PAIRS / pace + max(0.0, start)


def _precision_of(events: Sequence[AnyEvent]) -> str:
    return next((event.precision for event in events if isinstance(event, RunStarted)), "unknown")


def _ratio(a: Side, b: Side) -> float:
    return median(x / y for x, y in zip(a.values, b.values, strict=True))


def _flags() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2] for line in lines if line.startswith("flags")), "")
