"""The measurements by name. Each gives the rows of the table that it fills."""

from __future__ import annotations

import random
import time
from statistics import median
from typing import TYPE_CHECKING, Final, TypeVar

from reid_tui.bench.cost import measure_cost
from reid_tui.bench.embedding import measure_embedding
from reid_tui.bench.memory import measure_memory
from reid_tui.bench.pictures import measure_pictures
from reid_tui.bench.presets import measure_fast, measure_precision
from reid_tui.bench.processes import (
    REID_TUI,
    Setup,
    device_of,
    events_of,
    last_line,
    run,
    run_dashboard,
    run_headless,
    run_plain,
    until_training,
)
from reid_tui.bench.rates import (
    WARM_UP_STEPS,
    Press,
    equal_losses,
    evaluation_spans,
    latencies_ms,
    losses,
    pairs_per_s,
)
from reid_tui.bench.report import Result, Side, percentile
from reid_tui.bench.scores import measure_scores
from reid_tui.bench.sharing import measure_sharing
from reid_tui.bench.starting import measure_start
from reid_tui.bench.terminal import COLUMNS, ROWS, Terminal
from reid_tui.bench.traffic import measure_bytes
from reid_tui.bench.viewer import EXTRAS, LARGE, measure_viewer
from reid_tui.errors import ReidTuiError
from reid_tui.training.events import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
U = TypeVar("U")

PLAIN_TARGET: Final = 1.7
DASHBOARD_TARGET: Final = 0.97
PANELS_TARGET: Final = 0.95
LATENCY_TARGET_MS: Final = 100.0
DISTRIBUTED_TARGET: Final = 0.85
PROCESSES: Final = 2
EQUAL_STEPS: Final = 5
"""After them what Adam makes of rounding is no rounding any more."""
PRESSES: Final = 60
PRESS_GAPS_S: Final = (0.2, 0.7)
LATENCY_EPOCHS: Final = "20"
"""Long enough for all keys on a CPU, short enough that each step is logged as in a usual run."""
MARGIN: Final = 1.0
MARGIN_STEP: Final = 0.05
SETTLE_S: Final = 3.0
"""How long the screen may take to show the last key."""
UNWANTED: Final = frozenset({"torch", "textual"})


def measure_plain(setup: Setup) -> Iterator[Result]:
    """Headless training over the plain loop, in pairs a second; headless pays for its evaluations and snapshots."""
    headless, plain = _in_turn(setup, "plain", lambda name: run_headless(setup, name), lambda _name: run_plain(setup))
    a = Side("reid-tui train", tuple(pairs_per_s(events, WARM_UP_STEPS) for events in headless))
    b = Side("plain loop", tuple(answer["pairs_per_s"] for answer in plain))
    yield Result(
        name="plain",
        what="headless over plain loop",
        unit="pairs/s",
        a=a,
        b=b,
        target=f">= {PLAIN_TARGET:g}",
        met=_median_ratio(a, b) >= PLAIN_TARGET,
        device=device_of(headless[0]),
        note="headless pays for its evaluations and snapshots",
    )


def measure_dashboard(setup: Setup) -> Iterator[Result]:
    """The dashboard over headless training, in pairs a second, and whether their losses are equal."""
    yield from _over_headless(setup, "dashboard", COLUMNS, ROWS, b"", DASHBOARD_TARGET)


def measure_panels(setup: Setup) -> Iterator[Result]:
    """The same with all panels on a large terminal."""
    yield from _over_headless(setup, "panels", *LARGE, EXTRAS, PANELS_TARGET)


def _over_headless(setup: Setup, name: str, columns: int, rows: int, keys: bytes, target: float) -> Iterator[Result]:
    dashboard, headless = _in_turn(
        setup, name, lambda run: run_dashboard(setup, run, columns, rows, keys), lambda run: run_headless(setup, run)
    )
    a = Side("dashboard", tuple(pairs_per_s(events, WARM_UP_STEPS) for events in dashboard))
    b = Side("reid-tui train", tuple(pairs_per_s(events, WARM_UP_STEPS) for events in headless))
    yield Result(
        name=name,
        what=f"dashboard {columns}x{rows}{', all panels,' if keys else ''} over headless",
        unit="pairs/s",
        a=a,
        b=b,
        target=f">= {target:g}",
        met=_median_ratio(a, b) >= target,
        device=device_of(headless[0]),
    )
    sequences = [losses(events) for events in (*dashboard, *headless)]
    equal = tuple(float(equal_losses(sequences[0], other)) for other in sequences)
    whole = len(sequences[0])
    yield Result(
        name="losses",
        what="losses, both ways",
        unit="equal steps",
        a=Side("dashboard", equal[: setup.rounds]),
        b=Side("reid-tui train", equal[setup.rounds :]),
        compared=False,
        target="bitwise equal",
        met=whole > 0 and all(len(other) == whole for other in sequences) and min(equal) == whole,
        note=f"of {whole} logged in the first run",
    )


def measure_distributed(setup: Setup) -> Iterator[Result]:
    """Processes with a thread each over one process with as many threads, the same batch, in pairs a second."""
    size = str(PROCESSES)
    several, one = _in_turn(
        setup,
        "distributed",
        lambda name: run_headless(setup, name, "--device", "cpu", "--nproc", size, threads=1),
        lambda name: run_headless(setup, name, "--device", "cpu", threads=PROCESSES),
    )
    a = Side(f"{size} processes x 1 thread", tuple(pairs_per_s(events, WARM_UP_STEPS) for events in several))
    b = Side(f"1 process x {size} threads", tuple(pairs_per_s(events, WARM_UP_STEPS) for events in one))
    apart = max(
        abs(x / y - 1) for (_, x), (_, y) in zip(losses(several[0])[:EQUAL_STEPS], losses(one[0]), strict=False)
    )
    yield Result(
        name="distributed",
        what=f"{size} processes over one",
        unit="pairs/s",
        a=a,
        b=b,
        target=f">= {DISTRIBUTED_TARGET:g}",
        met=_median_ratio(a, b) >= DISTRIBUTED_TARGET,
        device=device_of(several[0]),
        note=f"the first {EQUAL_STEPS} losses are within {apart:.1g} of each other",
    )


def measure_latency(setup: Setup) -> Iterator[Result]:
    """From a key that turns the margin to the bytes that show the new margin, while training.

    Raises:
        ReidTuiError: the dashboard ended, or did not get to train.
    """
    setup.talk(f"latency: {PRESSES} keys in the dashboard")
    runs_dir = setup.folder / "latency"
    options = (*setup.data_options, "--epochs", LATENCY_EPOCHS, "--margin", f"{MARGIN:g}", "--runs-dir", str(runs_dir))
    gaps = random.Random(0)
    presses: list[Press] = []
    with Terminal((*REID_TUI, *options)) as terminal:
        until_training(terminal, runs_dir)
        clock = time.time() - time.perf_counter()
        for count in range(1, PRESSES + 1):
            time.sleep(gaps.uniform(*PRESS_GAPS_S))
            if not terminal.running:
                break
            presses.append(Press(terminal.press(b"+"), MARGIN + count * MARGIN_STEP))
        time.sleep(SETTLE_S)
        if not terminal.running:
            raise ReidTuiError(f"the dashboard ended while keys were measured: {last_line(terminal)}")
        chunks = terminal.chunks
        events = events_of(runs_dir)
    trained_until = max(event.time for event in events if isinstance(event, Progress)) - clock
    presses = [press for press in presses if press.at <= trained_until - 1]
    found = latencies_ms(chunks, presses, COLUMNS, ROWS)
    values = [value for value in found if value is not None]
    spans = list(evaluation_spans(events))
    busy = sum(any(since <= press.at + clock <= until for since, until in spans) for press in presses)
    p95 = percentile(values, 95)
    lost = len(found) - len(values)
    yield Result(
        name="latency",
        what="key to repaint",
        unit="ms",
        a=Side("dashboard", tuple(values)),
        target=f"p95 <= {LATENCY_TARGET_MS:g}",
        met=bool(found) and lost == 0 and p95 <= LATENCY_TARGET_MS,
        device=device_of(events),
        note=f"{len(found)} presses of + until the new margin stands on the screen, p95 {p95:.0f} ms; "
        f"{busy} of them fell into an evaluation or a save" + (f"; {lost} never showed" if lost else ""),
    )


def measure_startup(setup: Setup) -> Iterator[Result]:
    """How long help and version take, and whether they stay clear of torch and textual."""
    setup.talk("startup: --help and --version")
    helps, versions = _in_turn(setup, "startup", lambda _name: _seconds("--help"), lambda _name: _seconds("--version"))
    seen = sorted(UNWANTED & (_imported("--help") | _imported("--version")))
    yield Result(
        name="startup",
        what="--help and --version",
        unit="s",
        a=Side("--help", tuple(helps)),
        b=Side("--version", tuple(versions)),
        compared=False,
        target="no torch, textual",
        met=not seen,
        note=f"imported: {', '.join(seen)}" if seen else "",
    )


MEASUREMENTS: Final[dict[str, Callable[[Setup], Iterator[Result]]]] = {
    "startup": measure_startup,
    "start": measure_start,
    "plain": measure_plain,
    "precision": measure_precision,
    "fast": measure_fast,
    "dashboard": measure_dashboard,
    "panels": measure_panels,
    "distributed": measure_distributed,
    "scores": measure_scores,
    "latency": measure_latency,
    "screen": measure_cost,
    "sharing": measure_sharing,
    "bytes": measure_bytes,
    "memory": measure_memory,
    "viewer": measure_viewer,
    "pictures": measure_pictures,
    "embedding": measure_embedding,
}


def _in_turn(setup: Setup, name: str, a: Callable[[str], T], b: Callable[[str], U]) -> tuple[list[T], list[U]]:
    """Both things once a round, the one that begins changing from round to round."""
    results_a: list[T] = []
    results_b: list[U] = []
    for number in range(setup.rounds):
        setup.talk(f"{name}: round {number + 1} of {setup.rounds}")
        for take_a in (True, False) if number % 2 == 0 else (False, True):
            if take_a:
                results_a.append(a(f"{name}-a-{number}"))
            else:
                results_b.append(b(f"{name}-b-{number}"))
    return results_a, results_b


def _median_ratio(a: Side, b: Side) -> float:
    return median(x / y for x, y in zip(a.values, b.values, strict=True))


def _seconds(option: str) -> float:
    before = time.perf_counter()
    run((*REID_TUI, option), 60.0)
    return time.perf_counter() - before


def _imported(option: str) -> set[str]:
    """Top-level names of the modules that Python imports on the way."""
    interpreter, *rest = REID_TUI
    _, log = run((interpreter, "-X", "importtime", *rest, option), 60.0)
    lines = (line for line in log.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
