"""What losses, miners and networks reach at equal image forwards: `python -m reid_tui.bench.losses`.

Every row is a run of `reid-tui train` for each seed, scored on all test images at its end. Prints a table in Markdown,
and with `--json FILE` keeps every run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from reid_tui.config import LOSSES, miners_of

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMAND: Final = (sys.executable, "-m", "reid_tui", "train", "--json", "--progress", "none")
_LONGEST_S: Final = 3600.0
IMAGES: Final = 128
"""Of a batch: 64 pairs."""
COMMON: Final = ("--pairs", "batch", "--batch-size", str(IMAGES // 2), "--schedule", "onecycle", "--eval-every", "9999")


class Table(NamedTuple):
    """One set of rows, all with as many image forwards."""

    data: str
    forwards: int
    dim: int
    more: tuple[str, ...] = ()
    """Options of every row."""


TABLES: Final = {
    "pedestrians": Table("pedestrians", 49_152, 64),
    "fashion-mnist": Table("fashion-mnist", 60_032, 64),
}


@dataclass(frozen=True, slots=True)
class Score:
    """What one run gave."""

    row: str
    seed: int
    rank1: float
    map: float
    auc: float
    seconds: float
    """Trained, evaluations left out."""


def rows() -> dict[str, tuple[str, ...]]:
    """Options by the row's name: every loss with every miner that it takes."""
    rates = {"contrastive": "1e-3", "triplet": "1e-3", "margin": "1e-3"}
    return {
        f"{loss}, {miner}": ("--loss", loss, "--miner", miner, "--lr", rates.get(loss, "3e-3"))
        for loss in LOSSES
        for miner in miners_of(loss)
    }


def one(table: Table, name: str, options: Sequence[str], seed: int, device: str, data_dir: str | None) -> Score:
    """Train and score once.

    Raises:
        RuntimeError: the run failed; what it said.
    """
    steps = table.forwards // IMAGES
    epochs = str(-(-2 * table.forwards // 1000))  # more than the steps need
    with tempfile.TemporaryDirectory() as runs:
        argv = [*COMMAND, "--data", table.data, "--device", device, "--runs-dir", runs, "--seed", str(seed), *COMMON]
        argv += ["--steps", str(steps), "--epochs", epochs, "--embedding-dim", str(table.dim), *table.more, *options]
        argv += [] if data_dir is None else ["--data-dir", data_dir]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    scores = [event for event in events if event["event"] == "evaluated" and event["split"] in ("test", "unseen")]
    if done.returncode or not scores:
        raise RuntimeError(f"{name}, seed {seed}: exit code {done.returncode}: {done.stderr.strip()[-300:]}")
    last = scores[-1]
    return Score(name, seed, last["rank1"], last["map"], last["auc"], events[-1]["wall_s"])


def markdown(scores: Sequence[Score]) -> str:
    """A row for each name: means over the seeds, and from the lowest to the highest."""
    lines = ["| | rank-1 | mAP | AUC | s |", "| --- | --- | --- | --- | --- |"]
    for name in dict.fromkeys(score.row for score in scores):
        own = [score for score in scores if score.row == name]
        cells = [_range([getattr(score, field) for score in own]) for field in ("rank1", "map", "auc")]
        seconds = sorted(score.seconds for score in own)[len(own) // 2]
        lines.append(f"| {name} | {' | '.join(cells)} | {seconds:.1f} |")
    return "\n".join(lines)


def _range(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code: 1 where a run failed, which is told on stderr."""
    parser = argparse.ArgumentParser(prog="python -m reid_tui.bench.losses", description="Losses and miners compared.")
    parser.add_argument("--table", choices=TABLES, action="append", help="which tables; all of them by default")
    parser.add_argument("--row", action="append", metavar="OPTIONS", help="options of reid-tui train for one more row")
    parser.add_argument("--options", default="", help="options of reid-tui train for every row")
    parser.add_argument("--only-rows", action="store_true", help="those rows alone")
    parser.add_argument("--forwards", type=int, help="image forwards instead of the table's")
    parser.add_argument("--dim", type=int, help="embedding dimensions instead of the table's")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--jobs", type=int, default=1, help="runs at a time; more than one make the seconds meaningless"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--data-dir")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args(arguments)
    more = {options: tuple(options.split()) for options in asked.row or ()}
    wanted = more if asked.only_rows else {**rows(), **more}
    kept: dict[str, list[Score]] = {}
    failed = False
    for name in asked.table or TABLES:
        table = TABLES[name]._replace(
            forwards=asked.forwards or TABLES[name].forwards,
            dim=asked.dim or TABLES[name].dim,
            more=tuple(asked.options.split()),
        )
        with ThreadPoolExecutor(asked.jobs) as pool:
            runs = [
                pool.submit(one, table, row, options, seed, asked.device, asked.data_dir)
                for row, options in wanted.items()
                for seed in range(asked.seeds)
            ]
            kept[name] = []
            for run in runs:
                try:
                    kept[name].append(run.result())
                except RuntimeError as error:
                    print(error, file=sys.stderr)  # noqa: T201
                    failed = True
        print(f"\n{name}, {table.forwards:,} image forwards, {table.dim}-D\n\n{markdown(kept[name])}", flush=True)  # noqa: T201
        if asked.json is not None:
            told = {key: [asdict(score) for score in scores] for key, scores in kept.items()}
            asked.json.write_text(json.dumps(told, indent=1))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
