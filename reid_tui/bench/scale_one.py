"""The costs of one set of pictures, as a JSON object: `python -m reid_tui.bench.scale_one FOLDER IMAGES`."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from reid_tui.config import RunOptions
from reid_tui.data import catalog
from reid_tui.data.batches import draw_batches
from reid_tui.data.pairs import draw_epoch
from reid_tui.engine import run_training
from reid_tui.errors import ReidTuiError
from reid_tui.evaluation.labels import GALLERY, QUERY, Labels
from reid_tui.evaluation.retrieval import query_scores
from reid_tui.runs.overview import summarize
from reid_tui.training import events as ev
from reid_tui.training.channels import CommandBox
from reid_tui.training.event_json import to_line
from reid_tui.view.fold import fold
from reid_tui.view.map_chart import map_chart
from reid_tui.view.palette import ChartStyle
from reid_tui.view.run_state import RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

STEPS: Final = 200
DIM: Final = 128
PER_IDENTITY: Final = 10
REPAINTS: Final = 5
EVERY_S: Final = 0.01
_MIB: Final = 1024**2
Costs = dict[str, float]


@contextlib.contextmanager
def peak_memory(costs: Costs, name: str) -> Iterator[None]:
    """Put the most anonymous memory that was occupied meanwhile, beyond that at the start of the process's work."""
    ended = threading.Event()
    peak = anonymous_bytes()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(EVERY_S):
            peak = max(peak, anonymous_bytes())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        costs[name] = (peak - _AT_START) / _MIB


def anonymous_bytes() -> int:
    """Memory of this process that is no file's: neither libraries nor the cache's pages."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("RssAnon:"))) * 1024


_AT_START: Final = anonymous_bytes()


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Of the processor."""
    before = clock()
    work()
    return clock() - before


def opening(root: Path, costs: Costs) -> None:
    """Read all pictures into an empty cache, and draw an epoch of them."""
    options = RunOptions(data=f"folder:{root}")
    with peak_memory(costs, "opened the first time: memory, MiB"):
        before = time.process_time()
        dataset = catalog.load(options, lambda text, done=0, total=0: None)
        costs["opened the first time: CPU s"] = time.process_time() - before
    labels = dataset.train.identities
    costs["epoch drawn, random pairs: CPU s"] = seconds(lambda: draw_epoch(labels, 0, 0))
    costs["epoch drawn, 4 of an identity: CPU s"] = seconds(lambda: draw_batches(labels, 128, 4, 0, 0))


def training(root: Path, costs: Costs) -> list[ev.AnyEvent]:
    """A whole run of few steps: opened again, trained, scored on a sample and in the end on everything.

    Raises:
        ReidTuiError: it did not end well.
    """
    told: list[ev.AnyEvent] = []
    at: list[float] = []

    def listen(event: ev.AnyEvent) -> None:
        told.append(event)
        at.append(time.process_time())

    with tempfile.TemporaryDirectory() as runs:
        options = RunOptions(
            data=f"folder:{root}", runs_dir=runs, steps=STEPS, embedding_dim=DIM, device="cpu", batch_size=64
        )
        begun = time.process_time()
        with peak_memory(costs, "trained and evaluated: memory, MiB"):
            end = run_training(options, listen, CommandBox(), steerable=False)
        if not isinstance(end, ev.Finished):
            raise ReidTuiError(f"the run ended with {end}")
        started = next(place for place, event in enumerate(told) if isinstance(event, ev.RunStarted))
        steps = [place for place, event in enumerate(told) if isinstance(event, ev.Progress)]
        spans = _evaluations(told, at)
        costs["opened again, until the run starts: CPU s"] = at[started] - begun
        costs["step: CPU ms"] = 1000 * median(at[b] - at[a] for a, b in pairwise(steps))
        costs["evaluation of the sample: CPU s"] = spans[0]
        costs["evaluation of everything: CPU s"] = spans[-1]
        costs["log line of a step: bytes"] = max(len(to_line(told[place])) for place in steps)
        costs["log's first line: bytes"] = len(to_line(told[started]))
        (folder,) = Path(runs).iterdir()
        costs["config.json: bytes"] = (folder / "config.json").stat().st_size
        costs["manifest: bytes"] = max(path.stat().st_size for path in folder.glob("checkpoints/*.json"))
        costs["a row of reid-tui runs: CPU ms"] = 1000 * seconds(lambda: summarize(folder))
    return told


def _evaluations(told: Sequence[ev.AnyEvent], at: Sequence[float]) -> list[float]:
    """Seconds of each."""
    begun, spans = 0.0, []
    evaluating = False
    for event, when in zip(told, at, strict=True):
        if isinstance(event, ev.PhaseChanged):
            if evaluating:
                spans.append(when - begun)
            evaluating, begun = event.phase == "evaluating", when
    return spans


def screen(told: Sequence[ev.AnyEvent], costs: Costs) -> None:
    """What the dashboard does with the newest snapshot, and with the event of a step."""
    state = fold(RunState(), told)
    snapshot, last = state.embeddings, next(event for event in reversed(told) if isinstance(event, ev.Progress))
    assert snapshot is not None
    assert snapshot.points is not None
    costs["map: points"] = len(snapshot.points)
    drawn = [
        seconds(
            lambda: map_chart(snapshot.points, snapshot.identities, state.identity_names, 80, 24, ChartStyle()),
            time.thread_time,
        )
        for _ in range(REPAINTS)
    ]
    costs["map drawn at 80x24: CPU ms"] = 1000 * median(drawn)
    folded = [seconds(lambda: fold(state, [last]), time.thread_time) for _ in range(REPAINTS)]
    costs["a step's event folded: CPU ms"] = 1000 * median(folded)


def ranking(images: int, costs: Costs) -> None:
    """A hundredth as many queries against a gallery of so many made-up embeddings."""
    queries = images // 100
    generator = torch.Generator().manual_seed(0)
    identities_N = np.arange(images + queries) % (images // PER_IDENTITY)
    roles_N = np.repeat(np.array([GALLERY, QUERY], np.int8), [images, queries])
    with peak_memory(costs, "queries ranked: memory, MiB"):
        embeddings_ND = torch.randn(images + queries, DIM, generator=generator).mul_(1.5)
        chosen = torch.from_numpy(identities_N)
        for at in range(0, len(chosen), 1024):
            own = chosen[at : at + 1024]
            embeddings_ND[at : at + 1024] += torch.sin(own[:, None] * torch.arange(1, DIM + 1) * 0.7)
        took = seconds(lambda: query_scores(embeddings_ND, Labels(identities_N, None, roles_N)))
    costs["queries ranked: their number"] = queries
    costs["queries ranked: CPU s"] = took
    costs["one query ranked: CPU ms"] = 1000 * took / queries


def main(root: str, images: str) -> None:
    """Measure everything."""
    torch.set_num_threads(1)
    costs: Costs = {}
    opening(Path(root), costs)
    screen(training(Path(root), costs), costs)
    ranking(int(images), costs)
    sys.stdout.write(json.dumps(costs) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
